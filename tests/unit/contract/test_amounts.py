"""Money and usage: sums, silence, parts, corrections, credits and commissions."""

from fractions import Fraction

import pytest
from alone_billing import FULL, ZERO_TAX, commission_of, commissioned, fee_delivered, with_fee
from alone_lease import agreed, amended
from alone_usage import part_billed
from hypothesis import given
from hypothesis import strategies as st

from play import DAY, START, Deal, changed
from play.deal import WEEK
from play.papers import (
    contested,
    credit,
    delivery,
    denied,
    ended,
    half_even,
    net_of,
    part_line,
    payment,
    rejected,
    simple,
    usage_line,
)
from pseudoledger.contract.amounts import commission_base, share, sums_of, usage_net
from pseudoledger.contract.derive import (
    billable,
    delivery_answer,
    due_minor,
    invoice_answer,
    invoice_status,
    lease_status,
    usage_answer,
)
from pseudoledger.contract.things import Delivery, Invoice, Lease, MeteredLine, Usage
from pseudoledger.statement.kinds.billing import InvoiceLine

LARGEST = 2**53 - 1


def invoice_of(deal):
    return deal.table.book.get(Invoice, deal.invoice)


@given(st.integers(0, LARGEST), st.integers(0, 10**15), st.sampled_from([1, 100, 10_000, 1_000_000]))
def test_a_price_is_rounded_half_to_even_once(price, seconds, micro):
    assert usage_net(price, seconds, micro) == round(Fraction(price * seconds, 3600 * micro))


@given(st.integers(0, LARGEST), st.integers(0, 10_000))
def test_a_share_is_rounded_half_to_even(amount, bps):
    assert share(amount, bps) == round(Fraction(amount * bps, 10_000))


@given(st.lists(st.tuples(st.integers(0, LARGEST), st.sampled_from([0, 700, 1900])), min_size=1, max_size=8))
def test_sums_follow_from_the_lines(amounts):
    lines = [
        InvoiceLine.model_validate(
            {
                "id": f"l{index}",
                "part": "early_end",
                "quantity": 1,
                "price_micro": 0,
                "net_minor": net,
                "tax": {"category": "S" if bps else "Z", "rate_bps": bps},
            }
        )
        for index, (net, bps) in enumerate(amounts)
    ]
    exact = sums_of(lines)
    assert exact.net_minor == sum(net for net, _ in amounts)
    by_rate = {bps: sum(net for net, b in amounts if b == bps) for _, bps in amounts}
    assert exact.tax_minor == sum(half_even(Fraction(net * bps, 10_000)) for bps, net in by_rate.items())
    assert exact.total_minor == exact.net_minor + exact.tax_minor


def test_sums_beyond_every_number_are_refused_not_fatal():
    deal = Deal().confirmed()
    lines = [
        {**usage_line([deal.reports[0]], FULL, line_id=name), "net_minor": LARGEST} for name in ("a", "b")
    ]
    tree = deal.invoice_of([usage_line([deal.reports[0]], FULL)])
    assert {"billing.sums", "billing.subtotals"} <= deal.table.codes(
        deal.lessor, {**tree, "lines": lines}, deal.lease
    )
    deal.invoiced()
    note = credit([("h100", 1)], number="C1")
    lines = [{"invoice_line": "h100", "net_minor": LARGEST}] * 2
    assert "credit.above_invoice" in deal.table.codes(deal.lessor, {**note, "lines": lines}, deal.invoice)


def test_silence_is_acceptance_and_says_so():
    deal = Deal().handed_over()
    book = deal.table.book
    waiting = book.get(Delivery, deal.delivery)
    assert delivery_answer(waiting, waiting.accept_by - 1) == "waiting"
    assert delivery_answer(waiting, waiting.accept_by) == "deemed"
    deal.delivered().reported()
    report = book.get(Usage, deal.reports[0])
    assert [usage_answer(report, report.accept_by + by) for by in (-1, 0)] == ["waiting", "deemed"]
    deal.invoiced()
    bill = invoice_of(deal)
    assert [invoice_answer(bill, bill.accept_by + by) for by in (-1, 0)] == ["waiting", "deemed"]


def test_a_deemed_delivery_counts_from_the_end_of_silence():
    deal = Deal().handed_over()
    deal.table.later(10 * DAY)
    since = deal.start + 3 * DAY
    deal.delivered_at = since
    day = {"/period/until": "2026-01-06T00:00:00Z", "/chip_seconds": 4 * DAY}
    assert deal.table.codes(deal.lessor, changed(deal.usage(), day), deal.lease) == frozenset()
    over = {**day, "/chip_seconds": 4 * DAY + 1}
    assert deal.table.codes(deal.lessor, changed(deal.usage(), over), deal.lease) == {"usage.beyond_capacity"}


def test_a_delivery_that_waits_when_a_lease_ends_can_be_refused():
    deal = with_fee().running()
    tree = delivery(("cores", 16), number="V9")
    ref = deal.table.act(deal.lessor, tree, deal.lease)
    deal.table.act(deal.lessee, ended(1), deal.lease)
    refusal = simple("delivery.refused", delivery=ref, reason="other", remark="too late")
    deal.table.act(deal.lessee, refusal, deal.lease)
    deal.table.later(4 * DAY)
    line = part_line("once", 12_000, line="cores")
    assert deal.table.codes(deal.lessor, deal.invoice_of([line]), deal.lease) == {"usage.not_delivered"}


def test_units_in_batches_count_from_their_own_delivery():
    deal = Deal().running()
    for count, days in ((1, 0), (3, 2)):
        deal.table.at(deal.start + days * DAY)
        tree = delivery(("h100", count), number=f"V{days}")
        ref = deal.table.act(deal.lessor, tree, deal.lease)
        deal.table.act(deal.lessee, simple("delivery.accepted", delivery=ref), deal.lease)
    deal.table.at(deal.start + WEEK)
    deal.delivered_at = deal.start
    most = WEEK + 3 * (WEEK - 2 * DAY)
    fits = changed(deal.usage(), {"/chip_seconds": most})
    assert deal.table.codes(deal.lessor, fits, deal.lease) == frozenset()
    over = changed(deal.usage(), {"/chip_seconds": most + 1})
    assert deal.table.codes(deal.lessor, over, deal.lease) == {"usage.beyond_capacity"}


def billed_now(deal, report, basis="metered"):
    """What of a report can be billed now."""
    book = deal.table.book
    rate = type("Rate", (), {"basis": basis})()
    return billable(
        book.get(Usage, report), rate, book.get(MeteredLine, f"{deal.lease}/h100"), 4, deal.table.now
    )


def test_reserved_lines_are_billed_by_the_clock_less_downtime():
    deal = Deal(terms={"/tariff/lines/0/basis": "reserved"}).delivered()
    deal.table.at(deal.delivered_at + WEEK)
    tree = deal.usage(share=0.1, downtime_s=3600)
    deal.reports.append(deal.table.act(deal.lessor, tree, deal.lease))
    deal.confirmed()
    due = FULL - 4 * 3600
    assert billed_now(deal, deal.reports[0], "reserved") == due
    deal.table.act(deal.lessor, deal.invoice_of([usage_line([deal.reports[0]], due)]), deal.lease)


def test_an_idle_reserved_line_can_be_corrected_after_a_part_was_billed():
    deal = part_billed(FULL // 2, terms={"/tariff/lines/0/basis": "reserved"})
    tree = deal.usage(share=0.0, replaces=deal.reports[0])
    report = deal.table.act(deal.lessor, tree, deal.lease)
    deal.table.act(deal.lessee, simple("usage.confirmed", report=report), deal.lease)
    assert billed_now(deal, report, "reserved") == FULL - FULL // 2


def test_a_period_corrected_twice_is_billed_once():
    """Agreed in part and billed, corrected, agreed in part and billed, corrected again: never twice."""
    deal = part_billed(FULL // 4)
    second = deal.table.act(deal.lessor, deal.usage(share=0.75, replaces=deal.reports[0]), deal.lease)
    deal.table.act(deal.lessee, contested(second, FULL // 2), deal.lease)
    assert billed_now(deal, second) == FULL // 4
    deal.table.act(deal.lessor, deal.invoice_of([usage_line([second], FULL // 4)]), deal.lease)
    third = deal.table.act(deal.lessor, deal.usage(share=0.75, replaces=second), deal.lease)
    deal.table.act(deal.lessee, simple("usage.confirmed", report=third), deal.lease)
    assert billed_now(deal, third) == FULL // 4
    deal.table.act(deal.lessor, deal.invoice_of([usage_line([third], FULL // 4)]), deal.lease)


def test_a_cancelled_invoice_frees_its_usage_and_never_its_number():
    deal = Deal().invoiced()
    number = deal.table.history[-2].payload.number
    deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
    again = deal.invoice_of([usage_line([deal.reports[0]], FULL)], preceding=deal.invoice)
    assert deal.table.codes(deal.lessor, {**again, "number": number}, deal.lease) == {"billing.number_reused"}
    deal.table.act(deal.lessor, again, deal.lease)


def test_an_invoice_rejected_whole_can_be_replaced():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, rejected(0), deal.invoice)
    deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
    again = deal.invoice_of([usage_line([deal.reports[0]], FULL)], preceding=deal.invoice)
    deal.table.act(deal.lessor, again, deal.lease)


def test_fees_are_freed_by_a_cancellation_too():
    deal = fee_delivered(with_fee().running())
    tree = deal.invoice_of([part_line("once", 12_000, line="cores")])
    ref = deal.table.act(deal.lessor, tree, deal.lease)
    deal.table.act(deal.lessor, simple("invoice.cancelled"), ref)
    deal.table.act(deal.lessor, {**tree, "number": "I-anew"}, deal.lease)
    deal.table.act(deal.lessee, ended(1), deal.lease)
    tree = deal.invoice_of([part_line("early_end", 50_000)])
    ref = deal.table.act(deal.lessor, tree, deal.lease)
    deal.table.act(deal.lessor, simple("invoice.cancelled"), ref)
    deal.table.act(deal.lessor, {**tree, "number": "I-again"}, deal.lease)


# What is due, and in which word.


def test_a_rejected_invoice_is_due_in_part():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, rejected(1000), deal.invoice)
    assert due_minor(invoice_of(deal), deal.table.now) == 1000
    assert invoice_status(invoice_of(deal), invoice_of(deal).due_at) == "overdue"
    deal.table.act(deal.lessee, deal.paying(1000))
    assert due_minor(invoice_of(deal), deal.table.now) == 0
    assert invoice_status(invoice_of(deal), deal.table.now) == "disputed"


def test_a_credit_lowers_the_disputed_part_first():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, rejected(deal.total - 1190), deal.invoice)
    before = due_minor(invoice_of(deal), deal.table.now)
    deal.table.act(deal.lessor, credit([("h100", 1000)], number="C1"), deal.invoice)
    assert due_minor(invoice_of(deal), deal.table.now) == before == invoice_of(deal).open_minor
    base = commission_base(invoice_of(deal), in_part=True)
    assert base == net_of(2_235_000, FULL) - 1000


@pytest.mark.parametrize(
    ("steps", "status", "opens"),
    [
        ((), "open", 1),
        (("accepted",), "open", 1),
        (("paid",), "paid", 0),
        (("paid", "settled"), "settled", 0),
        (("paid", "denied"), "open", 1),
        (("cancelled",), "cancelled", 1),
        (("credited",), "settled", 0),
        (("paid", "settled", "credited"), "refund due", -1),
        (("paid", "settled", "credited", "refunded"), "paid", 0),
        (("paid", "settled", "credited", "refunded", "refund confirmed"), "settled", 0),
        (("overpaid",), "refund due", None),
    ],
)
def test_an_invoice_is_called_what_it_is(steps, status, opens):
    deal = Deal().invoiced()
    refund = [("invoice", deal.invoice, deal.total)]
    for step in steps:
        match step:
            case "accepted" | "cancelled":
                who = deal.lessee if step == "accepted" else deal.lessor
                deal.table.act(who, simple(f"invoice.{step}"), deal.invoice)
            case "paid" | "overpaid":
                deal.payment = deal.table.act(deal.lessee, deal.paying(deal.total + (step == "overpaid")))
            case "settled":
                deal.table.act(deal.lessor, simple("payment.confirmed"), deal.payment)
            case "denied":
                deal.table.act(deal.lessor, denied(), deal.payment)
            case "credited":
                note = credit([("h100", net_of(2_235_000, FULL))], number="C1")
                deal.table.act(deal.lessor, note, deal.invoice)
            case "refunded":
                tree = payment(deal.lessee.did, refund, reference="RF9")
                deal.payment = deal.table.act(deal.lessor, tree)
            case "refund confirmed":
                deal.table.act(deal.lessee, simple("payment.confirmed"), deal.payment)
    assert invoice_status(invoice_of(deal), deal.table.now) == status
    if opens is not None:
        assert invoice_of(deal).open_minor == opens * deal.total


def test_a_payment_in_a_token_counts_at_its_rate():
    coin = "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    deal = Deal(terms={"/assets": [coin]}).invoiced()
    tree = {
        **deal.paying(1000),
        "paid": {"asset": coin, "amount": "10900000"},
        "rate": {"paid": "10900000", "settles_minor": 1000},
        "references": [{"chain": "eip155:1", "tx": "0x" + "ab" * 32, "index": 0}],
    }
    deal.table.act(deal.lessee, tree)
    other = {**tree, "number": "Z9", "references": [{**tree["references"][0], "index": 1}]}
    deal.table.act(deal.lessee, other)
    assert invoice_of(deal).paid_minor == 2000


# Fees and commissions.


def test_a_fee_is_that_of_the_terms_at_its_delivery():
    deal = with_fee().signed()
    ref = amended(deal, {"/tariff/lines/1/fee_minor": 15_000}, at=START + 2 * DAY)
    agreed(deal, ref).running()
    deal.table.at(START + 3 * DAY)
    fee_delivered(deal)
    line = part_line("once", 15_000, line="cores")
    deal.table.act(deal.lessor, deal.invoice_of([line], contract=ref, start=START + 2 * DAY), deal.lease)


def test_a_commission_is_on_the_accepted_net_less_credits():
    deal, base = commissioned()
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="C1"), deal.invoice)
    ref = deal.table.act(deal.broker, commission_of(deal, base - 10_000), deal.lease)
    bill = deal.table.book.get(Invoice, ref)
    assert bill.net_minor == half_even(Fraction((base - 10_000) * 300, 10_000))
    assert (bill.issuer, bill.payer) == (deal.broker.did, deal.lessor.did)


def test_a_cancelled_commission_can_be_billed_again():
    deal, base = commissioned()
    ref = deal.table.act(deal.broker, commission_of(deal, base), deal.lease)
    deal.table.act(deal.broker, simple("invoice.cancelled"), ref)
    deal.table.act(deal.broker, commission_of(deal, base), deal.lease)


def test_a_commission_outlives_mandate_and_lease():
    deal, base = commissioned()
    deal.table.act(deal.lessor, simple("broker.released"), deal.mandate)
    deal.table.at(deal.until + 40 * DAY)
    deal.table.act(deal.broker, commission_of(deal, base), deal.lease)


def test_a_commission_in_part_follows_the_accepted_part():
    second = Deal().offered().mandated()
    second._terms = {
        "/mandates/-": {"mandate": second.mandate, "broker": second.broker.did, "commission_bps": 300}
    }
    second.invoiced()
    second.table.act(second.lessee, rejected(second.total // 2), second.invoice)
    accepted = half_even(
        Fraction((second.total // 2) * invoice_of(second).net_minor, invoice_of(second).total_minor)
    )
    line = part_line("commission", half_even(Fraction(accepted * 300, 10_000)), tax=ZERO_TAX)
    tree = second.invoice_of([line], commission={"mandate": second.mandate, "invoice": second.invoice})
    second.table.act(second.broker, tree, second.lease)


def test_a_lease_is_called_what_it_is():
    deal = Deal().proposed()
    lease = deal.table.book.get(Lease, deal.lease)
    assert lease_status(lease, lease.valid_to - 1) == "proposed"
    assert lease_status(lease, lease.valid_to) == "lapsed"
    deal.signed()
    lease = deal.table.book.get(Lease, deal.lease)
    for when, status in ((lease.start - 1, "signed"), (lease.start, "running"), (lease.until, "over")):
        assert lease_status(lease, when) == status
    deal.table.act(deal.lessee, ended(1), deal.lease)
    assert lease_status(deal.table.book.get(Lease, deal.lease), deal.table.now) == "ended"
