# ruff: noqa: ARG002 - every kind is read with the same two arguments
"""What programmes and vouchers come to, worked out from the accepted statements alone.

No rule, fold or derived fact is used: amounts move between plain buckets, and shares are fractions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from fractions import Fraction

from pseudoledger.statement.values import length_seconds


@dataclass(slots=True)
class VoucherFacts:
    """One voucher as buckets."""

    programme: str
    holder: str
    group: str | None
    face: int
    ends: int
    revoked: bool = False
    free: int = 0
    reserved: Counter = field(default_factory=Counter)
    held: dict = field(default_factory=dict)
    redeemed: dict = field(default_factory=dict)
    withdrawn: int = 0

    def parts(self, now):
        """(free, reserved, presented, redeemed, lapsed, withdrawn)."""
        open_now = (self.free, sum(self.reserved.values()), sum(self.held.values()))
        redeemed = sum(self.redeemed.values())
        if now >= self.ends:
            return (0, 0, 0, redeemed, sum(open_now), self.withdrawn)
        return (*open_now, redeemed, 0, self.withdrawn)


class VoucherModel:
    """Facts of a ledger with programmes, vouchers, and invoices over one lease."""

    def __init__(self, shares, registry):
        self.registry = registry
        """The attestor that tells legal persons apart."""
        self.shares = shares
        """Share of each lessor, as the programme lists it."""
        self.programmes, self.vouchers, self.presented, self.invoices = {}, {}, {}, {}
        self.groups = {}
        self.paid = Counter()
        self.payments = {}
        self.settled = {}
        self.promised = defaultdict(int)
        self.taken = {}
        """Group under which each presentation was redeemed."""

    def read(self, item):
        """Take in one accepted statement."""
        name = "_" + item.payload.type.replace(".", "_")
        getattr(self, name, lambda *_: None)(item, item.payload)

    def _claim_attested(self, item, said):
        if said.claim == "kyc" and item.statement.iss == self.registry:
            self.groups[item.statement.sub] = said.subject_group

    def _programme_declared(self, item, said):
        self.programmes[item.statement.id] = said

    def _voucher_issued(self, item, said):
        programme = self.programmes[item.statement.sub]
        ends = said.period.until_seconds + length_seconds(programme.redeem_within)
        group = self.groups.get(said.holder)
        self.vouchers[item.statement.id] = VoucherFacts(
            item.statement.sub, said.holder, group, said.face_minor, ends, free=said.face_minor
        )
        self.promised[item.statement.sub, group] += said.face_minor

    def _voucher_reserved(self, item, said):
        voucher = self.vouchers[item.statement.sub]
        voucher.free -= said.amount_minor
        voucher.reserved[said.lease] += said.amount_minor

    def _voucher_released(self, item, said):
        voucher = self.vouchers[item.statement.sub]
        if said.reserved:
            voucher.reserved[said.reserved.lease] -= said.reserved.amount_minor
            voucher.free += said.reserved.amount_minor
            return
        self._back(voucher, voucher.held.pop(said.presentation))

    def _back(self, voucher, amount):
        if voucher.revoked:
            self._withdraw(voucher, amount)
        else:
            voucher.free += amount

    def _withdraw(self, voucher, amount):
        voucher.withdrawn += amount
        self.promised[voucher.programme, voucher.group] -= amount

    def _voucher_presented(self, item, said):
        voucher = self.vouchers[item.statement.sub]
        lease = self.invoices[said.invoice]["lease"]
        first = min(voucher.reserved[lease], said.amount_minor)
        voucher.reserved[lease] -= first
        voucher.free -= said.amount_minor - first
        voucher.held[item.statement.id] = said.amount_minor
        self.presented[item.statement.id] = (item.statement.sub, said.invoice)

    def _voucher_redeemed(self, item, said):
        voucher = self.vouchers[item.statement.sub]
        self._back(voucher, voucher.held.pop(said.presentation) - said.amount_minor)
        voucher.redeemed[said.presentation] = said.amount_minor
        self.taken[said.presentation] = self.groups.get(voucher.holder)

    def _voucher_settled(self, item, said):
        self.settled[said.presentation] = said.settled_minor

    def _voucher_clawed_back(self, item, said):
        voucher = self.vouchers[item.statement.sub]
        voucher.redeemed[said.presentation] -= said.amount_minor
        self._withdraw(voucher, said.amount_minor)

    def _voucher_revoked(self, item, _said):
        voucher = self.vouchers[item.statement.sub]
        amount = voucher.free + sum(voucher.reserved.values())
        voucher.free, voucher.reserved, voucher.revoked = 0, Counter(), True
        self._withdraw(voucher, amount)

    def _invoice_issued(self, item, said):
        self.invoices[item.statement.id] = {
            "said": said,
            "lease": item.statement.sub,
            "lessor": item.statement.iss,
            "credited": 0,
            "credited_net": 0,
            "cancelled": False,
        }

    def _invoice_cancelled(self, item, _said):
        self.invoices[item.statement.sub]["cancelled"] = True

    def _credit_issued(self, item, said):
        invoice = self.invoices[item.statement.sub]
        invoice["credited"] += said.total_minor
        invoice["credited_net"] += said.net_minor
        excess = self.covered(item.statement.sub) - self.bound(item.statement.sub)
        for ref, (voucher_id, billed) in reversed(self.presented.items()):
            voucher = self.vouchers[voucher_id]
            if billed != item.statement.sub or ref not in voucher.redeemed:
                continue
            back = min(max(0, excess), voucher.redeemed[ref])
            voucher.redeemed[ref] -= back
            excess -= back
            if self.programmes[voucher.programme].restore:
                self._back(voucher, back)
            else:
                self._withdraw(voucher, back)

    def _payment_declared(self, item, said):
        self.payments[item.statement.id] = said
        self.paid[said.settles[0].invoice] += said.settles[0].amount_minor

    def _payment_denied(self, item, _said):
        said = self.payments[item.statement.sub]
        self.paid[said.settles[0].invoice] -= said.settles[0].amount_minor

    # What follows.

    def covered(self, invoice_id):
        """What stands redeemed for an invoice."""
        return sum(
            voucher.redeemed[ref]
            for ref, (voucher_id, invoice) in self.presented.items()
            if invoice == invoice_id and ref in (voucher := self.vouchers[voucher_id]).redeemed
        )

    def bound(self, invoice_id):
        """Most that vouchers may cover of an invoice."""
        invoice = self.invoices[invoice_id]
        left = invoice["said"].net_minor - invoice["credited_net"]
        return int(left * Fraction(self.shares[invoice["lessor"]], 10_000))

    def open(self, invoice_id):
        invoice = self.invoices[invoice_id]
        total = invoice["said"].total_minor
        return total - invoice["credited"] - self.covered(invoice_id) - self.paid[invoice_id]

    def redeemed_by(self, programme, group):
        return sum(
            amount
            for voucher in self.vouchers.values()
            if voucher.programme == programme
            for ref, amount in voucher.redeemed.items()
            if self.taken[ref] == group
        )
