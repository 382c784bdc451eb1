"""One batch before the rules: what is known already, what is refused and why, what is accepted in which order."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from pseudoledger.contract.book import Book
from pseudoledger.contract.ruleset import Court
from pseudoledger.contract.things import Pins
from pseudoledger.errors import Finding, MalformedError, StoreError
from pseudoledger.ledger.query import things_of
from pseudoledger.ledger.rows import EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.registrar.answers import Answer, Refused, Registered
from pseudoledger.registrar.founding import unfit_pins
from pseudoledger.registrar.intake import Taken
from pseudoledger.statement.envelope import Statement
from pseudoledger.statement.kinds import kind_of
from pseudoledger.statement.kinds.ledger import LedgerFounded
from pseudoledger.statement.payload import parse


class Sitting:
    """Judges the statements of one batch at one time, by the pins in force at the block before."""

    def __init__(self, store: Store, book: Book, time_ms: int, *, from_network: bool) -> None:
        ledger = book.ledger
        self._store, self._book, self._from_network = store, book, from_network
        self.time_ms = time_ms
        """T of the batch."""
        self._court = None if ledger is None else Court.sitting(book, ledger.pins, time_ms // 1000)
        self.accepted: dict[str, EntryRow] = {}
        """Accepted statements by id, in the order of their entries."""
        self.answers: list[Answer] = []
        """One for each statement that was heard."""

    @property
    def court(self) -> Court:
        """What judges; there is one as soon as something was accepted."""
        assert self._court is not None, "the founding, or the ledger that it founded, made one"
        return self._court

    def hear(self, taken: Sequence[Taken]) -> None:
        """Answer some statements that were read and verified; accepted ones are in the book at once."""
        statements = [item for item in taken if isinstance(item, Statement)]
        known = self._store.known([item.id for item in statements])
        if self._court is not None and len(statements) > 1:
            self._court.foresee((item.payload for item in statements), partial(things_of, self._store))
        answers = self.answers
        for item in taken:
            if isinstance(item, Refused):
                answers.append(item)
            elif item.id in known or item.id in self.accepted:
                answers.append(self._known(item))
            else:
                answers.append(self._judge(item))

    def _judge(self, statement: Statement) -> Answer:
        try:
            payload = parse(statement.payload) if self._court is None else self._court.read(statement.payload)
        except MalformedError as error:
            return Refused(id=statement.id, findings=error.findings)
        kind = kind_of(payload)
        if kind.name == "block.sealed" or (self._from_network and not kind.from_network):
            finding = Finding(
                code="statement.not_from_network",
                message=f"{kind.name} is signed by the ledger's own keys and never sent",
            )
            return Refused(id=statement.id, findings=(finding,))
        court = self._court
        if court is None:
            if not isinstance(payload, LedgerFounded):
                raise StoreError("the ledger was never founded")
            founded = Pins.of(payload.rules, payload.tables, payload.policy)
            court = self._court = Court.sitting(self._book, founded, self.time_ms // 1000)
        index = self._store.size + len(self.accepted)
        findings = unfit_pins(payload, court.rules) or court.admit(statement, payload, index)
        if findings:
            return Refused(id=statement.id, findings=findings)
        self.accepted[statement.id] = EntryRow(
            index=index, statement=statement.raw, id=statement.id, type=kind.name, issuer=statement.iss
        )
        return Registered(id=statement.id, index=index, known=False)

    def _known(self, statement: Statement) -> Answer:
        """Answer a statement that is known already: the same bytes the same way, others as a conflict."""
        stored = self.accepted.get(statement.id) or self._store.entry_by_id(statement.id)
        assert stored is not None, "the store said that it holds this id"
        if stored.statement == statement.raw:
            return Registered(id=stored.id, index=stored.index, known=True)
        finding = Finding(
            code="statement.other_signature",
            message="the same statement stands on the ledger under another signature",
            entry=stored.index,
        )
        return Refused(id=stored.id, findings=(finding,), stored=stored.index)
