"""The desk at which one command works: a ledger directory or a node, a keystore and a clock.

Reading opens the store without any right to change it; writing opens the registrar, for which the keystore has
to hold the ledger key. Over a node both go through its client. On a ledger founded with a simulated clock the time is what PSEUDOLEDGER_NOW says, or
that of the last block.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import typer

from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.nodes import Place, ThroughNode, open_client
from pseudoledger.cli.values import instant
from pseudoledger.contract.book import Book
from pseudoledger.contract.ruleset import RuleSet, rules_for, tables_for
from pseudoledger.contract.tables import Tables
from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import KeystoreError, PeerUnreachable, StoreError, VerificationError
from pseudoledger.identity import files
from pseudoledger.identity.keyfile import check_name
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.keystore import KeyInfo, Keystore, keys_directory
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.store import Store
from pseudoledger.node.ledgers import DirectoryLedger, Ledger, NodeLedger
from pseudoledger.registrar import Answer, Registrar
from pseudoledger.statement import envelope, payload, sealed
from pseudoledger.statement.kinds import KINDS, Subject

NOW = "PSEUDOLEDGER_NOW"
PASSPHRASE = "PSEUDOLEDGER_PASSPHRASE"  # noqa: S105 - the name of the variable
FILE_BYTES_MAX = 64 * 1024 * 1024
"""Largest file that a command reads whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signed statement and the disclosures of its sealed fields."""

    raw: bytes
    id: str
    kind: str
    issuer: str
    disclosures: tuple[str, ...]


class Desk:
    """What one command holds. Close it when the command is done."""

    def __init__(self, place: Place | Path | None, environ: Mapping[str, str] = os.environ) -> None:
        self.place = place if isinstance(place, Place) else Place(directory=place)
        self._environ = environ
        self._stack = contextlib.ExitStack()
        self.keystore = Keystore(keys_directory(environ))

    def close(self) -> None:
        """Let everything go. Idempotent."""
        self._stack.close()
        self.__dict__.pop("ledger", None)
        self.__dict__.pop("book", None)

    @property
    def directory(self) -> Path:
        """The ledger directory; raise WrongUse if none was named."""
        if self.place.node is not None:
            raise WrongUse("this needs the ledger's own directory, not a node", hint="add --ledger DIR")
        if self.place.directory is None:
            raise WrongUse(
                "no ledger is named", hint="add --ledger DIR or --node URL, or set PSEUDOLEDGER_DIR"
            )
        return self.place.directory

    @property
    def named(self) -> bool:
        """Whether a ledger was named at all."""
        return self.place != Place()

    # Reading

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, opened to read from."""
        if self.place.node is None:
            store = Store.open_reader(self.directory)
            self._stack.callback(store.close)
            return DirectoryLedger(store)
        client = open_client(self.place, self.keystore.directory, self._environ)
        self._stack.callback(client.close)
        return NodeLedger(client)

    @property
    def store(self) -> Store:
        """The store of a ledger directory; raise WrongUse over a node."""
        ledger = self.ledger
        if isinstance(ledger, NodeLedger):
            raise WrongUse("this needs the ledger's own directory, not a node", hint="add --ledger DIR")
        return ledger.store

    @cached_property
    def book(self) -> Book:
        """The book as of the last block."""
        return Book(self.ledger)

    @property
    def state(self) -> LedgerState:
        """The ledger's own state."""
        state = self.book.ledger
        if state is None:
            raise StoreError(f"{self.place}: the ledger was never founded", hint="found it anew: pl init")
        if isinstance(self.ledger, NodeLedger) and state.id != self.ledger.client.known.ledger:
            raise VerificationError(
                f"{self.place} tells of two ledgers: {state.id} and the one that it proves"
            )
        return state

    @property
    def rules(self) -> RuleSet:
        """The rule set in force; raise CannotJudge if this program does not have it."""
        return rules_for(self.state.pins)

    @cached_property
    def tables(self) -> Tables:
        """The ledger's tables."""
        return tables_for(self.state.pins)

    @property
    def simulated(self) -> bool:
        """Whether the ledger's clock is simulated."""
        return self.state.pins.read_policy().clock == "simulated"

    def clock(self) -> int:
        """Return the time in milliseconds: the system's, or what a simulated ledger is told."""
        said = self._environ.get(NOW)
        if not self.simulated:
            if said:
                raise WrongUse(
                    f"{NOW} is set, but this ledger's clock is the system's",
                    hint=f"unset {NOW}; only a ledger founded with --simulated-clock takes its time from it",
                )
            return int(time.time() * 1000)
        return instant(said, NOW) * 1000 if said else self.state.time_ms

    def steady_clock(self) -> Callable[[], int]:
        """Return a clock that reads nothing: the system's, or the time that a simulated ledger has now."""
        at = self.clock()
        return (lambda: at) if self.simulated else (lambda: int(time.time() * 1000))

    def found_clock(self, *, simulated: bool) -> Callable[[], int]:
        """Return the clock of a ledger that is about to be founded."""
        said = self._environ.get(NOW)
        if said and not simulated:
            raise WrongUse(
                f"{NOW} is set, but the ledger would take the system's time",
                hint=f"unset {NOW}, or add --simulated-clock",
            )
        if said:
            return lambda: instant(said, NOW) * 1000
        return lambda: int(time.time() * 1000)

    @property
    def now(self) -> int:
        """The ledger's present time in seconds: never before its last block."""
        return max(self.clock(), self.state.time_ms) // 1000

    # Keys

    def signer(self, name: str) -> Signer:
        """Open a key by its name, asking for its passphrase if it is sealed."""
        self.key(name)
        return self.keystore.open(name, self.ask)

    def key(self, name: str) -> KeyInfo:
        """Return what a named key file tells; raise WrongUse, with names that are near, if there is none."""
        try:
            return self.keystore.info(name)
        except KeystoreError as error:
            if name in {info.name for info in self.keystore.list()}:
                raise
            raise WrongUse(error.message, hint=error.hint) from None

    def new_name(self, name: str) -> str:
        """Return a name for a new key; raise WrongUse if it is none, or taken."""
        try:
            check_name(name)
        except KeystoreError as error:
            raise WrongUse(error.message, hint=error.hint) from None
        if name in {info.name for info in self.keystore.list()}:
            raise WrongUse(
                f"there is a key named {name} already", hint="choose another name; keys are never overwritten"
            )
        return name

    def ask(self, name: str) -> str:
        """Return the passphrase of a key file: from the environment, or from the person at the terminal."""
        said = self._environ.get(PASSPHRASE)
        if said is not None:
            return said
        if not sys.stdin.isatty():
            raise KeystoreError(
                f"the key {name} is sealed and there is no terminal to ask for its passphrase",
                hint=f"set {PASSPHRASE}, or run this in a terminal",
            )
        return str(typer.prompt(f"Passphrase of {name}", hide_input=True, err=True))

    def new_passphrase(self, name: str, *, unsealed: bool) -> str | None:
        """Return the passphrase for a new key file; None to leave it unsealed."""
        if unsealed:
            return None
        said = self._environ.get(PASSPHRASE)
        if said is not None:
            return said
        if not sys.stdin.isatty():
            raise KeystoreError(
                f"the new key {name} needs a passphrase and there is no terminal to ask for one",
                hint=f"set {PASSPHRASE}, or add --unsealed to keep the key in the clear",
            )
        prompt = f"New passphrase of {name}"
        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True))

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of the keys held here, by did; empty where the keystore cannot be read."""
        with contextlib.suppress(KeystoreError):
            return {info.did: info.name for info in self.keystore.list() if info.did}
        return {}

    # Signing

    def sign(
        self,
        signer: Signer,
        tree: dict[str, Any],
        *,
        sub: str | None,
        clear: frozenset[str] = frozenset(),
    ) -> Signed:
        """Seal and sign one payload given in the clear, as of now.

        Raises WrongUse if `clear` names what is no sealable field of it: silence would seal what was to be read.
        """
        tree = self._versioned(tree)
        check_clear(clear, sealed.sealable_pointers(tree))
        kind = KINDS.get((str(tree["type"]), tree["v"]))
        state = self.state
        done = sealed.seal(tree, aud=state.id, iss=signer.did, random=os.urandom, clear=clear)
        drafted = payload.draft(done.tree)
        if sub is None:
            assert kind is not None, "seal refuses unknown kinds"
            if kind.subject is not Subject.ISSUER:
                raise WrongUse(
                    f"{kind.name} is about {kind.subject.value}: say which one", hint="add --about REF"
                )
            sub = signer.did
        raw = envelope.sign(signer, drafted, sub=sub, aud=state.id, iat=self.clock() // 1000)
        statement = envelope.decode(raw)
        return Signed(
            raw=raw,
            id=statement.id,
            kind=str(tree["type"]),
            issuer=signer.did,
            disclosures=done.disclosures,
        )

    def sign_all(
        self, signer: Signer, drafts: Sequence[tuple[dict[str, Any], str | None]], clear: frozenset[str]
    ) -> list[Signed]:
        """Sign payloads with their subjects; a pointer of `clear` has to name a field of one of them at least."""
        fields = [sealed.sealable_pointers(self._versioned(tree)) for tree, _ in drafts]
        check_clear(clear, frozenset().union(*fields))
        return [
            self.sign(signer, tree, sub=sub, clear=clear & own)
            for (tree, sub), own in zip(drafts, fields, strict=True)
        ]

    def _versioned(self, tree: dict[str, Any]) -> dict[str, Any]:
        return {"v": self.rules.version_of(str(tree.get("type"))), **tree}

    def keep(self, signed: Signed, path: Path) -> bool:
        """Write the disclosures of a statement to a private file; return False where there are none."""
        if not signed.disclosures:
            return False
        content = {"statement": signed.id, "disclosures": list(signed.disclosures)}
        try:
            files.make_private_directory(path.parent) if path.parent == self.disclosures else None
            files.create_private(path, (json.dumps(content, indent=1) + "\n").encode())
        except FileExistsError:
            raise WrongUse(f"{path} is there already", hint="choose another file name") from None
        return True

    @property
    def disclosures(self) -> Path:
        """Where the disclosures of statements registered from here are kept: beside the keys."""
        return self.keystore.directory / "disclosures"

    # Writing

    @contextlib.contextmanager
    def registrar(self) -> Iterator[Registrar]:
        """Open the registrar, for which this keystore has to hold the ledger key in force."""
        state = self.state
        wanted = state.pending_key or state.ledger_key
        try:
            info = self.keystore.find(wanted)
        except KeystoreError:
            raise KeystoreError(
                f"the ledger key {wanted} is not in {self.keystore.directory}: only its holder registers",
                hint="write the statement with -o FILE.scitt and hand it to the ledger's operator",
            ) from None
        signer = self.keystore.open(info.name, self.ask)
        clock = self.steady_clock()
        record = LastSigned(last_signed_path(self.keystore, info.name))
        self.close()
        with contextlib.ExitStack() as stack:
            stack.callback(record.close)
            writer = Registrar.open(self.directory, signer=signer, last_signed=record, clock=clock)
            yield stack.enter_context(writer)

    def register(self, statements: Sequence[bytes], *, dry_run: bool) -> list[Answer]:
        """Register statements, or say what registering them would answer."""
        with self.way_in() as way_in:
            return way_in.register(statements, dry_run=dry_run)

    @contextlib.contextmanager
    def way_in(self) -> Iterator[Registrar | ThroughNode]:
        """Open whatever registers: the registrar of a directory, or the node."""
        if isinstance(self.ledger, NodeLedger):
            yield ThroughNode(self.ledger.client)
        else:
            with self.registrar() as registrar:
                yield registrar


def check_clear(clear: frozenset[str], fields: frozenset[str]) -> None:
    """Raise WrongUse if a pointer names none of the sealable fields."""
    unknown = sorted(clear - fields)
    if unknown:
        raise WrongUse(
            f"--clear: {' and '.join(unknown)} {'names' if len(unknown) == 1 else 'name'} no sealable field",
            hint=f"it can be {', '.join(sorted(fields))}"
            if fields
            else "nothing in it is sealed: leave --clear out",
        )


def last_signed_path(keystore: Keystore, name: str) -> Path:
    """Return where the record of what a ledger key has signed is kept: beside the key."""
    return keystore.directory / f"{name}.last-signed"


def read_file(path: Path) -> bytes:
    """Return the bytes of a file; raise PeerUnreachable if it cannot be read, WrongUse if it is too large."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise WrongUse(f"{path} is larger than {FILE_BYTES_MAX} bytes")
        return path.read_bytes()
    except OSError as error:
        raise PeerUnreachable(f"{path}: {error.strerror}", hint="check the file's name and mode") from error


def write_file(path: Path, content: bytes) -> None:
    """Write a new file, through a part file so that it appears whole; raise WrongUse if it is there."""
    if path.exists():
        raise WrongUse(f"{path} is there already", hint="choose another file name")
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        missing = isinstance(error, FileNotFoundError)
        hint = "make the directory first" if missing else "check the directory's mode"
        raise PeerUnreachable(f"{path}: {error.strerror}", hint=hint) from error
