# ruff: noqa: ARG002 - every kind is read with the same two arguments
"""What brokers may take, worked out from the accepted statements alone: no rule, fold or derived fact is used.

A commission is a fraction of what was accepted of an invoice, net and less its credits, as that stood when the
broker billed it; it is rounded half to even to the minor unit (formats §9). A credit note that comes later lowers
what other brokers may bill, not what was billed: the broker has to credit that itself.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction

from pseudoledger.statement.values import instant_seconds, length_seconds


@dataclass(slots=True)
class MandateFacts:
    """What a principal lets a broker do, and for how much."""

    principal: str
    broker: str
    bps: int
    scope: tuple[str, ...]
    until: int
    released_at: int | None = None

    def in_force(self, now):
        return self.released_at is None and now < self.until


@dataclass(slots=True)
class TermsFacts:
    """The mandates that terms show, and the cap on all of them when the terms were proposed."""

    shown: tuple[str, ...]
    cap: int
    proposed_at: int
    start: int
    parties: tuple[str, str]
    silence: int
    """For how many seconds an invoice waits for an answer."""
    replaces: str | None = None


@dataclass(slots=True)
class BillFacts:
    """An invoice of the lessor, or of a broker for its commission."""

    issuer: str
    contract: str
    net: int
    total: int
    issued_at: int
    mandate: str | None = None
    about: str | None = None
    base: int = 0
    """For a commission: its base when it was billed."""
    base_was_answered: bool = False
    credited: int = 0
    rejected: int | None = None
    """What of the total a rejection and decisions since let stand; None where nothing was rejected."""
    answered: bool = False
    cancelled: bool = False

    @property
    def stands(self):
        """What is billed and neither cancelled nor credited, net."""
        return 0 if self.cancelled else self.net - self.credited


class BrokerModel:
    """Facts of a ledger with brokers, and invoices over leases."""

    def __init__(self):
        self.cap = 0
        self.mandates, self.terms, self.bills = {}, {}, {}
        self.disputes = {}
        self.acts = []
        """Bids and matches of brokers: (who, mandate, scope, when)."""

    def read(self, item):
        """Take in one accepted statement."""
        fold = getattr(self, "_" + item.payload.type.replace(".", "_"), None)
        if fold:
            fold(item, item.payload)

    # What follows from the facts.

    def base(self, ref):
        """What commission on an invoice is due on now: its accepted net, less credits."""
        bill = self.bills[ref]
        left = bill.net - bill.credited
        if bill.rejected is None:
            return left
        return min(left, round(Fraction(bill.rejected * bill.net, max(1, bill.total))))

    def is_answered(self, ref, now):
        """Whether the payer or an arbiter has spoken, or silence may have; a dispute makes silence wait longer."""
        bill = self.bills[ref]
        return bill.answered or now >= bill.issued_at + self.terms[bill.contract].silence

    def is_owed(self, mandate, ref, broker):
        """Whether a broker may certainly bill commission on an invoice now: it was answered, and never billed."""
        bill = self.bills[ref]
        before = [other for other in self.commissions()[ref] if other.mandate == mandate]
        return (
            bill.about is None
            and bill.answered
            and not bill.cancelled
            and mandate in self.terms[bill.contract].shown
            and self.mandates[mandate].broker == broker
            and all(other.cancelled for other in before)
        )

    def exact_share(self, mandate, base):
        return Fraction(base * self.mandates[mandate].bps, 10_000)

    def due(self, mandate, ref):
        """What a broker may bill now, if it has not yet."""
        return round(self.exact_share(mandate, self.base(ref)))

    def commissions(self):
        """Every commission that was ever billed, by the invoice that it is about."""
        found = defaultdict(list)
        for bill in self.bills.values():
            if bill.about is not None:
                found[bill.about].append(bill)
        return found

    # Statements.

    def _ledger_founded(self, item, said):
        self.cap = said.policy.commission_cap_bps

    def _ledger_policy_changed(self, item, said):
        self.cap = said.policy.commission_cap_bps

    def _broker_mandated(self, item, said):
        self.mandates[item.statement.id] = MandateFacts(
            principal=item.statement.iss,
            broker=said.broker,
            bps=said.commission_bps,
            scope=said.scope,
            until=instant_seconds(said.until),
        )

    def _broker_released(self, item, said):
        self.mandates[item.statement.sub].released_at = item.now

    def _bid_placed(self, item, said):
        if said.mandate is not None:
            self.acts.append((item.statement.iss, said.mandate, "bid", item.now))
            assert self.mandates[said.mandate].in_force(item.now)

    def _match_proposed(self, item, said):
        for mandate in said.mandates:
            self.acts.append((item.statement.iss, mandate, "propose", item.now))
            assert self.mandates[mandate].in_force(item.now)

    def _lease_proposed(self, item, said, *, replaces=None, start=None):
        self.terms[item.statement.id] = TermsFacts(
            shown=tuple(shown.mandate for shown in said.terms.mandates),
            cap=self.cap,
            proposed_at=item.now,
            start=said.terms.period.start_seconds if start is None else start,
            parties=(said.terms.lessor, said.terms.lessee),
            silence=length_seconds(said.terms.accept_within.invoice),
            replaces=replaces,
        )
        carried = self.terms[replaces].shown if replaces else ()
        for shown in said.terms.mandates:
            held = self.mandates[shown.mandate]
            assert held.in_force(item.now) or shown.mandate in carried
            assert (held.broker, held.bps) == (shown.broker, shown.commission_bps)
            assert held.broker not in (said.terms.lessor, said.terms.lessee)

    def _amendment_proposed(self, item, said):
        self._lease_proposed(item, said, replaces=said.replaces, start=instant_seconds(said.effective_from))

    def _invoice_issued(self, item, said):
        bill = BillFacts(
            issuer=item.statement.iss,
            contract=said.contract,
            net=said.net_minor,
            total=said.total_minor,
            issued_at=item.now,
        )
        if said.commission is not None:
            bill.mandate, bill.about = said.commission.mandate, said.commission.invoice
            bill.base = self.base(bill.about)
            bill.base_was_answered = self.is_answered(bill.about, item.now)
        self.bills[item.statement.id] = bill

    def _invoice_accepted(self, item, said):
        self.bills[item.statement.sub].answered = True

    def _invoice_rejected(self, item, said):
        bill = self.bills[item.statement.sub]
        bill.answered, bill.rejected = True, said.accepted_minor

    def _invoice_cancelled(self, item, said):
        self.bills[item.statement.sub].cancelled = True

    def _credit_issued(self, item, said):
        self.bills[item.statement.sub].credited += said.net_minor

    def _dispute_opened(self, item, said):
        self.disputes[item.statement.id] = [said.matter.ref, item.statement.iss, said.matter.amount]

    def _dispute_answered(self, item, said):
        self._settle(item.statement.sub, said.admitted, said.admitted)

    def _dispute_decided(self, item, said):
        self._settle(item.statement.sub, self.disputes[item.statement.sub][2], said.awarded)

    def _settle(self, dispute, part, given):
        """Of a part in dispute, so much goes to who opened it; what the issuer gets is accepted by this."""
        about, by, left = self.disputes[dispute]
        self.disputes[dispute][2] = left - part
        bill = self.bills.get(about)
        if bill is None or not part:
            return
        bill.answered = True
        if bill.rejected is not None:
            bill.rejected = min(bill.total, bill.rejected + (given if by == bill.issuer else part - given))
