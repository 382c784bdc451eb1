"""A lease played step by step, each step with all that has to come before it.

Lease: START + 1 day to START + 61 days, 4 chips of line "h100", metered at 2.235 EUR an hour. Every step
returns the deal; ids stand in its attributes. Tests change terms with `Deal(terms={pointer: value})`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from play import papers
from play.papers import DAY, HOUR, START, changed
from play.table import Table, key
from pseudoledger.contract.things import Invoice, Lease, Usage

WEEK = 7 * DAY


class Deal:
    """Parties, papers and ids of one lease on one table."""

    def __init__(
        self,
        table: Table | None = None,
        *,
        terms: Mapping[str, Any] | None = None,
        offer: Mapping[str, Any] | None = None,
        name: str = "",
        proposer: str = "lessee",
    ) -> None:
        self.table = table or Table()
        self.lessor, self.lessee = key(f"lessor{name}"), key(f"lessee{name}")
        self.broker, self.stranger = key(f"broker{name}"), key(f"stranger{name}")
        self._terms, self._offer, self._proposer = dict(terms or {}), dict(offer or {}), proposer
        self.pool = self.offer = self.demand = self.mandate = self.lease = self.delivery = ""
        self.invoice = self.credit = self.payment = ""
        self.reports: list[str] = []
        self.start, self.until = START + DAY, START + 61 * DAY
        self.delivered_at = 0
        self._number = 0

    # What others need to write papers of their own.

    def number(self, letter: str) -> str:
        """A number not used before."""
        self._number += 1
        return f"{letter}-{self._number}"

    @property
    def proposer(self):
        return self.lessor if self._proposer == "lessor" else self.lessee

    @property
    def addressee(self):
        return self.lessee if self._proposer == "lessor" else self.lessor

    def terms(self, changes: Mapping[str, Any] | None = None) -> papers.Tree:
        """The terms of this deal, in the clear."""
        tree = papers.terms(self.lessor.did, self.lessee.did, self.offer)
        return changed(changed(tree, self._terms), changes or {})

    def proposal(self, changes: Mapping[str, Any] | None = None, **members: Any) -> papers.Tree:
        """The proposal of this deal; it answers the offer, or the demand where the lessor proposes."""
        answers = self.demand if self._proposer == "lessor" else self.offer
        tree = papers.proposal(self.terms(), answers, self.table.now + 5 * DAY, **members)
        return changed(tree, changes or {})

    def usage(self, week: int = 0, share: float = 1.0, **changes: Any) -> papers.Tree:
        """The report of one week since delivery; `share` of the four chips were in use throughout."""
        start = self.delivered_at + week * WEEK
        reading = int((week + share) * 4 * WEEK)
        return papers.usage("h100", start, start + WEEK, reading, **changes)

    def invoice_of(self, lines: list[papers.Tree], **members: Any) -> papers.Tree:
        """An invoice over lines, under the first terms."""
        options = {
            "number": self.number("I"),
            "start": self.start,
            "until": self.until,
            "contract": self.lease,
            "due": self.table.now + 14 * DAY,
        }
        known = {name: members.pop(name) for name in tuple(members) if name in options}
        return papers.invoice(lines, **{**options, **known}, **members)

    @property
    def total(self) -> int:
        """What the invoice of one whole week comes to."""
        net = papers.net_of(2_235_000, 4 * WEEK)
        return net + papers.half_even(papers.Fraction(net * 1900, 10_000))

    # Steps.

    def offered(self) -> Deal:
        if not self.offer:
            self.pool = self.table.act(self.lessor, papers.pool())
            tree = changed(papers.offer(self.pool), self._offer)
            self.offer = self.table.act(self.lessor, tree)
        return self

    def demanded(self) -> Deal:
        if not self.demand:
            self.demand = self.table.act(self.lessee, papers.demand())
        return self

    def mandated(self, principal: str = "lessor") -> Deal:
        if not self.mandate:
            who = self.lessor if principal == "lessor" else self.lessee
            self.mandate = self.table.act(who, papers.mandate(self.broker.did))
        return self

    def proposed(self) -> Deal:
        if not self.lease:
            self.offered()
            if self._proposer == "lessor":
                self.demanded()
            self.lease = self.table.act(self.proposer, self.proposal())
        return self

    def signed(self) -> Deal:
        self.proposed()
        if self.table.book.get(Lease, self.lease).state == "proposed":
            self.table.act(self.addressee, papers.simple("lease.signed"), self.lease)
        return self

    def running(self) -> Deal:
        """Signed, and its period has begun."""
        self.signed()
        self.table.at(max(self.table.now, self.start))
        return self

    def handed_over(self) -> Deal:
        """A delivery waits for an answer."""
        if not self.delivery:
            self.running()
            self.delivery = self.table.act(self.lessor, papers.delivery(("h100", 4)), self.lease)
        return self

    def delivered(self) -> Deal:
        if not self.delivered_at:
            self.handed_over()
            self.table.act(
                self.lessee, papers.simple("delivery.accepted", delivery=self.delivery), self.lease
            )
            self.delivered_at = self.table.now
        return self

    def reported(self, weeks: int = 1) -> Deal:
        """So many weekly reports stand, the last one unanswered."""
        self.delivered()
        while len(self.reports) < weeks:
            week = len(self.reports)
            self.table.at(max(self.table.now, self.delivered_at + (week + 1) * WEEK + HOUR))
            self.reports.append(self.table.act(self.lessor, self.usage(week), self.lease))
        return self

    def confirmed(self) -> Deal:
        self.reported()
        usage = self.table.book.get(Usage, self.reports[-1])
        if usage.state == "reported":
            self.table.act(self.lessee, papers.simple("usage.confirmed", report=self.reports[-1]), self.lease)
        return self

    def invoiced(self) -> Deal:
        if not self.invoice:
            self.confirmed()
            line = papers.usage_line([self.reports[-1]], 4 * WEEK)
            self.invoice = self.table.act(self.lessor, self.invoice_of([line]), self.lease)
        return self

    def accepted(self) -> Deal:
        self.invoiced()
        if self.table.book.get(Invoice, self.invoice).state == "issued":
            self.table.act(self.lessee, papers.simple("invoice.accepted"), self.invoice)
        return self

    def paying(self, amount: int | None = None, reference: str = "RF1") -> papers.Tree:
        """A payment of this invoice by the lessee."""
        settles = [("invoice", self.invoice, self.total if amount is None else amount)]
        return papers.payment(self.lessor.did, settles, reference=reference, number=self.number("Z"))

    def paid(self) -> Deal:
        """A payment of the whole invoice is declared."""
        if not self.payment:
            self.accepted()
            self.payment = self.table.act(self.lessee, self.paying())
        return self

    def settled(self) -> Deal:
        self.paid()
        self.table.act(self.lessor, papers.simple("payment.confirmed"), self.payment)
        return self
