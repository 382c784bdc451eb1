"""A ledger in memory: signs, judges, folds and seals as the registrar does, without files or a real clock."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from typing import Any

from play.papers import START
from pseudoledger.contract.book import Book
from pseudoledger.contract.case import Case
from pseudoledger.contract.ruleset import NEWEST, RuleSet, named, newest_tables, rules_for, tables_for
from pseudoledger.contract.things import Pins
from pseudoledger.errors import Finding, MalformedError
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.block import Link, block_bytes, check_block, read_block
from pseudoledger.ledger.tree import Frontier, hash_leaf
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds import KINDS, Payload, Subject, kind_of
from pseudoledger.statement.kinds.ledger import LedgerFounded, Policy
from pseudoledger.statement.payload import draft, parse

ORIGIN = "play.example/market"
KEYS: dict[str, Signer] = {}
"""Every signer that `key` made, by did."""


def key(name: str) -> Signer:
    """Return the fixed key of a name: the same name, the same key."""
    signer = Signer.from_seed(sha256(f"play {name}".encode()).digest())
    return KEYS.setdefault(signer.did, signer)


FOUNDER, LEDGER = key("founder"), key("ledger")

POLICY = {
    "admission": "open",
    "attestors": [],
    "open_max": 100,
    "commission_cap_bps": 1000,
    "max_age_seconds": 30 * 86_400,
    "clock": "simulated",
}


class MemoryShelf:
    """Stored things as bytes, in a dictionary: what the book reads is what it would read from the store."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], bytes] = {}

    def read(self, sort: str, key: str, /) -> bytes | None:
        return self.rows.get((sort, key))

    def things(self, sort: str, /):
        yield from sorted((key, raw) for (kept, key), raw in self.rows.items() if kept == sort)


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A statement that stands on the ledger."""

    index: int
    now: int
    time_ms: int
    statement: Statement
    payload: Payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A statement that was refused, with every reason."""

    findings: tuple[Finding, ...]

    @property
    def codes(self) -> frozenset[str]:
        return frozenset(finding.code for finding in self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Something that somebody could sign: who, what, about what; the rest as `Table.sign` has it."""

    who: Signer
    tree: dict[str, Any]
    sub: str | None = None
    options: dict[str, Any] = field(default_factory=dict)


class Table:
    """One ledger, founded at `start`. Times are Unix seconds; `later` turns the clock."""

    def __init__(
        self, *, start: int = START, policy: dict[str, Any] | None = None, rules: str = NEWEST
    ) -> None:
        self.shelf = MemoryShelf()
        self.book = Book(self.shelf)
        self.frontier = Frontier()
        self.history: list[Accepted] = []
        self.time_ms = start * 1000
        self._random = count(1)
        pinned = named(rules)
        founding = {
            "type": "ledger.founded",
            "v": 1,
            "origin": ORIGIN,
            "nonce": "00" * 32,
            "ledger_key": LEDGER.did,
            "rules": {"name": pinned.name, "sha256": pinned.sha256},
            "tables": [{"name": name, "sha256": sha} for name, sha in newest_tables()],
            "mode": "single",
            "policy": {**POLICY, **(policy or {})},
        }
        raw = envelope.sign(FOUNDER, draft(founding), sub=ORIGIN, aud=None, iat=start)
        self.founding = raw
        self.submit(raw)

    # Time.

    @property
    def now(self) -> int:
        return self.time_ms // 1000

    def later(self, seconds: int) -> Table:
        self.time_ms += seconds * 1000
        return self

    def at(self, seconds: int) -> Table:
        assert seconds * 1000 >= self.time_ms, "the clock never steps back"
        self.time_ms = seconds * 1000
        return self

    # Signing.

    @property
    def id(self) -> str:
        """The ledger's id."""
        return self.history[0].statement.id

    def random(self, size: int) -> bytes:
        """Bytes never given before, the same in every run."""
        return sha256(f"salt {next(self._random)}".encode()).digest()[:size]

    def seal(self, who: Signer, tree: dict[str, Any], clear: frozenset[str] = frozenset()) -> Any:
        """Seal the sealable fields of a payload in the clear."""
        return sealed.seal(copy.deepcopy(tree), aud=self.id, iss=who.did, random=self.random, clear=clear)

    def subject(self, who: Signer, tree: dict[str, Any]) -> str:
        """What `sub` is where the kind alone decides it."""
        subject = KINDS[tree["type"], tree["v"]].subject
        if subject is Subject.ORIGIN:
            return ORIGIN
        if subject is Subject.IDENTITY:
            return self.book.root_of(who.did)
        assert subject is Subject.ISSUER, f"{tree['type']} is about {subject.value}: say which"
        return who.did

    def sign(
        self,
        who: Signer,
        tree: dict[str, Any],
        sub: str | None = None,
        *,
        iat: int | None = None,
        exp: int | None = None,
        aud: str | None = "",
        clear: frozenset[str] = frozenset(),
        sealed_already: bool = False,
    ) -> bytes:
        """Sign a payload in the clear; raise MalformedError if it is none."""
        if not sealed_already:
            tree = self.seal(who, tree, clear).tree
        return envelope.sign(
            who,
            draft(tree),
            sub=self.subject(who, tree) if sub is None else sub,
            aud=self.id if aud == "" else aud,
            iat=self.now if iat is None else iat,
            exp=exp,
        )

    # Registering.

    def submit(self, *raws: bytes) -> list[Accepted | Refusal]:
        """Register statements as one batch: one time, and one block over what was accepted."""
        before = len(self.history)
        answers = [self._admit(raw) for raw in raws]
        if len(self.history) > before:
            self._seal_block()
        return answers

    def act(self, who: Signer, tree: dict[str, Any], sub: str | None = None, **options: Any) -> str:
        """Sign and register what has to be accepted; return its id."""
        (answer,) = self.submit(self.sign(who, tree, sub, **options))
        assert isinstance(answer, Accepted), "; ".join(map(str, answer.findings))
        return answer.statement.id

    def findings(
        self, who: Signer, tree: dict[str, Any], sub: str | None = None, **options: Any
    ) -> tuple[Finding, ...]:
        """Say why a statement would be refused now; nothing changes."""
        try:
            raw = self.sign(who, tree, sub, **options)
        except MalformedError as error:
            return error.findings
        try:
            case = self.case(raw)
        except MalformedError as error:
            return error.findings
        return rules_of(case).judge(case)

    def codes(
        self, who: Signer, tree: dict[str, Any], sub: str | None = None, **options: Any
    ) -> frozenset[str]:
        """The codes of `findings`."""
        return frozenset(finding.code for finding in self.findings(who, tree, sub, **options))

    def try_out(self, attempt: Attempt) -> frozenset[str]:
        """The codes with which an attempt would be refused now; nothing changes."""
        return self.codes(attempt.who, attempt.tree, attempt.sub, **attempt.options)

    def case(self, raw: bytes, *, index: int | None = None) -> Case:
        """Put a statement before the book: decoded, verified and parsed."""
        statement = envelope.decode(raw)
        statement.verify()
        ledger = self.book.ledger
        known = KINDS if ledger is None else rules_for(ledger.pins).kinds
        payload = parse(statement.payload, known)
        return self._case(statement, payload, len(self.history) if index is None else index)

    def _case(self, statement: Statement, payload: Payload, index: int) -> Case:
        pins = _pins(self.book, payload)
        return Case(
            book=self.book,
            statement=statement,
            payload=payload,
            now=self.now,
            index=index,
            tables=tables_for(pins),
            policy=pins.read_policy(),
        )

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        ledger = self.book.ledger
        assert ledger is not None
        return ledger.pins.read_policy()

    def _admit(self, raw: bytes) -> Accepted | Refusal:
        try:
            case = self.case(raw)
        except MalformedError as error:
            return Refusal(findings=error.findings)
        if not kind_of(case.payload).from_network and case.statement.iss != FOUNDER.did:
            return Refusal(findings=(Finding(code="statement.not_from_network", message="ledger's own"),))
        rules = rules_of(case)
        findings = rules.judge(case)
        if findings:
            return Refusal(findings=findings)
        rules.fold(case)
        return self._append(case.statement, case.payload)

    def _append(self, statement: Statement, payload: Payload) -> Accepted:
        accepted = Accepted(
            index=len(self.history),
            now=self.now,
            time_ms=self.time_ms,
            statement=statement,
            payload=payload,
        )
        self.history.append(accepted)
        self.frontier.append(hash_leaf(statement.raw))
        return accepted

    def _seal_block(self) -> None:
        ledger = self.book.ledger
        assert ledger is not None
        index, root = len(self.history), self.frontier.root()
        link = Link(
            ledger_id=ledger.id,
            origin=ledger.origin,
            ledger_key=ledger.pending_key or ledger.ledger_key,
            height=ledger.height,
            previous=ledger.last_block,
            time_ms=ledger.time_ms,
            size=ledger.size,
        )
        payload = read_block(block_bytes(link, time_ms=self.time_ms, size=index, root=root))
        raw = envelope.sign(KEYS[link.ledger_key], payload, sub=ORIGIN, aud=ledger.id, iat=self.now)
        statement = envelope.decode(raw)
        check_block(statement, payload, link, index=index, root=root)
        rules_for(ledger.pins).fold(self._case(statement, payload, index))
        self._append(statement, payload)
        self._commit()

    def _commit(self) -> None:
        self.shelf.rows.update({(sort, key): raw for sort, key, raw in self.book.changes()})
        self.book.committed()

    def reopen(self) -> Table:
        """Forget what the book holds in memory: all is read from the shelf again."""
        self.book = Book(self.shelf)
        return self

    def replayed(self) -> dict[tuple[str, str], bytes]:
        """Judge and fold the whole history anew; return every thing that comes out."""
        fresh = copy.copy(self)
        fresh.shelf = MemoryShelf()
        fresh.book = Book(fresh.shelf)
        for item in self.history:
            fresh.time_ms = item.time_ms
            case = fresh._case(item.statement, item.payload, item.index)
            rules = rules_of(case)
            assert rules.judge(case) == (), f"entry {item.index} is refused when replayed"
            rules.fold(case)
            if item.payload.type == "block.sealed":
                fresh._commit()
        return fresh.shelf.rows


def rules_of(case: Case) -> RuleSet:
    """The rule set that judges a case: the one in force, the one that a founding names, or else the newest."""
    if case.book.ledger is None and not isinstance(case.payload, LedgerFounded):
        return named(NEWEST)
    return rules_for(_pins(case.book, case.payload))


def _pins(book: Book, payload: Payload) -> Pins:
    ledger = book.ledger
    if ledger is not None:
        return ledger.pins
    assert isinstance(payload, LedgerFounded)
    return Pins.of(payload.rules, payload.tables, payload.policy)
