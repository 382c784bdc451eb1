"""What disputes freeze, for how long, and what admissions and decisions bind."""

import pytest

from play import DAY, HOUR, Deal, papers
from play.deal import WEEK
from play.papers import contested, credit, rejected, simple, usage_line
from play.quarrel import (
    ARBITER,
    answer,
    decide,
    of_delivery,
    of_invoice,
    of_usage,
    open_about,
    quarrelsome,
)
from play.table import Table
from pseudoledger.contract.account import lease_account
from pseudoledger.contract.agenda import agenda
from pseudoledger.contract.derive import (
    delivery_answer,
    dispute_status,
    disputed_minor,
    due_minor,
    first_delivery,
    invoice_answer,
    invoice_status,
    overdue_minor,
    usage_answer,
)
from pseudoledger.contract.things import Delivery, Invoice, MeteredLine, Usage
from pseudoledger.contract.things.dispute import Dispute

FULL = 4 * WEEK
SOME = 30_000
"""Minor units that are disputed."""


def invoice(deal):
    return deal.table.book.get(Invoice, deal.invoice)


def usage(deal):
    return deal.table.book.get(Usage, deal.reports[0])


def due(deal):
    return due_minor(invoice(deal), deal.table.now)


def status(deal):
    return dispute_status(deal.table.book.get(Dispute, deal.dispute), deal.table.now)


def tasks(deal, who):
    return [task.answers for task in agenda(deal.table.book, who.did, deal.table.now)]


def disputed(amount=SOME):
    deal = quarrelsome().invoiced()
    return open_about(deal, of_invoice(deal.invoice, amount))


# Invoices.


def test_the_disputed_amount_alone_is_not_due():
    deal = disputed()
    assert due(deal) == deal.total - SOME
    assert disputed_minor(invoice(deal), deal.table.now) == SOME
    deal.table.later(7 * DAY)
    assert status(deal) == "undecided"
    assert due(deal) == deal.total


def test_silence_waits_while_it_is_disputed_and_goes_on_after():
    deal = quarrelsome().invoiced()
    silent = invoice(deal).accept_by
    deal.table.at(silent - DAY)
    open_about(deal, of_invoice(deal.invoice, SOME))
    deal.table.later(6 * DAY)
    answer(deal)
    assert invoice_answer(invoice(deal), deal.table.now) == "waiting"
    deal.table.later(14 * DAY)
    assert status(deal) == "undecided"
    assert invoice_answer(invoice(deal), deal.table.now) == "waiting"
    deal.table.later(DAY)
    assert invoice_answer(invoice(deal), deal.table.now) == "deemed"
    assert deal.table.now == silent + 20 * DAY


def test_ageing_waits_for_the_disputed_amount_alone():
    deal = disputed()
    answer(deal)
    late = invoice(deal).due_at
    deal.table.at(late)
    assert invoice_status(invoice(deal), late) == "overdue"
    assert overdue_minor(invoice(deal), late) == deal.total - SOME
    (freeze,) = invoice(deal).freezes
    again = late + freeze.until - freeze.since
    assert due_minor(invoice(deal), freeze.until) == deal.total
    assert overdue_minor(invoice(deal), again - 1) == deal.total - SOME
    assert overdue_minor(invoice(deal), again) == deal.total
    assert overdue_minor(invoice(deal), again, grace_seconds=DAY) == deal.total - SOME


def test_a_lease_is_not_ended_for_what_is_disputed():
    deal = quarrelsome().invoiced()
    deal.table.later(9 * DAY)
    open_about(deal, of_invoice(deal.invoice, deal.total))
    deal.table.later(6 * DAY)
    answer(deal)
    deal.table.at(invoice(deal).due_at + 8 * DAY)
    assert status(deal) == "answered"
    tree = papers.ended(20_000, deal.invoice)
    assert deal.table.codes(deal.lessor, tree, deal.lease) == {"end.no_condition"}
    decide(deal, 0)
    assert deal.table.codes(deal.lessor, tree, deal.lease) == frozenset()


def test_a_decision_leaves_a_credit_note_owed():
    deal = disputed()
    decide(answer(deal), 20_000)
    assert status(deal) == "decided"
    assert invoice_answer(invoice(deal), deal.table.now) == "agreed"
    assert invoice(deal).owed_credit_minor == 20_000
    assert due(deal) == deal.total - 20_000
    account = lease_account(deal.table.book, deal.lease, deal.table.now)
    assert account.owed_credit_minor == account.disputed_minor == 20_000
    assert account.disputes[0].awarded == 20_000
    assert ("credit.issued",) in tasks(deal, deal.lessor)
    (owed,) = (task for task in agenda(deal.table.book, deal.lessor.did, deal.table.now) if task.amount_minor)
    assert (owed.amount_minor, owed.currency) == (20_000, invoice(deal).currency)
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="C1"), deal.invoice)
    assert invoice(deal).owed_credit_minor == 20_000 - 11_900
    deal.table.act(deal.lessor, again(credit([("h100", 10_000)], number="C2"), 1_900), deal.invoice)
    assert invoice(deal).owed_credit_minor == 0
    assert ("credit.issued",) not in tasks(deal, deal.lessor)
    assert due(deal) == deal.total - 2 * 11_900


def again(tree, tax):
    return papers.changed(tree, {"/tax_subtotals/0/tax_minor": tax, "/tax_minor": tax})


def test_an_admission_binds_at_once_and_the_rest_waits():
    deal = answer(disputed(), 10_000)
    assert invoice(deal).owed_credit_minor == 10_000
    assert due(deal) == deal.total - SOME
    assert ("dispute.decided",) in tasks(deal, ARBITER)
    deal.table.later(14 * DAY)
    assert status(deal) == "undecided"
    assert due(deal) == deal.total - 10_000


def test_a_whole_admission_ends_it():
    deal = answer(disputed(), SOME)
    assert status(deal) == "admitted"
    assert invoice(deal).owed_credit_minor == SOME
    assert invoice(deal).freezes == ()


def test_what_is_credited_meanwhile_is_not_owed_again():
    deal = answer(disputed())
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="C1"), deal.invoice)
    assert due(deal) == deal.total - SOME
    decide(deal, SOME)
    assert invoice(deal).owed_credit_minor == SOME - 11_900
    assert due(deal) == deal.total - SOME


def test_what_was_paid_is_a_refund_once_it_is_credited():
    deal = quarrelsome().settled()
    open_about(deal, of_invoice(deal.invoice, SOME))
    decide(answer(deal), 11_900)
    assert due(deal) == 0
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="C1"), deal.invoice)
    assert invoice_status(invoice(deal), deal.table.now) == "refund due"


def test_an_issuer_disputes_a_rejection():
    deal = quarrelsome().invoiced()
    deal.table.act(deal.lessee, rejected(deal.total - SOME), deal.invoice)
    open_about(deal, of_invoice(deal.invoice, SOME), deal.lessor)
    assert due(deal) == deal.total - SOME
    decide(answer(deal, who=deal.lessee), 20_000)
    assert due(deal) == deal.total - 10_000
    assert invoice(deal).owed_credit_minor == 10_000


def test_a_payer_disputes_what_it_rejected():
    deal = quarrelsome().invoiced()
    deal.table.act(deal.lessee, rejected(deal.total - SOME), deal.invoice)
    open_about(deal, of_invoice(deal.invoice, SOME))
    assert due(deal) == deal.total - SOME
    decide(answer(deal), 10_000)
    assert due(deal) == deal.total - 10_000
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="C1"), deal.invoice)
    assert due(deal) == deal.total - 11_900


@pytest.mark.parametrize(("rules", "counted"), [("pseudoledger-2", 2), ("pseudoledger-3", 1)])
def test_a_credit_note_counts_once_where_both_dispute_the_invoice(rules, counted):
    """The second set let it count for both, so that too little was owed; the third counts it for the payer's."""
    deal = quarrelsome(Table(rules=rules)).invoiced()
    deal.table.act(deal.lessee, rejected(deal.total - SOME), deal.invoice)
    open_about(deal, of_invoice(deal.invoice, SOME), deal.lessor, number="Q1")
    issuers = answer(deal, who=deal.lessee).dispute
    payers = answer(open_about(deal, of_invoice(deal.invoice, 20_000), number="Q2")).dispute
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="C1"), deal.invoice)
    deal.dispute = payers
    decide(deal, 20_000)
    assert invoice(deal).owed_credit_minor == 20_000 - 11_900
    deal.dispute = issuers
    decide(deal, 0)
    assert invoice(deal).owed_credit_minor == 20_000 + SOME - counted * 11_900


def test_without_an_arbiter_it_is_on_record_and_stops_nothing():
    deal = Deal().invoiced()
    open_about(deal, of_invoice(deal.invoice, SOME))
    assert due(deal) == deal.total
    assert ("dispute.answered",) in tasks(deal, deal.lessor)
    answer(deal, SOME)
    assert status(deal) == "admitted"
    assert invoice(deal).owed_credit_minor == 0
    assert invoice_answer(invoice(deal), deal.table.now) == "waiting"


@pytest.mark.parametrize(
    ("tree", "closed"),
    [("invoice.accepted", "withdrawn"), ("invoice.rejected", "withdrawn"), ("invoice.cancelled", "moot")],
)
def test_an_answer_takes_the_dispute_back(tree, closed):
    deal = disputed()
    who = deal.lessor if closed == "moot" else deal.lessee
    deal.table.act(who, rejected(1) if tree == "invoice.rejected" else simple(tree), deal.invoice)
    assert status(deal) == closed
    assert invoice(deal).freezes == ()


# Usage.


def test_the_undisputed_part_of_a_report_is_billed_apart():
    deal = quarrelsome().confirmed()
    open_about(deal, of_usage(deal.reports[0], 1_000))
    line = usage_line([deal.reports[0]], FULL - 1_000)
    deal.table.act(deal.lessor, deal.invoice_of([line]), deal.lease)
    decide(answer(deal), 400)
    assert usage_answer(usage(deal), deal.table.now) == "part"
    deal.table.act(deal.lessor, deal.invoice_of([usage_line([deal.reports[0]], 600)]), deal.lease)
    assert usage(deal).billed_by is not None
    billed = lease_account(deal.table.book, deal.lease, deal.table.now).lines[0].billed_seconds
    assert billed == FULL - 400


def test_what_was_left_undecided_is_billed_after():
    deal = quarrelsome().confirmed()
    open_about(deal, of_usage(deal.reports[0], 1_000))
    line = usage_line([deal.reports[0]], FULL - 1_000)
    deal.table.act(deal.lessor, deal.invoice_of([line]), deal.lease)
    deal.table.later(7 * DAY)
    deal.table.act(deal.lessor, deal.invoice_of([usage_line([deal.reports[0]], 1_000)]), deal.lease)


def test_a_decision_for_the_lessor_can_be_billed_beside_the_agreed_part():
    deal = quarrelsome().reported()
    deal.table.act(deal.lessee, contested(deal.reports[0], FULL - 2_000), deal.lease)
    line = usage_line([deal.reports[0]], FULL - 2_000)
    deal.table.act(deal.lessor, deal.invoice_of([line]), deal.lease)
    open_about(deal, of_usage(deal.reports[0], 1_500), deal.lessor)
    decide(answer(deal, who=deal.lessee), 1_000)
    deal.table.act(deal.lessor, deal.invoice_of([usage_line([deal.reports[0]], 1_000)]), deal.lease)
    assert (usage(deal).struck, usage(deal).upheld) == (500, 1_000)


def test_a_report_that_is_decided_for_the_lessor_is_confirmed():
    deal = quarrelsome().reported()
    open_about(deal, of_usage(deal.reports[0], 1_000))
    decide(answer(deal), 0)
    assert usage(deal).state == "confirmed"


def test_a_replaced_report_leaves_its_dispute_without_matter():
    deal = quarrelsome().reported()
    open_about(deal, of_usage(deal.reports[0], 1_000))
    deal.table.act(deal.lessor, deal.usage(share=0.75, replaces=deal.reports[0]), deal.lease)
    assert status(deal) == "moot"


@pytest.mark.parametrize("kind", ["usage.confirmed", "usage.contested"])
def test_an_answer_to_a_report_takes_the_dispute_back(kind):
    deal = quarrelsome().reported()
    open_about(deal, of_usage(deal.reports[0], 1_000))
    tree = simple(kind, report=deal.reports[0])
    deal.table.act(
        deal.lessee, tree if kind == "usage.confirmed" else contested(deal.reports[0], 1), deal.lease
    )
    assert status(deal) == "withdrawn"


# Deliveries.


def delivery(deal):
    return deal.table.book.get(Delivery, deal.delivery)


def since(deal):
    return first_delivery(deal.table.book.get(MeteredLine, f"{deal.lease}/h100"), deal.table.now)


def test_a_disputed_delivery_is_not_taken_by_silence():
    deal = quarrelsome().handed_over()
    deal.table.later(DAY)
    open_about(deal, of_delivery(deal.delivery, 4))
    deal.table.later(6 * DAY)
    assert delivery_answer(delivery(deal), deal.table.now) == "waiting"
    assert since(deal) is None
    deal.table.later(3 * DAY)
    assert delivery_answer(delivery(deal), deal.table.now) == "deemed"
    assert since(deal) == deal.table.now


@pytest.mark.parametrize(("awarded", "state"), [(0, "accepted"), (4, "refused")])
def test_a_decision_answers_a_delivery(awarded, state):
    deal = quarrelsome().handed_over()
    open_about(deal, of_delivery(deal.delivery, 4))
    decide(answer(deal), awarded)
    assert delivery(deal).state == state
    assert since(deal) == (None if awarded else deal.table.now)


def test_a_lessee_that_takes_the_delivery_takes_its_dispute_back():
    deal = quarrelsome().handed_over()
    open_about(deal, of_delivery(deal.delivery, 4))
    deal.table.later(HOUR)
    deal.table.act(deal.lessee, simple("delivery.accepted", delivery=deal.delivery), deal.lease)
    assert status(deal) == "withdrawn"
    assert since(deal) == deal.table.now
