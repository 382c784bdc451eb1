# ruff: noqa: ARG002 - every act takes the same three numbers
"""Programmes, vouchers and invoices at random: whatever is signed, face, budget, caps and shares hold.

Each step somebody signs what an honest party would, or the same with another amount, name or signer. After every
step the book is compared with a model that reads nothing but the accepted statements.
"""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from voucher_model import VoucherModel

from play import papers, vouchers
from play.claims import claim
from play.deal import WEEK, Deal
from play.histories import random_histories
from play.papers import DAY, START, changed, period
from play.table import Accepted, Table, key
from play.vouchers import ISSUER, REGISTRY
from pseudoledger.contract.things import Invoice
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.contract.vouchers import parts_of
from pseudoledger.errors import MalformedError
from pseudoledger.statement import envelope

PICK = st.integers(0, 2**16)
GROUPS = ("01" * 32, "02" * 32)
SHARES = (4_500, 8_000)
BUDGET, CAP = 600_000, 250_000
ACTS = (
    *("wait", "wait", "issue", "issue", "reserve", "release", "take_back", *["bill"] * 3),
    *(*["present"] * 4, *["redeem"] * 5, "settle", "claw_back", "revoke", "credit", "credit"),
    *("cancel", "pay", "deny", "know", *["cheat"] * 3),
)


class Scheme(RuleBasedStateMachine):
    """Two lessors, two lessees who may turn out to be one person, an issuer and two programmes."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table()
        self.deals = [Deal(self.table, name=f" {n}") for n in range(2)]
        self.model = VoucherModel(
            {deal.lessor.did: share for deal, share in zip(self.deals, SHARES, strict=True)},
            REGISTRY.did,
        )
        self.everybody = [
            ISSUER,
            key("scheme stranger"),
            *(side for deal in self.deals for side in (deal.lessor, deal.lessee)),
        ]
        self.read, self.counter, self.attempts = 0, Counter(), []
        self.weeks, self.known = [0, 0], set()

    def attempt(self, who, tree, sub=None):
        """Sign and submit; return the id if it was accepted."""
        self.attempts = [*self.attempts[-40:], (who, tree, sub)]
        try:
            raw = self.table.sign(who, tree, sub)
        except MalformedError:
            return None
        if envelope.decode(raw).id in self.known:
            return None  # The registrar answers the same statement again with its receipt.
        (answer,) = self.table.submit(raw)
        self.catch_up()
        return answer.statement.id if isinstance(answer, Accepted) else None

    def catch_up(self):
        for item in self.table.history[self.read :]:
            self.model.read(item)
            self.known.add(item.statement.id)
        self.read = len(self.table.history)

    def number(self, letter):
        self.counter[letter] += 1
        return f"{letter}-{self.counter[letter]}"

    def pick(self, items, pick):
        items = list(items)
        return items[pick % len(items)] if items else None

    @initialize(pick=PICK)
    def open(self, pick):
        """Leases that run, and two programmes: one restores what comes back and knows no caps, one caps."""
        classes = [{"facility_class": f"class-{n}", "share_bps": share} for n, share in enumerate(SHARES)]
        listed = [
            {"lessor": deal.lessor.did, "facility_class": f"class-{n}"} for n, deal in enumerate(self.deals)
        ]
        members = {
            "budget_minor": BUDGET,
            "face_max_minor": 200_000,
            "classes": classes,
            "facilities": listed,
            "redeem_within": "P5D",
        }
        tree = vouchers.programme(ISSUER.did, **members, restore=True)
        self.table.act(ISSUER, tree)
        more = {"number": "PR2", "cap_minor": CAP, "kyc": REGISTRY.did}
        self.table.act(ISSUER, vouchers.programme(ISSUER.did, **members, **more))
        for deal in self.deals:
            deal.signed()
        for deal in self.deals:
            deal.delivered()
        self.catch_up()
        for who in range(2):
            self.know(who, 0, who * pick)
        for number in range(4):
            self.issue(number + 6 * (number // 2), 60, 8)
        self.bill(0, 0, 0)
        self.bill(3, 0, 0)
        for number in range(4):
            self.present(number, 40, 0)
            self.redeem(number, 100, 1)

    @rule(act=st.sampled_from(ACTS), pick=PICK, part=st.integers(1, 125), few=st.integers(0, 11))
    def step(self, act, pick, part, few):
        getattr(self, act)(pick, part, few)

    # Time, persons, programmes.

    def wait(self, pick, part, few):
        self.table.later((1 + few % 3) * DAY)

    def know(self, pick, part, few):
        """The registry says anew who a lessee is."""
        valid = period(START, START + 300 * DAY)
        tree = claim("kyc", number=self.number("C"), subject_group=GROUPS[few % 2], valid=valid)
        self.attempt(REGISTRY, tree, self.pick(self.deals, pick).lessee.did)

    def issue(self, pick, part, few):
        tree = vouchers.issued(
            self.pick(self.deals, pick // 3).lessee.did,
            self.number("V"),
            face_minor=200_000 * part // 100,
            period=period(START, START + (30 + few * 4) * DAY),
        )
        self.attempt(ISSUER, tree, self.pick(self.model.programmes, pick))

    def held(self, pick, having=""):
        """Pick a voucher, one that has something free, held or redeemed: (id, facts, deal of its holder)."""
        found = {ref: v for ref, v in self.model.vouchers.items() if not having or getattr(v, having)}
        voucher_id = self.pick(found, pick)
        facts = found.get(voucher_id)
        deal = next((d for d in self.deals if facts and d.lessee.did == facts.holder), None)
        return voucher_id, facts, deal

    def reserve(self, pick, part, few):
        voucher_id, facts, deal = self.held(pick, "free")
        if facts:
            amount = max(1, facts.free * part // 200)
            tree = vouchers.reserved(deal.lease, amount, self.number("R"))
            self.attempt(deal.lessee, tree, voucher_id)

    def release(self, pick, part, few):
        voucher_id, facts, deal = self.held(pick, "reserved")
        if facts:
            amount = max(1, facts.reserved[deal.lease] * part // 100)
            tree = vouchers.released(deal.lease, amount, self.number("F"))
            self.attempt(deal.lessee, tree, voucher_id)

    def take_back(self, pick, part, few):
        voucher_id, facts, deal = self.held(pick, "held")
        ref = self.pick(facts.held, pick // 7) if facts else None
        if ref:
            self.attempt(deal.lessee, vouchers.taken_back(ref, self.number("F")), voucher_id)

    # Invoices.

    def bill(self, pick, part, few):
        """Report, confirm and bill the next week of a lease, once it is over."""
        at = pick % 2
        deal, week = self.deals[at], self.weeks[at]
        if week > 7 or self.table.now < deal.delivered_at + (week + 1) * WEEK:
            if pick % 3 or week > 7:
                return
            self.table.at(deal.delivered_at + (week + 1) * WEEK)
        report = self.attempt(deal.lessor, deal.usage(week), deal.lease)
        self.attempt(deal.lessee, papers.simple("usage.confirmed", report=report), deal.lease)
        line = papers.usage_line([report], 4 * WEEK)
        if self.attempt(deal.lessor, deal.invoice_of([line]), deal.lease):
            self.weeks[at] += 1

    def invoice(self, pick):
        """Pick an invoice: (id, facts, deal)."""
        invoice_id = self.pick(self.model.invoices, pick)
        facts = self.model.invoices.get(invoice_id)
        return invoice_id, facts, next((d for d in self.deals if facts and d.lease == facts["lease"]), None)

    def credit(self, pick, part, few):
        invoice_id, facts, deal = self.invoice(pick)
        if facts is None:
            return
        net = max(1, facts["said"].net_minor * part // 300)
        before = facts["credited_net"]
        taxed = papers.half_even(papers.Fraction(before * 1900, 10_000))
        tax = papers.half_even(papers.Fraction((before + net) * 1900, 10_000)) - taxed
        tree = papers.credit([("h100", net)], number=self.number("N"))
        changes = {"/tax_subtotals/0/tax_minor": tax, "/tax_minor": tax, "/total_minor": net + tax}
        self.attempt(deal.lessor, changed(tree, changes), invoice_id)

    def cancel(self, pick, part, few):
        invoice_id, facts, deal = self.invoice(pick)
        if facts and few < 4:
            self.attempt(deal.lessor, papers.simple("invoice.cancelled"), invoice_id)

    def pay(self, pick, part, few):
        invoice_id, facts, deal = self.invoice(pick)
        if facts:
            amount = max(1, self.model.open(invoice_id) * part // 100)
            settles = [("invoice", invoice_id, amount)]
            number = self.number("Z")
            tree = papers.payment(deal.lessor.did, settles, reference=f"PAY {number}", number=number)
            self.attempt(deal.lessee, tree)

    def deny(self, pick, part, few):
        ref = self.pick(self.model.payments, pick)
        if ref:
            payee = next(w for w in self.everybody if w.did == self.model.payments[ref].payee)
            self.attempt(payee, papers.denied(), ref)

    # Presenting, redeeming and what comes back.

    def present(self, pick, part, few):
        voucher_id, facts, deal = self.held(pick, "free")
        mine = [ref for ref, item in self.model.invoices.items() if facts and item["lease"] == deal.lease]
        invoice_id = self.pick(mine, pick // 5)
        if invoice_id:
            room = self.model.bound(invoice_id) - self.model.covered(invoice_id)
            there = facts.free + facts.reserved[deal.lease]
            amount = max(1, min(room, there) * part // 100)
            tree = vouchers.presented(deal.lessor.did, invoice_id, amount, self.number("S"))
            self.attempt(deal.lessee, tree, voucher_id)

    def redeem(self, pick, part, few):
        voucher_id, facts, deal = self.held(pick, "held")
        ref = self.pick(facts.held, pick // 7) if facts else None
        if ref:
            amount = facts.held[ref] if few % 3 else max(1, facts.held[ref] * part // 100)
            self.attempt(deal.lessor, vouchers.redeemed(ref, amount), voucher_id)

    def settle(self, pick, part, few):
        voucher_id, facts, _ = self.held(pick, "redeemed")
        ref = self.pick(facts.redeemed, pick // 7) if facts else None
        if ref:
            number = self.number("T")
            amount = facts.redeemed[ref] + (few == 0)
            self.attempt(ISSUER, vouchers.settled(ref, amount, number, f"CITY {number}"), voucher_id)

    def claw_back(self, pick, part, few):
        voucher_id, facts, _ = self.held(pick, "redeemed")
        ref = self.pick(facts.redeemed, pick // 7) if facts else None
        if ref:
            amount = max(1, facts.redeemed[ref] * part // 100)
            self.attempt(ISSUER, vouchers.clawed_back(ref, amount, self.number("K")), voucher_id)

    def revoke(self, pick, part, few):
        voucher_id, facts, _ = self.held(pick)
        if facts and few < 3:
            self.attempt(ISSUER, vouchers.withdrawn(), voucher_id)

    def cheat(self, pick, part, few):
        """Try again something that was tried before: as somebody else, or with another amount."""
        if not self.attempts:
            return
        who, tree, sub = self.pick(self.attempts, pick)
        if part % 2 or "amount_minor" not in tree:
            self.attempt(self.pick(self.everybody, pick // 7), tree, sub)
            return
        other = max(1, tree["amount_minor"] + (-1, 1, 1000, 2**40)[few % 4])
        self.attempt(who, {**tree, "amount_minor": other, "number": self.number("X")}, sub)

    # What always holds.

    @invariant()
    def a_face_is_its_parts(self):
        now = self.table.now
        for ref, facts in self.model.vouchers.items():
            parts = parts_of(self.table.book.get(Voucher, ref), now)
            held = (
                *(parts.free_minor, parts.reserved_minor, parts.presented_minor),
                *(parts.redeemed_minor, parts.lapsed_minor, parts.withdrawn_minor),
            )
            assert held == facts.parts(now)
            assert sum(held) == facts.face
            assert min(held) >= 0

    @invariant()
    def an_invoice_is_paid_credited_covered_and_open(self):
        for ref, facts in self.model.invoices.items():
            invoice = self.table.book.get(Invoice, ref)
            covered = self.model.covered(ref)
            assert invoice.voucher_minor == covered
            assert invoice.open_minor == self.model.open(ref)
            total = invoice.paid_minor + invoice.credited_minor + invoice.voucher_minor + invoice.open_minor
            assert total == facts["said"].total_minor
            assert 0 <= covered <= self.model.bound(ref)
            # What the holder gets back is never more than it paid.
            assert -invoice.open_minor <= max(0, self.model.paid[ref])
            assert not (facts["cancelled"] and covered)

    @invariant()
    def budget_and_caps_hold(self):
        for ref, said in self.model.programmes.items():
            mine = [facts for facts in self.model.vouchers.values() if facts.programme == ref]
            programme = self.table.book.get(Programme, ref)
            assert programme.left_minor == BUDGET - sum(v.face - v.withdrawn for v in mine)
            assert programme.left_minor >= 0
            assert programme.redeemed_minor == sum(sum(v.redeemed.values()) for v in mine)
            if said.cap_minor is not None:
                for group in GROUPS:
                    assert self.model.promised[ref, group] <= CAP
                    assert self.model.redeemed_by(ref, group) <= CAP

    @invariant()
    def what_is_owed_adds_up(self):
        for ref, (voucher_id, _) in self.model.presented.items():
            presentation = self.table.book.get(Presentation, ref)
            stands = self.model.vouchers[voucher_id].redeemed.get(ref, 0)
            paid = self.model.settled.get(ref, 0)
            owed = presentation.unsettled_minor - presentation.due_back_minor
            assert owed == stands - paid, (presentation, stands, paid)

    def teardown(self):
        assert self.table.replayed() == self.table.shelf.rows
        assert self.table.reopen().replayed() == self.table.shelf.rows


def test_programmes_of_honest_and_cheating_parties():
    random_histories(Scheme, examples=15, steps=120)


@pytest.mark.long
def test_long_programmes_of_honest_and_cheating_parties():
    random_histories(Scheme, examples=2_000, steps=60)
