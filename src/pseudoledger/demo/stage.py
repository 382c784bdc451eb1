"""The stage of the demo: a real ledger, parties with keys made from a seed, and a clock that is moved by hand.

Nothing is special about it: statements are sealed, signed and registered as anybody's are. The same seed
gives the same keys, salts, times and therefore the same ledger, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from pseudoledger.contract.book import Book
from pseudoledger.contract.ruleset import newest
from pseudoledger.contract.things import Lease, TermsInForce
from pseudoledger.errors import Finding, RegistrationRefused
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.keystore import Keystore
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Refused, Registrar
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.kinds.lease import Terms
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.payload import draft
from pseudoledger.statement.values import format_instant, instant_seconds

ORIGIN = "demo.pseudoledger.example/month"
DISCLOSURES = "out/disclosures"
"""Folder of what was opened to the auditor, in the demo's directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One line of the story: when, who, what, and whether the ledger refused it."""

    at: str
    who: str
    what: str
    refused: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed statement, and what opens its sealed fields."""

    raw: bytes
    disclosures: tuple[str, ...]


@dataclass(slots=True)
class Stage:
    """Everything that the scenes act on."""

    directory: Path
    seed: int
    tell: Callable[[Scene], None]
    now: int
    scenes: list[Scene] = field(default_factory=list)
    kept: dict[str, Signed] = field(default_factory=dict)
    """Statements with sealed fields, as their signers keep them."""
    handed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Disclosures that were handed to the auditor, by statement."""
    _drawn: int = 0
    _waiting: list[bytes] = field(default_factory=list)
    _registrar: Registrar | None = None
    _signers: dict[str, Signer] = field(default_factory=dict)

    @classmethod
    def build(
        cls, directory: Path, *, seed: int, start: str, tell: Callable[[Scene], None], origin: str = ORIGIN
    ) -> Stage:
        """Found a ledger in `directory`/ledger, with keys in `directory`/keys."""
        stage = cls(directory=directory, seed=seed, tell=tell, now=instant_seconds(start))
        (directory / "out").mkdir(parents=True)
        signer = stage.signer("ledger")
        stage._registrar = Registrar.found(
            directory / "ledger",
            origin=origin,
            founder=stage.signer("founder"),
            signer=signer,
            last_signed=LastSigned.create(directory / "keys" / "ledger.last-signed"),
            clock=lambda: stage.now * 1000,
            policy=Policy.model_validate(
                {
                    "admission": "open",
                    "attestors": (),
                    "open_max": 100,
                    "commission_cap_bps": 500,
                    "max_age_seconds": 30 * 86_400,
                    "clock": "simulated",
                }
            ),
            nonce=stage.random(32),
        )
        stage.note("founder", f"founded the ledger {origin}")
        return stage

    @property
    def registrar(self) -> Registrar:
        """The writer of the ledger."""
        assert self._registrar is not None, "the stage was built"
        return self._registrar

    @property
    def book(self) -> Book:
        """The book as of the last block."""
        return self.registrar.book

    def terms(self, lease_id: str) -> Terms:
        """Return the newest terms of a lease."""
        lease = self.book.get(Lease, lease_id)
        held = self.book.get(TermsInForce, lease.versions[-1].terms) if lease else None
        assert held is not None, "the demo names leases that it made"
        return held.payload

    @property
    def ledger_id(self) -> str:
        """Statement id of the founding."""
        return self.registrar.state.id

    def signer(self, who: str) -> Signer:
        """Return a party's key, made from the seed and kept unsealed in the demo's keystore."""
        if who not in self._signers:
            secret = sha256(f"pseudoledger/demo/key\0{self.seed}\0{who}".encode()).digest()
            Keystore(self.directory / "keys").create_key(who, passphrase=None, seed=secret)
            self._signers[who] = Signer.from_seed(secret)
        return self._signers[who]

    def did(self, who: str) -> str:
        """Return a party's did."""
        return self.signer(who).did

    def name(self, did: str) -> str:
        """Return what the demo calls a party."""
        return next(who for who, signer in self._signers.items() if signer.did == did)

    def random(self, count: int) -> bytes:
        """Return bytes that the seed alone decides: good for a demo, and for nothing else."""
        self._drawn += 1
        stream = b"".join(
            sha256(f"pseudoledger/demo/salt\0{self.seed}\0{self._drawn}\0{block}".encode()).digest()
            for block in range(count // 32 + 1)
        )
        return stream[:count]

    @property
    def time(self) -> str:
        """What the clock shows."""
        return format_instant(self.now)

    def until(self, moment: str) -> None:
        """Move the clock forward to an instant."""
        at = instant_seconds(moment)
        assert at >= self.now, "the clock never steps back"
        self.now = at

    def sign(self, who: str, tree: dict[str, Any], sub: str | None = None) -> bytes:
        """Seal and sign a statement as a party does at home."""
        return self._seal(who, tree, sub).raw

    def _seal(self, who: str, tree: dict[str, Any], sub: str | None) -> Signed:
        signer = self.signer(who)
        tree = {"v": newest().version_of(tree["type"]), **tree}
        ready = sealed.seal(tree, aud=self.ledger_id, iss=signer.did, random=self.random)
        raw = envelope.sign(
            signer, draft(ready.tree), sub=sub or signer.did, aud=self.ledger_id, iat=self.now
        )
        return Signed(raw=raw, disclosures=tuple(ready.disclosures))

    def act(self, who: str, tree: dict[str, Any], sub: str | None = None, *, says: str = "") -> str:
        """Register a statement and return its id; raise RegistrationRefused if the ledger refuses it."""
        signed = self._seal(who, tree, sub)
        (answer,) = self.registrar.register([signed.raw])
        if isinstance(answer, Refused):
            raise RegistrationRefused(answer.findings)
        if signed.disclosures:
            self.kept[answer.id] = signed
        if says:
            self.note(who, says)
        self.now += 60
        return answer.id

    def write(self, who: str, tree: dict[str, Any], sub: str | None = None) -> str:
        """Sign a statement that `deliver` registers, together with others; return its id."""
        signed = self._seal(who, tree, sub)
        ref = envelope.decode(signed.raw).id
        if signed.disclosures:
            self.kept[ref] = signed
        self._waiting.append(signed.raw)
        return ref

    def deliver(self) -> None:
        """Register what was written, in one block; raise RegistrationRefused for the first that is refused."""
        waiting, self._waiting = self._waiting, []
        for answer in self.registrar.register(waiting):
            if isinstance(answer, Refused):
                raise RegistrationRefused(answer.findings)

    def refused(self, who: str, tree: dict[str, Any], sub: str | None = None, *, says: str) -> None:
        """Register a statement that the ledger has to refuse, and show why it does."""
        (answer,) = self.registrar.register([self.sign(who, tree, sub)])
        assert isinstance(answer, Refused), "the rules refuse this"
        self._add(Scene(at=format_instant(self.now), who=who, what=says, refused=answer.findings))
        self.now += 60

    def introduce(self, *parties: str) -> None:
        """Let parties say how they want to be called."""
        for who in parties:
            self.act(who, {"type": "identity.declared", "label": who, "contact": f"desk@{who}.example"})

    def hand_over(self, statement: str, fields: Sequence[str]) -> tuple[str, ...]:
        """Write the disclosures of some sealed fields for a reader; return them."""
        signed = self.kept[statement]
        read = envelope.decode(signed.raw)
        held = {sealed.open_field(read, text).pointer: text for text in signed.disclosures}
        texts = tuple(held[pointer] for pointer in sorted(fields))
        self.handed[statement] = texts
        folder = self.directory / DISCLOSURES
        folder.mkdir(exist_ok=True)
        content = {"statement": statement, "disclosures": list(texts)}
        (folder / f"{statement}.disclosures.json").write_text(
            json.dumps(content, indent=1) + "\n", encoding="utf-8"
        )
        return texts

    def note(self, who: str, what: str) -> None:
        """Add a line to the story."""
        self._add(Scene(at=format_instant(self.now), who=who, what=what))

    def _add(self, scene: Scene) -> None:
        self.scenes.append(scene)
        self.tell(scene)
