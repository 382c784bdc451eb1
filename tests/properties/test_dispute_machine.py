# ruff: noqa: ARG002 - every act takes the same two numbers
"""Quarrels at random over one lease: whatever is disputed, answered and decided, the account stays right.

What the book says is compared with sums over the accepted statements alone: what each dispute took off, what is
owed in credit, and what may be billed of each report.
"""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from play import papers, quarrel
from play.deal import WEEK
from play.histories import random_histories
from play.papers import DAY, HOUR, changed
from play.table import KEYS, Accepted
from pseudoledger.contract.derive import (
    dispute_status,
    disputed_minor,
    due_minor,
    invoice_answer,
    overdue_minor,
    usage_answer,
)
from pseudoledger.contract.things import Delivery, Invoice, Usage
from pseudoledger.contract.things.dispute import Dispute, Disputed
from pseudoledger.errors import MalformedError
from pseudoledger.market.invoicing import draft_invoices, unbilled_usage

PICK, SHARE = st.integers(0, 2**16), st.integers(0, 130)
ACTS = (
    *("wait", "wait", "report", "confirm", "contest", "contest", "replace", "bill", "bill"),
    *("answer_invoice", "credit", "pay", *["dispute"] * 7, *["answer"] * 2, *["decide"] * 5),
    *("owed", "end"),
)


class Quarrel(RuleBasedStateMachine):
    """A lessor, a lessee and an arbiter."""

    def __init__(self):
        super().__init__()
        self.counter = Counter()
        self.struck = Counter()
        """What went to the lessee, by invoice or report."""
        self.upheld = Counter()
        self.credited = Counter()

    def set_out(self):
        """Have the machines of the lease handed over that all is about."""
        self.deal = self.lease_signed().delivered()
        self.table = self.deal.table

    def lease_signed(self):
        return quarrel.quarrelsome().signed()

    @property
    def book(self):
        return self.table.book

    def number(self, letter):
        self.counter[letter] += 1
        return f"{letter}-{self.counter[letter]}"

    def attempt(self, who, tree, sub):
        try:
            raw = self.table.sign(who, tree, sub)
        except MalformedError:
            return None
        (answer,) = self.table.submit(raw)
        return answer.statement.id if isinstance(answer, Accepted) else None

    def pick(self, cls, pick):
        items = list(self.book.all(cls))
        return items[pick % len(items)] if items else (None, None)

    @initialize(act=st.sampled_from(["confirm", "contest", "wait"]))
    def begin(self, act):
        self.set_out()
        self.report(0, 100)
        getattr(self, act)(0, 60)
        self.bill(0, 100)

    @rule(act=st.sampled_from(ACTS), pick=PICK, share=SHARE)
    def step(self, act, pick, share):
        getattr(self, act)(pick, share)

    # What the parties do.

    def wait(self, pick, share):
        self.table.later((pick % 4) * DAY + (pick % 5) * HOUR)

    def report(self, pick, share):
        tree = self.deal.usage(self.counter["weeks"], 1)
        self.table.at(max(self.table.now, self.deal.delivered_at + (self.counter["weeks"] + 1) * WEEK))
        if self.attempt(self.deal.lessor, tree, self.deal.lease):
            self.counter["weeks"] += 1

    def confirm(self, pick, share):
        ref, _ = self.pick(Usage, pick)
        self.attempt(self.deal.lessee, papers.simple("usage.confirmed", report=ref), self.deal.lease)

    def contest(self, pick, share):
        ref, usage = self.pick(Usage, pick)
        if usage:
            tree = papers.contested(ref, usage.chip_seconds * share // 100)
            self.attempt(self.deal.lessee, tree, self.deal.lease)

    def replace(self, pick, share):
        ref, usage = self.pick(Usage, pick)
        if usage:
            reading = usage.base + usage.chip_seconds * min(share, 100) // 100
            tree = papers.usage("h100", usage.start, usage.until, reading, replaces=ref)
            self.attempt(self.deal.lessor, tree, self.deal.lease)

    def bill(self, pick, share):
        reports = unbilled_usage(self.book).get(self.deal.lease, [])
        case = self.table.case(self.table.sign(self.deal.lessor, papers.declared()))
        for draft in draft_invoices(self.book, case.tables, self.deal.lease, reports, self.table.now):
            self.attempt(self.deal.lessor, draft.numbered(self.number("I")), self.deal.lease)

    def answer_invoice(self, pick, share):
        ref, invoice = self.pick(Invoice, pick)
        if invoice is None:
            return
        acts = (
            (KEYS[invoice.payer], papers.simple("invoice.accepted")),
            (KEYS[invoice.payer], papers.rejected(invoice.total_minor * share // 100)),
            (KEYS[invoice.issuer], papers.simple("invoice.cancelled")),
        )
        self.attempt(*acts[pick % 7 % 3], ref)

    def credit(self, pick, share):
        ref, invoice = self.pick(Invoice, pick)
        if invoice:
            self._credit(ref, invoice, max(1, invoice.net_minor * share // 400))

    def owed(self, pick, share):
        """Credit what is owed, as nearly as whole units of net allow."""
        ref, invoice = self.pick(Invoice, pick)
        if invoice and invoice.owed_credit_minor:
            self._credit(ref, invoice, -(-invoice.owed_credit_minor * 100 // 119))

    def _credit(self, ref, invoice, net):
        before, taxed = invoice.credited_net_minor, sum(invoice.credited_tax.values())
        tax = papers.half_even(papers.Fraction((before + net) * 1900, 10_000)) - taxed
        (line,) = invoice.lines
        tree = papers.credit([(line, net)], number=self.number("C"))
        changes = {"/tax_subtotals/0/tax_minor": tax, "/tax_minor": tax, "/total_minor": net + tax}
        if self.attempt(KEYS[invoice.issuer], changed(tree, changes), ref):
            self.credited[ref] += net + tax

    def pay(self, pick, share):
        ref, invoice = self.pick(Invoice, pick)
        if invoice:
            settles = [("invoice", ref, max(1, invoice.total_minor * share // 100))]
            tree = papers.payment(
                invoice.issuer, settles, reference=self.number("RF"), number=self.number("Z")
            )
            self.attempt(KEYS[invoice.payer], tree, None)

    def dispute(self, pick, share):
        cls = (Invoice, Usage)[pick % 2]
        ref, thing = self.pick(cls, pick // 5)
        if thing is None:
            return
        creditor, debtor = self.deal.lessor, self.deal.lessee
        if cls is Invoice:
            creditor, debtor = KEYS[thing.issuer], KEYS[thing.payer]
            matter = quarrel.of_invoice(ref, max(1, thing.total_minor * share // 400))
        else:
            matter = quarrel.of_usage(ref, max(1, thing.chip_seconds * share // 400))
        who = creditor if pick % 4 == 0 else debtor
        opened = self.attempt(who, quarrel.opened(matter, number=self.number("Q")), self.deal.lease)
        if opened and pick % 7:
            self.answer(pick // 11, share)

    def waiting(self, word, pick):
        """Pick a dispute, mostly one that waits for this."""
        found = [
            (ref, dispute)
            for ref, dispute in self.book.all(Dispute)
            if dispute_status(dispute, self.table.now) == word
        ]
        return found[pick % len(found)] if found and pick % 8 else self.pick(Dispute, pick)

    def answer(self, pick, share):
        ref, dispute = self.waiting("open", pick)
        if dispute is None:
            return
        admitted = dispute.amount * share // 100 if pick % 3 == 0 else 0
        if self.attempt(KEYS[dispute.against], quarrel.answered(admitted), ref):
            self._settled(dispute, admitted, admitted)

    def decide(self, pick, share):
        ref, dispute = self.waiting("answered", pick)
        if dispute is None:
            return
        awarded = dispute.left * share // 100
        if self.attempt(quarrel.ARBITER, quarrel.decided(awarded), ref):
            self._settled(dispute, dispute.left, awarded)

    def _settled(self, dispute, part, given):
        invoice = self.book.get(Invoice, dispute.about)
        creditor = invoice.issuer if invoice else self.deal.lessor.did
        upheld = given if dispute.by == creditor else part - given
        self.upheld[dispute.about] += upheld
        self.struck[dispute.about] += part - upheld

    def end(self, pick, share):
        ref, _ = self.pick(Invoice, pick)
        if self.counter["weeks"] > 3:
            self.attempt(self.deal.lessor, papers.ended(20_000, ref), self.deal.lease)

    # What always holds.

    @invariant()
    def invoices_are_open_due_or_disputed(self):
        now = self.table.now
        for ref, invoice in self.book.all(Invoice):
            due, open_minor = due_minor(invoice, now), invoice.open_minor
            if invoice.state != "cancelled":
                assert due + disputed_minor(invoice, now) == open_minor
            assert overdue_minor(invoice, now) <= max(0, due)
            assert invoice.credited_minor == self.credited[ref]
            assert invoice.accepted_minor <= invoice.total_minor
            assert self.struck[ref] - self.credited[ref] <= invoice.owed_credit_minor <= self.struck[ref]
            assert invoice.upheld_minor == self.upheld[ref]

    @invariant()
    def silence_never_counts_while_a_dispute_runs(self):
        now = self.table.now
        answers = ((Invoice, invoice_answer), (Usage, usage_answer))
        for cls, answer in answers:
            for _, thing in self.book.all(cls):
                for freeze in thing.freezes:
                    if freeze.accept_by is not None and freeze.since <= now < freeze.until:
                        assert answer(thing, now) != "deemed"

    @invariant()
    def a_freeze_is_an_open_dispute(self):
        now = self.table.now
        running = {
            freeze.dispute
            for cls in (Delivery, Invoice, Usage)
            for _, thing in self.book.all(cls)
            for freeze in thing.freezes
            if now < freeze.until
        }
        waiting = {
            ref
            for ref, dispute in self.book.all(Dispute)
            if dispute_status(dispute, now) in {"open", "answered"}
        }
        assert running == waiting

    @invariant()
    def nobody_disputes_more_than_there_is(self):
        for key, disputed in self.book.all(Disputed):
            about = key.split()[0]
            invoice, usage = self.book.get(Invoice, about), self.book.get(Usage, about)
            assert disputed.amount <= (invoice.total_minor if invoice else usage.chip_seconds)

    @invariant()
    def no_more_is_billed_than_stands(self):
        """What invoices that stand bill of each period is at most what the lessee or the arbiter let stand."""
        billed = Counter()
        for item in self.table.history:
            if item.payload.type == "invoice.issued":
                invoice = self.book.get(Invoice, item.statement.id)
                for line in item.payload.lines if invoice.state != "cancelled" else ():
                    for report in line.reports or ():
                        billed[self.book.get(Usage, report).start] += (
                            line.quantity if len(line.reports) == 1 else 0
                        )
        for _, usage in self.book.all(Usage):
            if usage.state != "replaced":
                assert billed[usage.start] <= usage.chip_seconds + self._below(usage)
                assert usage.struck + usage.upheld <= usage.chip_seconds

    def _below(self, usage):
        """A report may come to less than was billed before a dispute about it was decided: never by itself."""
        return max(0, usage.billed_before - usage.chip_seconds)

    def teardown(self):
        assert self.table.replayed() == self.table.shelf.rows
        assert self.table.reopen().replayed() == self.table.shelf.rows


def test_quarrels_at_random():
    random_histories(Quarrel, examples=40, steps=100)


@pytest.mark.long
def test_many_quarrels_at_random():
    random_histories(Quarrel, examples=1000, steps=150)
