# ruff: noqa: ARG002 - every act takes the same two numbers
"""All families at once: quarrels, vouchers, credits, payments, stakes and quotas over one lease, at random.

The quarrel of `test_dispute_machine` goes on as it does there, with its invariants, while an issuer's vouchers pay
a part of the same invoices, payments are confirmed and denied, owners and investors hold parts of the pool, and
the lessee draws on a quota. Every invariant of the issue is asked after every step.
"""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule
from test_dispute_machine import ACTS, PICK, SHARE, Quarrel

from play import papers, vouchers
from play.capital import drawn, quota, share, stake_accepted, units
from play.histories import random_histories
from play.papers import DAY, START, period
from play.table import KEYS, key
from play.vouchers import ISSUER
from pseudoledger.contract.derive import usage_answer
from pseudoledger.contract.splits import split_invoice
from pseudoledger.contract.things import Bookings, Invoice, Payment, Pool, Usage
from pseudoledger.contract.things.capital import Draw, Quota
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher, VoucherUse
from pseudoledger.contract.vouchers import parts_of, share_bound

OWNERS = [key(f"pool owner {number}") for number in range(2)]
SHARE_BPS, BUDGET, LIMIT = 8_000, 3_000_000, 9_000_000
ALL_ACTS = (
    *ACTS,
    *("issue", "reserve", "release", *["present"] * 4, *["redeem"] * 4, "settle", "claw_back", "revoke"),
    *("answer_payment", "answer_payment", "refund", "stake", "stake", "draw", "draw"),
)


class Everything(Quarrel):
    """The quarrel's three, an issuer of vouchers, and two who own or fund machines of the pool."""

    def __init__(self):
        super().__init__()
        self.wanted = Counter()

    def set_out(self):
        super().set_out()
        listed = [{"facility_class": "state-run", "share_bps": SHARE_BPS}]
        place = {"lessor": self.deal.lessor.did, "facility_class": "state-run"}
        scheme = vouchers.programme(
            self.deal.lessor.did,
            budget_minor=BUDGET,
            classes=listed,
            facilities=[place],
            restore=True,
            redeem_within="P10D",
        )
        self.programme = self.table.act(ISSUER, scheme)
        self.quota = self.table.act(self.deal.lessee, quota(chip_seconds=LIMIT))
        self.issue(0, 40)

    @rule(act=st.sampled_from(ALL_ACTS), pick=PICK, share=SHARE)
    def step(self, act, pick, share):
        getattr(self, act)(pick, share)

    # Vouchers.

    def issue(self, pick, share):
        valid = period(START, START + 190 * DAY)
        face = 1_000 + 15_000 * share
        tree = vouchers.issued(self.deal.lessee.did, self.number("V"), face_minor=face, period=valid)
        self.attempt(ISSUER, tree, self.programme)

    def reserve(self, pick, share):
        ref, held = self.pick(Voucher, pick)
        if held:
            tree = vouchers.reserved(
                self.deal.lease, max(1, held.face_minor * share // 300), self.number("R")
            )
            self.attempt(self.deal.lessee, tree, ref)

    def release(self, pick, share):
        ref, held = self.pick(Voucher, pick)
        presentation, waiting = self.pick(Presentation, pick // 3)
        if held and (waiting is None or pick % 2):
            tree = vouchers.released(self.deal.lease, max(1, held.reserved_minor), self.number("F"))
            self.attempt(self.deal.lessee, tree, ref)
        elif waiting:
            tree = vouchers.taken_back(presentation, self.number("F"))
            self.attempt(self.deal.lessee, tree, waiting.voucher)

    def present(self, pick, share):
        ref, held = self.pick(Voucher, pick)
        invoice_id, invoice = self.pick(Invoice, pick // 5)
        if held and invoice:
            amount = max(1, invoice.total_minor * share // 200)
            tree = vouchers.presented(self.deal.lessor.did, invoice_id, amount, self.number("S"))
            made = self.attempt(self.deal.lessee, tree, ref)
            if made and pick % 3:
                self.attempt(self.deal.lessor, vouchers.redeemed(made, max(1, amount * share // 130)), ref)

    def redeem(self, pick, share):
        ref, waiting = self.pick(Presentation, pick)
        if waiting:
            amount = max(1, waiting.amount_minor * share // 100)
            self.attempt(self.deal.lessor, vouchers.redeemed(ref, amount), waiting.voucher)

    def settle(self, pick, share):
        ref, held = self.pick(Presentation, pick)
        if held:
            number = self.number("T")
            tree = vouchers.settled(ref, held.redeemed_minor, number, f"CITY {number}")
            self.attempt(ISSUER, tree, held.voucher)

    def claw_back(self, pick, share):
        ref, held = self.pick(Presentation, pick)
        if held:
            amount = max(1, held.redeemed_minor * share // 100)
            self.attempt(ISSUER, vouchers.clawed_back(ref, amount, self.number("K")), held.voucher)

    def revoke(self, pick, share):
        ref, _ = self.pick(Voucher, pick)
        if ref and share % 3 == 0:
            self.attempt(ISSUER, vouchers.withdrawn(), ref)

    # Payments, stakes and quotas.

    def answer_payment(self, pick, share):
        ref, payment = self.pick(Payment, pick)
        if payment:
            answer = papers.denied() if share % 3 == 0 else papers.simple("payment.confirmed")
            self.attempt(KEYS[payment.payee], answer, ref)

    def refund(self, pick, share):
        ref, invoice = self.pick(Invoice, pick)
        if invoice and invoice.open_minor < 0:
            settles = [("invoice", ref, max(1, -invoice.open_minor * share // 100))]
            tree = papers.payment(
                invoice.payer, settles, reference=self.number("BK"), number=self.number("Y")
            )
            self.attempt(KEYS[invoice.issuer], tree, None)

    def stake(self, pick, share_):
        owner, valid = OWNERS[pick % 2], period(START, START + 190 * DAY)
        made = (
            units(self.deal.pool, owner.did, 1 + pick % 5, number=self.number("U"), valid=valid)
            if pick % 3
            else share(self.deal.pool, owner.did, 1 + pick % 4_000, number=self.number("B"), valid=valid)
        )
        ref = self.attempt(self.deal.lessor, made, None)
        if ref:
            self.attempt(owner, stake_accepted(), ref)

    def draw(self, pick, share):
        amount = 1 + pick * 40
        if self.attempt(
            self.deal.lessee, drawn(self.deal.lease, amount, number=self.number("D")), self.quota
        ):
            self.wanted["drawn"] += amount

    # What always holds.

    @invariant()
    def an_invoice_is_paid_credited_covered_and_open(self):
        for ref, invoice in self.book.all(Invoice):
            parts = (invoice.paid_minor, invoice.credited_minor, invoice.voucher_minor, invoice.open_minor)
            assert sum(parts) == invoice.total_minor
            mine = [held for _, held in self.book.all(Presentation) if held.invoice == ref]
            assert invoice.voucher_minor == sum(held.redeemed_minor for held in mine)
            if invoice.voucher_minor:
                assert invoice.voucher_minor <= share_bound(invoice, SHARE_BPS)
            paid = Counter()
            for _, payment in self.book.all(Payment):
                for sort, about, amount in payment.settles if payment.state != "denied" else ():
                    paid["all"] += amount if (sort, about) == ("invoice", ref) else 0
                    if payment.state == "confirmed" and (sort, about) == ("invoice", ref):
                        paid["confirmed"] += amount
            assert (invoice.paid_minor, invoice.confirmed_minor) == (paid["all"], paid["confirmed"])
            assert -invoice.open_minor <= max(0, invoice.paid_minor), "nobody gets back what it never paid"

    @invariant()
    def a_face_is_its_parts(self):
        held = list(self.book.all(Voucher))
        for ref, voucher in held:
            parts = parts_of(voucher, self.table.now)
            each = (
                *(parts.free_minor, parts.reserved_minor, parts.presented_minor),
                *(parts.redeemed_minor, parts.lapsed_minor, parts.withdrawn_minor),
            )
            assert min(each) >= 0
            assert sum(each) == voucher.face_minor
            mine = [item for _, item in self.book.all(Presentation) if item.voucher == ref]
            assert voucher.redeemed_minor == sum(item.redeemed_minor for item in mine)
            waiting = sum(item.amount_minor for item in mine if item.state == "presented")
            assert voucher.presented_minor == waiting
            use = self.book.get(VoucherUse, f"{ref}/{self.deal.lease}") or VoucherUse()
            assert use.redeemed_minor == voucher.redeemed_minor
            if voucher.revoked_at is None:
                assert (use.reserved_minor, use.presented_minor) == (voucher.reserved_minor, waiting)
            assert use.counts or not (voucher.redeemed_minor or waiting)
        programme = self.book.get(Programme, self.programme)
        left = sum(voucher.face_minor - voucher.withdrawn_minor for _, voucher in held)
        assert programme.left_minor == BUDGET - left >= 0

    @invariant()
    def splits_add_up(self):
        for item in self.table.history:
            if item.payload.type == "invoice.issued" and item.payload.commission is None:
                found = split_invoice(self.book, item.statement.id, item.payload.lines, self.table.now)
                invoice = self.book.get(Invoice, item.statement.id)
                left = invoice.net_minor - invoice.credited_net_minor
                assert sum(part.amount_minor for part in found.parts) == found.amount_minor
                if invoice.state != "cancelled":
                    assert found.amount_minor == left
                assert all(part.amount_minor >= 0 for part in found.parts)

    @invariant()
    def stock_and_time_are_never_exceeded(self):
        stock = self.book.get(Pool, self.deal.pool).lines
        for name, bookings in self.book.all(Bookings):
            source, line = name.rsplit("/", 1)
            if source == self.deal.pool:
                assert sum(taken.count for taken in bookings.taken) <= stock[line].count
        for _, usage in self.book.all(Usage):
            assert usage.chip_seconds <= 4 * (usage.until - usage.start)
            assert usage_answer(usage, self.table.now)

    @invariant()
    def no_quota_is_exceeded(self):
        held = self.book.get(Quota, self.quota)
        assert held.drawn == self.wanted["drawn"] <= LIMIT
        assert held.drawn == sum(draw.amount for _, draw in self.book.all(Draw))


del Quarrel


def test_all_families_together():
    random_histories(Everything, examples=8, steps=60)


@pytest.mark.long
def test_all_families_together_at_length():
    random_histories(Everything, examples=2_000, steps=60)
