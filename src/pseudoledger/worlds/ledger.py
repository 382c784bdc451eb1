"""A world as a ledger on disk: founded, acted out, registered in blocks on a simulated clock, its owners beside it.

DIR/ledger          the ledger, as any other
DIR/owners.csv      identity,owner: who is behind every key, to score against; no observer has it
DIR/disclosures/N   what opens the sealed fields, as their signers keep it; an auditor was given all of it
DIR/keys            the last thing that the ledger key signed; no secret key is kept
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from pseudoledger.audit.trace.evaluate.world import START, World
from pseudoledger.errors import RegistrationRefused, StoreError
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Refused, Registrar
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.worlds.acting import Play
from pseudoledger.worlds.pen import Pen, Said, signer_of
from pseudoledger.worlds.plan import Plan, plan

ORIGIN = "world.pseudoledger.example"
LEDGER, OWNERS, DISCLOSURES, KEYS = "ledger", "owners.csv", "disclosures", "keys"
BLOCK_SECONDS = 43_200
"""What is signed within so many seconds is sealed in one block: each block waits for the disk once. A verifier says
that the times of blocks lie far from those of signing, which breaks no rule."""
FILES_PER_FOLDER = 5_000
"""Fewer than a trace reads from one folder."""
FOUNDED = START - 86_400
POLICY = Policy.model_validate(
    {
        "admission": "open",
        "attestors": (),
        "open_max": 1_000,
        "commission_cap_bps": 1_000,
        "max_age_seconds": 30 * 86_400,
        "clock": "simulated",
    }
)

Advance = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A world that stands on disk."""

    directory: Path
    identities: int
    owners: int
    entries: int
    """Entries of the ledger, blocks and founding included."""
    statements: int
    """What the personas signed."""
    blocks: int
    root: str
    """Root hash of the ledger, in hex."""
    ledger_key: str
    handovers: int

    @property
    def ledger(self) -> Path:
        """Directory of the ledger."""
        return self.directory / LEDGER

    @property
    def owners_file(self) -> Path:
        """CSV of the true owners."""
        return self.directory / OWNERS

    @property
    def disclosures(self) -> tuple[Path, ...]:
        """Folders of disclosure files."""
        return disclosure_folders(self.directory)


def disclosure_folders(directory: Path) -> tuple[Path, ...]:
    """Return the folders of disclosure files of a world, in order."""
    folders = (folder for folder in (directory / DISCLOSURES).glob("*") if folder.name.isdigit())
    return tuple(sorted(folders, key=lambda folder: int(folder.name)))


def make(directory: Path, world: World, *, progress: Advance | None = None) -> Made:
    """Act out a world in a directory that holds none.

    `progress` is told how many statements are registered. Raises RegistrationRefused if the rules refuse anything,
    StoreError if there is a ledger already or the directory cannot be written.
    """
    _empty(directory)
    drawn = plan(world)
    maker = _Maker(directory=directory, plan=drawn, progress=progress or (lambda _done, _total: None))
    signer = signer_of(drawn.digest, "ledger")
    with Registrar.found(
        directory / LEDGER,
        origin=ORIGIN,
        founder=signer_of(drawn.digest, "founder"),
        signer=signer,
        last_signed=LastSigned.create(directory / KEYS / "ledger.last-signed"),
        clock=lambda: maker.now * 1_000,
        policy=POLICY,
        nonce=sha256(f"pseudoledger/world/nonce\0{drawn.digest}".encode()).digest(),
    ) as registrar:
        pen = Pen(world=drawn.digest, ledger=registrar.state.id)
        maker.register(registrar, Play(drawn, seed=world.seed, pen=pen))
        block = registrar.store.block_of(registrar.store.size - 1)
        assert block is not None, "something was registered"
        made = Made(
            directory=directory,
            identities=len(drawn.personas),
            owners=len({persona.owner for persona in drawn.personas}),
            entries=registrar.store.size,
            statements=maker.statements,
            blocks=block.height,
            root=block.root.hex(),
            ledger_key=signer.did,
            handovers=len(drawn.follows),
        )
    _write_owners(made.owners_file, drawn, pen)
    return made


def _empty(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise StoreError(f"{directory} is not empty", hint="name a new directory")
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}", hint="choose another directory") from error


@dataclass(slots=True, kw_only=True)
class _Maker:
    """Registers what is said, block by block, and moves the clock."""

    directory: Path
    plan: Plan
    progress: Advance
    now: int = FOUNDED
    statements: int = 0
    _kept: int = 0
    _waiting: list[Said] = field(default_factory=list)

    def register(self, registrar: Registrar, play: Play) -> None:
        for answers in registrar.register_all(self._batches(play)):
            for answer in answers:
                if isinstance(answer, Refused):
                    raise RegistrationRefused(answer.findings)
            self.progress(self.statements, None)

    def _batches(self, play: Play) -> Iterator[list[bytes]]:
        for said in play:
            self._keep(said)
            if self._waiting and said.at > self._waiting[0].at + BLOCK_SECONDS:
                yield self._batch()
            self._waiting.append(said)
        if self._waiting:
            yield self._batch()

    def _batch(self) -> list[bytes]:
        """Take what waits, and set the clock to when its block is sealed."""
        batch, self._waiting = self._waiting, []
        self.now = batch[-1].at + 1
        self.statements += len(batch)
        return [said.raw for said in batch]

    def _keep(self, said: Said) -> None:
        if not said.disclosures:
            return
        folder = self.directory / DISCLOSURES / str(1 + self._kept // FILES_PER_FOLDER)
        folder.mkdir(parents=True, exist_ok=True)
        content = {"statement": said.id, "disclosures": list(said.disclosures)}
        (folder / f"{said.id}.disclosures.json").write_text(json.dumps(content) + "\n", encoding="utf-8")
        self._kept += 1


def _write_owners(path: Path, drawn: Plan, pen: Pen) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("identity", "owner"))
        writer.writerows(sorted((pen.signer(one.name).did, one.owner) for one in drawn.personas))
