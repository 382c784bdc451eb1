# ruff: noqa: ARG002 - every act takes the same two numbers
"""Brokers among all families at once: mandates of both sides, bids, matches and commissions at random.

A broker brings about the lease of `test_all_families_machine`, all of which goes on. Parties mandate brokers and
release them, amend the terms to show other mandates, and the founder moves the cap. Brokers bill what is theirs,
more than that, twice, before anybody accepted, or under mandates of others; they credit, cancel and are disputed.
The book is compared with a model that reads the accepted statements alone.
"""

from fractions import Fraction

import pytest
from broker_model import BrokerModel
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from test_all_families_machine import ALL_ACTS, Everything
from test_dispute_machine import PICK, SHARE

from play import papers, quarrel
from play.deal import WEEK
from play.histories import random_histories
from play.papers import DAY
from play.table import FOUNDER, KEYS, POLICY, key
from pseudoledger.contract.things import Invoice, Lease

BROKERS = [key(f"broker {number}") for number in range(2)]
CAP = POLICY["commission_cap_bps"]
BPS = st.integers(0, CAP * 7 // 10)
"""One such share is within the cap, two may not be."""
BROKERED_ACTS = (
    *ALL_ACTS,
    *("mandate", "mandate", "release_mandate", "bid", "match", "move_cap", *["amend"] * 3),
    *(*["commission"] * 12, *["credit_commission"] * 3, *["report"] * 2, *["bill"] * 3),
    *(*["answer_invoice"] * 3, "credit", "credit"),
)


class Brokered(Everything):
    """All of those, and two brokers."""

    def __init__(self):
        super().__init__()
        self.model = BrokerModel()
        self.read = self.cap_changes = 0
        self.shares = [0, 0, 0]

    @initialize(act=st.sampled_from(["confirm", "contest", "wait"]), shares=st.tuples(BPS, BPS, BPS))
    def begin(self, act, shares):
        self.shares = shares
        self.set_out()
        self.report(0, 100)
        getattr(self, act)(0, 60)
        self.bill(0, 100)

    def set_out(self):
        super().set_out()
        self.catch_up()

    def lease_signed(self):
        """A lease that a broker's match brought about; both sides show their mandates, as many as the cap allows."""
        deal = quarrel.quarrelsome().offered().demanded()
        self.deal, self.table = deal, deal.table
        sides = (deal.lessor, deal.lessee, deal.lessee)
        listed = []
        for number, (side, bps) in enumerate(zip(sides, self.shares, strict=True)):
            tree = papers.mandate(BROKERS[number % 2].did, number=self.number("M"), commission_bps=bps)
            listed.append(self.table.act(side, tree))
        self.catch_up()
        valid_to = self.table.now + 3 * DAY
        match = self.table.act(BROKERS[0], papers.match(deal.offer, listed[:1], valid_to), deal.demand)
        while not deal.lease:
            answer = {"/answers": match, "/terms/mandates": self.shown(listed)}
            deal.lease = self.attempt(deal.lessee, deal.proposal(answer), None) or ""
            listed = listed[:-1]
        return deal

    def shown(self, mandates):
        facts = [(ref, self.model.mandates[ref]) for ref in mandates]
        return [{"mandate": ref, "broker": held.broker, "commission_bps": held.bps} for ref, held in facts]

    def catch_up(self):
        for item in self.table.history[self.read :]:
            self.model.read(item)
        self.read = len(self.table.history)

    @rule(act=st.sampled_from(BROKERED_ACTS), pick=PICK, share=SHARE)
    def step(self, act, pick, share):
        getattr(self, act)(pick, share)
        self.catch_up()

    # What brokers, and parties about them, do.

    def picked(self, pick, bound=None):
        """A mandate; of those that terms show where these are given."""
        held = list(self.model.terms[bound].shown) if bound else []
        held = held or list(self.model.mandates)
        return held[pick % len(held)]

    def side(self, pick):
        return (self.deal.lessor, self.deal.lessee)[pick % 2]

    def mandate(self, pick, share):
        brokers = (*BROKERS, self.deal.lessor)
        tree = papers.mandate(
            brokers[pick % 3].did, number=self.number("M"), commission_bps=min(10_000, share * 9)
        )
        self.attempt(self.side(pick // 7), tree, None)

    def release_mandate(self, pick, share):
        ref = self.picked(pick)
        held = self.model.mandates[ref]
        who = (held.principal, held.broker, self.deal.lessor.did)[share % 3]
        self.attempt(KEYS[who], papers.simple("broker.released"), ref)

    def move_cap(self, pick, share):
        said = self.table.history[0].payload.model_dump(mode="json", exclude_none=True)
        pins = {name: said[name] for name in ("rules", "tables", "mode", "policy")}
        tree = papers.simple("ledger.policy_changed", number=self.cap_changes + 1, **pins)
        tree["policy"] = {**pins["policy"], "commission_cap_bps": share * CAP // 100}
        if self.attempt(FOUNDER, tree, None):
            self.cap_changes += 1

    def bid(self, pick, share):
        ref = self.picked(pick)
        who = KEYS[self.model.mandates[ref].broker] if share % 4 else BROKERS[pick % 2]
        papers_on = ((self.deal.offer, "h100"), (self.deal.demand, "gpu"))
        for_lessor = self.model.mandates[ref].principal == self.deal.lessor.did
        on, line = papers_on[for_lessor if pick % 5 else 0]
        valid_to = self.table.now + DAY
        self.attempt(who, papers.bid(valid_to, line=line, number=self.number("B"), mandate=ref), on)

    def match(self, pick, share):
        mandates = sorted({self.picked(pick), self.picked(share)})
        tree = papers.match(self.deal.offer, mandates, self.table.now + DAY, number=self.number("X"))
        self.attempt(BROKERS[pick // 3 % 2], tree, self.deal.demand)

    def amend(self, pick, share):
        """Show other mandates from the next report on: fewer, others, too many, or ones that are over."""
        lease = self.book.get(Lease, self.deal.lease)
        before = lease.versions[-1].terms
        held = [ref for place, ref in enumerate(self.model.mandates) if share >> place % 7 & 1]
        terms = self.deal.terms({"/mandates": self.shown(held[-3:])})
        at = max(self.table.now, self.deal.delivered_at + self.counter["weeks"] * WEEK)
        tree = papers.amendment(terms, before, at, at + DAY, number=self.number("A"))
        proposer, other = self.side(pick), self.side(pick + 1)
        made = self.attempt(proposer, tree, self.deal.lease)
        if made:
            self.attempt(other, papers.simple("amendment.signed", amendment=made), self.deal.lease)

    def billable(self, pick, share):
        """An invoice to take commission on: mostly a lessor's that was answered."""
        bills = self.model.bills
        answered = [ref for ref in bills if self.model.is_answered(ref, self.table.now)]
        refs = [ref for ref in answered or bills if bills[ref].about is None]
        refs = refs if refs and share % 9 else list(bills)
        return refs[pick % len(refs)] if refs else None

    def commission(self, pick, share):
        ref = self.billable(pick, share)
        if ref is None:
            return
        mandate = self.picked(pick // 3, self.model.bills[ref].contract if share % 3 else None)
        broker = KEYS[self.model.mandates[mandate].broker] if share % 7 else BROKERS[pick % 2]
        net = max(0, self.model.due(mandate, ref) + (1, -1, 7, share, 0, 0, 0, 0, 0, 0)[pick // 7 % 10])
        contract = self.model.bills[ref].contract if pick % 11 else self.deal.lease
        tree = papers.invoice(
            [papers.part_line("commission", net)],
            number=self.number("K"),
            start=self.model.terms[contract].start,
            until=self.deal.until,
            contract=contract,
            due=self.table.now + 14 * DAY,
            commission={"mandate": mandate, "invoice": ref},
        )
        owed = self.model.is_owed(mandate, ref, broker.did) and contract == self.model.bills[ref].contract
        honest = owed and net == self.model.due(mandate, ref)
        assert self.attempt(broker, tree, self.deal.lease) or not honest

    def credit_commission(self, pick, share):
        """Give back of a commission, as a broker does whose base was lowered."""
        held = [ref for ref, bill in self.model.bills.items() if bill.about is not None]
        if held:
            ref = held[pick % len(held)]
            invoice = self.book.get(Invoice, ref)
            self._credit(ref, invoice, max(1, invoice.net_minor * share // 100))

    # What always holds.

    @invariant()
    def no_broker_takes_more_than_its_share(self):
        for about, bills in self.model.commissions().items():
            for mandate in {bill.mandate for bill in bills}:
                mine = [bill for bill in bills if bill.mandate == mandate and not bill.cancelled]
                exact = max((self.model.exact_share(mandate, bill.base) for bill in mine), default=0)
                assert len(mine) <= 1, f"{about} is billed twice"
                assert 0 <= sum(bill.stands for bill in mine) <= round(exact) <= exact + Fraction(1, 2)

    @invariant()
    def all_brokers_together_stay_within_the_cap(self):
        for about, bills in self.model.commissions().items():
            terms = self.model.terms[self.model.bills[about].contract]
            taken = [bill for bill in bills if not bill.cancelled]
            assert sum(self.model.mandates[bill.mandate].bps for bill in taken) <= terms.cap
            bases = [bill.base for bill in taken]
            most = Fraction(terms.cap * max(bases, default=0), 10_000) + Fraction(len(taken), 2)
            assert sum(bill.stands for bill in taken) <= most

    @invariant()
    def a_commission_is_a_mandated_brokers(self):
        for about, bills in self.model.commissions().items():
            invoice = self.model.bills[about]
            terms = self.model.terms[invoice.contract]
            assert invoice.about is None, "nobody takes commission on a commission"
            for bill in bills:
                held = self.model.mandates[bill.mandate]
                assert bill.base_was_answered
                assert bill.mandate in terms.shown
                assert bill.contract == invoice.contract
                assert bill.issuer == held.broker not in terms.parties
                assert held.principal in terms.parties
        for who, mandate, scope, _ in self.model.acts:
            held = self.model.mandates[mandate]
            assert (who, scope in held.scope) == (held.broker, True)

    @invariant()
    def the_book_says_the_same(self):
        for ref, bill in self.model.bills.items():
            invoice = self.book.get(Invoice, ref)
            about = (bill.mandate, bill.about) if bill.about else None
            assert (invoice.net_minor, invoice.credited_net_minor) == (bill.net, bill.credited)
            assert (invoice.issuer, invoice.commission) == (bill.issuer, about)
            if about:
                assert invoice.payer == self.model.mandates[bill.mandate].principal


del Everything


def test_brokers_among_all_families():
    random_histories(Brokered, examples=40, steps=60)


@pytest.mark.long
def test_brokers_among_all_families_at_length():
    random_histories(Brokered, examples=2_000, steps=60)
