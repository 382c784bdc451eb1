"""What a market amounts to, worked out from its statements alone: no rule, fold or derived fact is used.

`MarketModel.read` takes in the accepted statements one by one; the methods then answer from these facts. It is
slow and plain on purpose: it is what the book is compared with.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from pseudoledger.statement.values import instant_seconds, length_seconds


@dataclass(slots=True)
class Taking:
    """Units of a pool's or head lease's line, taken by a lease."""

    lease: str
    place: tuple[str, str]
    offer: tuple[str, str] | None
    count: int
    start: int
    until: int


@dataclass(slots=True)
class LeaseFacts:
    """One lease: its terms over time, and what was signed under it."""

    id: str
    proposal: object
    versions: list = field(default_factory=list)
    signed_at: int | None = None
    ended_at: int | None = None
    amendments: dict = field(default_factory=dict)
    deliveries: dict = field(default_factory=dict)
    reports: dict = field(default_factory=dict)

    def terms_at(self, when):
        chosen = self.versions[0][1]
        for start, terms in self.versions:
            if start <= when:
                chosen = terms
        return chosen


class MarketModel:
    """Facts of a ledger."""

    def __init__(self) -> None:
        self.pools, self.offers, self.leases = {}, {}, {}
        self.takings: list[Taking] = []
        self.invoices, self.payments = {}, {}
        self.numbers = defaultdict(list)
        self.owner: dict[str, str] = {}
        self.handovers: dict[str, tuple[str, str]] = {}

    def read(self, item) -> None:
        """Take in one accepted statement."""
        name = "_" + item.payload.type.replace(".", "_")
        getattr(self, name, lambda *_: None)(item, item.payload)

    def root(self, did: str) -> str:
        return self.owner.get(did, did)

    # Identity.

    def _identity_rotated(self, item, said):
        self.handovers[item.statement.id] = (item.statement.sub, said.to)

    _identity_recovered = _identity_rotated

    def _identity_adopted(self, item, said):
        root, _ = self.handovers[said.handover]
        assert item.statement.iss not in self.owner
        self.owner[item.statement.iss] = root
        self.owner.setdefault(root, root)

    # Stock.

    def _pool_declared(self, item, said):
        self.pools[item.statement.id] = {line.id: line.count for line in said.lines}

    def _offer_published(self, item, said):
        self.offers[item.statement.id] = (said.pool, {line.id: line for line in said.lines})

    def _lease_proposed(self, item, said):
        lease = LeaseFacts(id=item.statement.id, proposal=said)
        lease.versions = [(said.terms.period.start_seconds, said.terms)]
        self.leases[lease.id] = lease

    def _lease_signed(self, item, _said):
        lease = self.leases[item.statement.sub]
        lease.signed_at = item.now
        self._take(lease, max(item.now, lease.versions[0][0]), lease.versions[0][1])

    def _take(self, lease, start, terms):
        for taking in self.takings:
            if taking.lease == lease.id:
                taking.until = min(taking.until, start)
        for line in terms.lines:
            if line.offer is not None:
                pool, lines = self.offers[line.offer]
                place, offer = (pool, lines[line.offer_line].pool_line), (line.offer, line.offer_line)
            else:
                place, offer = (line.head_lease, line.head_line), None
            until = terms.period.until_seconds
            self.takings.append(Taking(lease.id, place, offer, line.count, start, until))

    def _amendment_proposed(self, item, said):
        self.leases[item.statement.sub].amendments[item.statement.id] = said

    def _amendment_signed(self, item, said):
        lease = self.leases[item.statement.sub]
        amendment = lease.amendments[said.amendment]
        start = instant_seconds(amendment.effective_from)
        lease.versions.append((start, amendment.terms))
        self._take(lease, start, amendment.terms)

    def _lease_ended(self, item, _said):
        lease = self.leases[item.statement.sub]
        lease.ended_at = min(item.now, lease.versions[-1][1].period.until_seconds)
        for taking in self.takings:
            if taking.lease == lease.id:
                taking.until = min(taking.until, item.now)

    def oversold(self):
        """Find a moment at which more of a line is taken than there is; None if there is none."""
        moments = sorted({taking.start for taking in self.takings if taking.start < taking.until})
        for moment in moments:
            taken, of_offer = defaultdict(int), defaultdict(int)
            for taking in self.takings:
                if taking.start <= moment < taking.until:
                    taken[taking.place] += taking.count
                    of_offer[taking.offer] += taking.count
            for place, count in taken.items():
                if count > self._stock(place, moment):
                    return (place, moment, count)
            for offer, count in of_offer.items():
                if offer is not None and count > self.offers[offer[0]][1][offer[1]].count:
                    return (offer, moment, count)
        return None

    def _stock(self, place, moment):
        thing, line = place
        if thing in self.pools:
            return self.pools[thing][line]
        return sum(item.count for item in self.leases[thing].terms_at(moment).lines if item.id == line)

    # Delivery and usage.

    def _delivery_offered(self, item, said):
        lease = self.leases[item.statement.sub]
        silent = item.now + length_seconds(lease.terms_at(item.now).accept_within.delivery)
        lease.deliveries[item.statement.id] = {
            "lines": {line.line: line.count for line in said.lines},
            "by": silent,
            "since": None,
            "refused": False,
        }

    def _delivery_accepted(self, item, said):
        self.leases[item.statement.sub].deliveries[said.delivery]["since"] = item.now

    def _delivery_refused(self, item, said):
        self.leases[item.statement.sub].deliveries[said.delivery]["refused"] = True

    def room(self, lease, line, start, until, now):
        """Unit-seconds that a line can have had in a period, second by second at most its count."""
        total = 0
        for delivery in lease.deliveries.values():
            since = delivery["since"]
            if since is None:
                since = delivery["by"] if now >= delivery["by"] else None
            if since is not None and not delivery["refused"]:
                total += delivery["lines"].get(line, 0) * max(0, until - max(start, since))
        leased = sum(item.count for item in lease.terms_at(start).lines if item.id == line)
        return min(total, leased * (until - start))

    def _usage_reported(self, item, said):
        lease = self.leases[item.statement.sub]
        silent = item.now + length_seconds(lease.terms_at(said.period.start_seconds).accept_within.usage)
        if said.replaces:
            old = lease.reports[said.replaces]
            old["state"], base = "replaced", old["base"]
        else:
            base = sum(
                report["quantity"]
                for report in lease.reports.values()
                if report["line"] == said.line and report["state"] != "replaced"
            )
        lease.reports[item.statement.id] = {
            "line": said.line,
            "start": said.period.start_seconds,
            "until": said.period.until_seconds,
            "base": base,
            "quantity": said.chip_seconds - base,
            "state": "reported",
            "by": silent,
            "agreed": 0,
        }

    def _usage_confirmed(self, item, said):
        self.leases[item.statement.sub].reports[said.report]["state"] = "confirmed"

    def _usage_contested(self, item, said):
        report = self.leases[item.statement.sub].reports[said.report]
        report["state"], report["agreed"] = "contested", said.agreed_chip_seconds

    def in_force(self, lease, line):
        """Reports of a line that nothing replaced, in order of time."""
        found = (r for r in lease.reports.values() if r["line"] == line and r["state"] != "replaced")
        return sorted(found, key=lambda report: report["start"])

    # Billing.

    def _invoice_issued(self, item, said):
        self.invoices[item.statement.id] = {
            "said": said,
            "lease": item.statement.sub,
            "cancelled": False,
            "credits": [],
        }
        self.numbers[self.root(item.statement.iss)].append(said.number)

    def _invoice_cancelled(self, item, _said):
        self.invoices[item.statement.sub]["cancelled"] = True

    def _credit_issued(self, item, said):
        self.invoices[item.statement.sub]["credits"].append(said)
        self.numbers[self.root(item.statement.iss)].append(said.number)

    def _payment_declared(self, item, said):
        self.payments[item.statement.id] = {"said": said, "by": item.statement.iss, "state": "declared"}

    def _payment_confirmed(self, item, _said):
        self.payments[item.statement.sub]["state"] = "confirmed"

    def _payment_denied(self, item, _said):
        self.payments[item.statement.sub]["state"] = "denied"

    def credited(self, invoice_id):
        return sum(credit.total_minor for credit in self.invoices[invoice_id]["credits"])

    def paid(self, invoice_id, states=("declared", "confirmed")):
        """Payments of an invoice less refunds: a refund is what its lessor pays."""
        lease = self.leases[self.invoices[invoice_id]["lease"]]
        lessor = self.root(lease.proposal.terms.lessor)
        total = 0
        for payment in self.payments.values():
            sign = -1 if self.root(payment["by"]) == lessor else 1
            amounts = [s.amount_minor for s in payment["said"].settles if s.invoice == invoice_id]
            if payment["state"] in states:
                total += sign * sum(amounts)
        return total

    def open(self, invoice_id):
        return (
            self.invoices[invoice_id]["said"].total_minor - self.credited(invoice_id) - self.paid(invoice_id)
        )

    def references_in_use(self):
        return [
            (reference.scheme, reference.value)
            for payment in self.payments.values()
            if payment["state"] != "denied"
            for reference in payment["said"].references
        ]

    def billed(self):
        """Every (report, unit-seconds) of invoices that stand; the machine bills one report a line."""
        return [
            (line.reports, line.quantity, invoice["lease"])
            for invoice in self.invoices.values()
            if not invoice["cancelled"]
            for line in invoice["said"].lines
            if line.reports
        ]
