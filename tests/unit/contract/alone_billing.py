"""Scenarios of the family billing: invoices, commissions, credit notes and payments."""

from fractions import Fraction

from alone import alone, put
from alone_lease import LATER, agreed, amended, shown

from play import DAY, START, Deal, changed, key
from play.deal import WEEK
from play.papers import (
    NOWHERE,
    adopted,
    contested,
    credit,
    denied,
    ended,
    half_even,
    handover,
    mandate,
    net_of,
    part_line,
    payment,
    rejected,
    simple,
    usage_line,
)

FULL = 4 * WEEK
ZERO_TAX = {"category": "O", "rate_bps": 0}


# Invoices: who, when, under which number.


def week_line(deal, quantity=FULL, **options):
    return usage_line([deal.reports[0]], quantity, **options)


def billing(deal, lines=None, *, who=None, changes=None, **members):
    """An invoice over the first week, or over other lines; sums follow from the lines."""
    deal.confirmed()
    tree = deal.invoice_of(lines or [week_line(deal)], **members)
    return put(deal, who or deal.lessor, changed(tree, changes or {}), deal.lease)


def line_changed(changes):
    """An invoice whose one line is changed, with sums to match."""
    deal = Deal().confirmed()
    return billing(deal, [changed(week_line(deal), changes)])


@alone("lease.not_running")
def a_proposal_is_not_billed():
    deal = Deal().proposed()
    tree = deal.invoice_of([usage_line([NOWHERE], 1)])
    return put(deal, deal.lessor, tree, deal.lease)


@alone("invoice.not_lessor")
def only_the_lessor_bills():
    deal = Deal()
    return billing(deal, who=deal.lessee)


@alone("lease.final")
def a_lease_is_billed_until_the_final_time():
    deal = Deal().confirmed()
    deal.table.at(deal.until + 30 * DAY + 1)
    return billing(deal)


@alone("billing.number_reused")
def an_invoice_number_is_used_once():
    deal = Deal().invoiced()
    number = deal.table.history[-2].payload.number
    deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
    return billing(deal, number=number)


@alone("billing.number_reused")
def credit_notes_and_invoices_share_numbers():
    deal = Deal().invoiced()
    number = deal.table.history[-2].payload.number
    return put(deal, deal.lessor, credit([("h100", 1)], number=number), deal.invoice)


@alone("invoice.currency")
def an_invoice_is_in_the_leases_currency():
    return billing(Deal(), currency="USD")


@alone("invoice.contract")
def an_invoice_names_its_terms():
    return billing(Deal(), contract=NOWHERE)


@alone("invoice.due_date")
def an_invoice_gives_the_days_of_the_terms():
    deal = Deal().confirmed()
    return billing(deal, due=deal.table.now + 12 * DAY)


@alone("invoice.preceding")
def an_invoice_replaces_one_that_exists():
    return billing(Deal(), preceding=NOWHERE)


@alone("invoice.preceding")
def an_invoice_replaces_a_cancelled_one():
    deal = Deal().invoiced()
    report = next_week(deal)
    tree = deal.invoice_of([usage_line([report], FULL)], preceding=deal.invoice)
    return put(deal, deal.lessor, tree, deal.lease)


def next_week(deal):
    """Report and confirm the second week."""
    deal.table.at(deal.delivered_at + 2 * WEEK)
    report = deal.table.act(deal.lessor, deal.usage(1), deal.lease)
    deal.table.act(deal.lessee, simple("usage.confirmed", report=report), deal.lease)
    return report


@alone("invoice.preceding")
def an_invoice_replaces_one_of_its_issuer():
    deal, base = commissioned()
    tree = commission_of(deal, base)
    gone = deal.table.act(deal.broker, tree, deal.lease)
    deal.table.act(deal.broker, simple("invoice.cancelled"), gone)
    report = next_week(deal)
    return put(deal, deal.lessor, deal.invoice_of([usage_line([report], FULL)], preceding=gone), deal.lease)


# Invoices: lines.


@alone("line.id_reused")
def a_report_is_billed_by_one_line():
    deal = Deal().confirmed()
    return billing(deal, [week_line(deal), week_line(deal, line_id="again")])


@alone("invoice.tax")
def tax_is_that_of_the_terms():
    return line_changed({"/tax": {"category": "S", "rate_bps": 700}})


@alone("invoice.commission")
def a_lessor_bills_no_commission():
    return billing(Deal(), [part_line("commission", 100)])


@alone("invoice.unknown_line")
def a_billed_line_is_metered():
    return line_changed({"/lease_line": "cores"})


@alone("invoice.unknown_line")
def a_fee_stands_in_the_tariff():
    return billing(Deal(), [part_line("once", 100, line="h100")])


@alone("invoice.unknown_report")
def a_billed_report_exists():
    return line_changed({"/reports/0": NOWHERE, "/quantity": 0, "/net_minor": 0})


@alone("invoice.billed_twice")
def a_report_is_billed_once():
    deal = Deal().invoiced()
    return billing(deal)


@alone("invoice.not_confirmed")
def a_report_is_billed_when_it_is_agreed():
    deal = Deal().reported()
    line = changed(week_line(deal), {"/quantity": 0, "/net_minor": 0})
    return put(deal, deal.lessor, deal.invoice_of([line]), deal.lease)


@alone("invoice.not_confirmed")
def a_replaced_report_is_not_billed():
    deal = Deal().reported()
    deal.table.act(deal.lessor, deal.usage(share=0.5, replaces=deal.reports[0]), deal.lease)
    line = changed(week_line(deal), {"/quantity": 0, "/net_minor": 0})
    return put(deal, deal.lessor, deal.invoice_of([line]), deal.lease)


@alone("invoice.outside_period")
def a_report_lies_in_the_invoices_period():
    deal = Deal().confirmed()
    return billing(deal, until=deal.delivered_at + WEEK - 1)


@alone("invoice.other_terms")
def reports_of_other_terms_are_billed_apart():
    deal = Deal().signed()
    agreed(deal, amended(deal, {"/due_days": 15}, at=START + 1 * DAY + WEEK)).delivered()
    assert deal.delivered_at == START + DAY
    reports = []
    for week in (0, 1):
        deal.table.at(deal.delivered_at + (week + 1) * WEEK)
        reports.append(deal.table.act(deal.lessor, deal.usage(week), deal.lease))
        deal.table.act(deal.lessee, simple("usage.confirmed", report=reports[-1]), deal.lease)
    return put(deal, deal.lessor, deal.invoice_of([usage_line(reports, 2 * FULL)]), deal.lease)


@alone("invoice.quantity")
def a_quantity_is_the_books():
    return line_changed({"/quantity": FULL + 3600, "/net_minor": net_of(2_235_000, FULL + 3600)})


@alone("invoice.quantity")
def a_contested_report_is_billed_in_part():
    deal = Deal().reported()
    deal.table.act(deal.lessee, contested(deal.reports[0], FULL // 2), deal.lease)
    return put(deal, deal.lessor, deal.invoice_of([week_line(deal)]), deal.lease)


@alone("invoice.price")
def a_price_is_the_terms():
    return line_changed({"/price_micro": 2_235_001, "/net_minor": net_of(2_235_001, FULL)})


@alone("invoice.line_sum")
def a_line_is_quantity_times_price():
    return line_changed({"/net_minor": net_of(2_235_000, FULL) + 1})


# Invoices: fees.

CORES = {
    "/lines/-": {
        "id": "cores",
        "resource": "cpu_core",
        "count": 16,
        "offer_line": "cores",
        "purpose": "train",
        "equivalence_ppm": 1,
    },
    "/tariff/lines/-": {"line": "cores", "basis": "once", "fee_minor": 12_000},
}


def with_fee(deal=None):
    """A lease with a second line, paid once at delivery."""
    deal = (deal or Deal()).offered()
    deal._terms = {**CORES, "/lines/-": {**CORES["/lines/-"], "offer": deal.offer}}
    return deal


def fee_delivered(deal):
    tree = simple("delivery.offered", number="V9", lines=[{"line": "cores", "count": 16}], serials=[])
    ref = deal.table.act(deal.lessor, tree, deal.lease)
    deal.table.act(deal.lessee, simple("delivery.accepted", delivery=ref), deal.lease)
    return deal


def fee_billing(deal, fee=12_000, **members):
    line = part_line("once", fee, line="cores")
    return put(deal, deal.lessor, deal.invoice_of([line], **members), deal.lease)


@alone("usage.not_delivered")
def a_fee_falls_due_at_delivery():
    return fee_billing(with_fee().signed())


@alone("invoice.billed_twice")
def a_fee_is_billed_once():
    deal = fee_delivered(with_fee().running())
    line = part_line("once", 12_000, line="cores")
    deal.table.act(deal.lessor, deal.invoice_of([line]), deal.lease)
    return fee_billing(deal)


@alone("invoice.line_sum")
def a_fee_is_billed_whole():
    deal = fee_delivered(with_fee().running())
    line = {**part_line("once", 12_000, line="cores"), "net_minor": 11_999}
    return put(deal, deal.lessor, deal.invoice_of([line]), deal.lease)


@alone("invoice.other_terms")
def a_fee_is_billed_under_the_terms_of_its_delivery():
    deal = fee_delivered(with_fee().running())
    ref = amended(deal, {"/tariff/lines/1/fee_minor": 50_000})
    agreed(deal, ref)
    return fee_billing(deal, 50_000, contract=ref, start=LATER)


def left_early(code=1):
    deal = Deal().running()
    deal.table.later(DAY)
    deal.table.act(deal.lessee, ended(code), deal.lease)
    return deal


def fee_for_leaving(deal, fee=50_000, **members):
    return put(deal, deal.lessor, deal.invoice_of([part_line("early_end", fee)], **members), deal.lease)


@alone("invoice.no_early_end")
def a_running_lease_owes_no_fee_for_leaving():
    return fee_for_leaving(Deal().running())


@alone("invoice.no_early_end")
def a_lease_that_was_over_owes_no_fee_for_leaving():
    deal = Deal().running()
    deal.table.at(deal.until + DAY)
    deal.table.act(deal.lessee, ended(1), deal.lease)
    return fee_for_leaving(deal)


@alone("invoice.billed_twice")
def a_fee_for_leaving_is_billed_once():
    deal = left_early()
    deal.table.act(deal.lessor, deal.invoice_of([part_line("early_end", 50_000)]), deal.lease)
    return fee_for_leaving(deal)


@alone("invoice.other_terms")
def a_fee_for_leaving_is_that_of_the_terms_at_the_end():
    deal = Deal().running()
    ref = amended(deal, {"/early_end/lessee_fee_minor": 90_000})
    agreed(deal, ref)
    deal.table.later(DAY)
    deal.table.act(deal.lessee, ended(1), deal.lease)
    return fee_for_leaving(deal, 90_000, contract=ref, start=LATER)


# Invoices: sums.


@alone("billing.subtotals")
def subtotals_follow_from_the_lines():
    deal = Deal().confirmed()
    tree = deal.invoice_of([week_line(deal)])
    tax = tree["tax_subtotals"][0]["tax_minor"]
    return put(deal, deal.lessor, changed(tree, {"/tax_subtotals/0/tax_minor": tax + 1}), deal.lease)


@alone("billing.sums")
def sums_follow_from_the_lines():
    deal = Deal()
    return billing(deal, changes={"/total_minor": 1})


# Commissions.


def commissioned(**options):
    """A lease brought about by a broker, its first invoice accepted; return (deal, net of the invoice)."""
    deal = Deal(**options).offered().mandated()
    deal._terms = {**deal._terms, "/mandates/-": shown(deal, deal.mandate)}
    deal.accepted()
    return deal, net_of(2_235_000, FULL)


def commission_of(deal, base, *, bps=300, **members):
    due = round(base * bps / 10_000)
    line = part_line("commission", due, tax=ZERO_TAX)
    return deal.invoice_of([line], commission={"mandate": deal.mandate, "invoice": deal.invoice}, **members)


def charging(deal, base, changes=None, *, who=None, **members):
    tree = changed(commission_of(deal, base, **members), changes or {})
    return put(deal, who or deal.broker, tree, deal.lease)


@alone("mandate.not_shown")
def a_commission_is_for_a_mandate_in_the_terms():
    deal, base = commissioned()
    hidden = deal.table.act(deal.lessee, mandate(deal.broker.did))
    return charging(deal, base, {"/commission/mandate": hidden})


@alone("mandate.not_broker")
def a_commission_is_the_brokers():
    deal, base = commissioned()
    return charging(deal, base, who=deal.stranger)


@alone("commission.unknown_invoice")
def a_commission_is_on_an_invoice():
    deal, base = commissioned()
    return charging(deal, base, {"/commission/invoice": NOWHERE})


@alone("commission.unknown_invoice")
def there_is_no_commission_on_a_commission():
    deal, base = commissioned()
    first = deal.table.act(deal.broker, commission_of(deal, base), deal.lease)
    return charging(deal, base, {"/commission/invoice": first})


@alone("commission.not_accepted")
def a_commission_falls_due_with_acceptance():
    deal = Deal().offered().mandated()
    deal._terms = {"/mandates/-": shown(deal, deal.mandate)}
    deal.invoiced()
    return charging(deal, net_of(2_235_000, FULL))


@alone("commission.billed_twice")
def a_commission_is_billed_once():
    deal, base = commissioned()
    deal.table.act(deal.broker, commission_of(deal, base), deal.lease)
    return charging(deal, base)


@alone("invoice.line_sum")
def a_commission_is_less_credits():
    deal, base = commissioned()
    deal.table.act(deal.lessor, credit([("h100", 10_000)], number="C1"), deal.invoice)
    line = {**part_line("commission", round((base - 10_000) * 0.03), tax=ZERO_TAX)}
    line["net_minor"] = round(base * 0.03)
    tree = deal.invoice_of([line], commission={"mandate": deal.mandate, "invoice": deal.invoice})
    return put(deal, deal.broker, tree, deal.lease)


@alone("invoice.other_terms")
def a_commission_is_under_the_terms_of_the_invoice():
    deal, base = commissioned()
    ref = amended(deal, {"/due_days": 15}, at=START + 20 * DAY)
    agreed(deal, ref)
    return charging(deal, base, contract=ref, start=START + 20 * DAY)


@alone("broker.is_party")
def a_broker_that_became_a_party_earns_nothing():
    deal, fresh = Deal().offered(), key("fresh broker")
    deal.mandate = deal.table.act(deal.lessee, mandate(fresh.did))
    deal._terms = {"/mandates/-": shown(deal, deal.mandate, broker=fresh)}
    deal.accepted()
    handed = deal.table.act(deal.lessor, handover("identity.rotated", fresh.did))
    deal.table.act(fresh, adopted(handed), deal.lessor.did)
    return charging(deal, net_of(2_235_000, FULL), who=fresh)


# Answering an invoice.


@alone("invoice.not_payer")
def only_the_buyer_accepts():
    deal = Deal().invoiced()
    return put(deal, deal.stranger, simple("invoice.accepted"), deal.invoice)


@alone("invoice.deemed")
def silence_accepted_the_invoice():
    deal = Deal().invoiced()
    deal.table.later(10 * DAY)
    return put(deal, deal.lessee, rejected(0), deal.invoice)


@alone("invoice.answered")
def an_invoice_is_answered_once():
    deal = Deal().accepted()
    return put(deal, deal.lessee, rejected(0), deal.invoice)


@alone("invoice.answered")
def an_invoice_accepted_in_part_is_not_cancelled():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, rejected(1), deal.invoice)
    return put(deal, deal.lessor, simple("invoice.cancelled"), deal.invoice)


@alone("invoice.accepted_part")
def a_rejection_leaves_something_in_dispute():
    deal = Deal().invoiced()
    return put(deal, deal.lessee, rejected(deal.total), deal.invoice)


@alone("invoice.not_issuer")
def only_the_issuer_cancels():
    deal = Deal().invoiced()
    return put(deal, deal.lessee, simple("invoice.cancelled"), deal.invoice)


@alone("invoice.touched")
def a_paid_invoice_is_not_cancelled():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, deal.paying(1))
    return put(deal, deal.lessor, simple("invoice.cancelled"), deal.invoice)


@alone("invoice.touched")
def a_credited_invoice_is_not_cancelled():
    deal = Deal().invoiced()
    deal.table.act(deal.lessor, credit([("h100", 1)], number="C1"), deal.invoice)
    return put(deal, deal.lessor, simple("invoice.cancelled"), deal.invoice)


@alone("invoice.report_replaced")
def an_invoice_that_a_correction_builds_on_is_not_cancelled():
    deal = Deal().reported()
    deal.table.act(deal.lessee, contested(deal.reports[0], FULL // 2), deal.lease)
    deal.invoice = deal.table.act(deal.lessor, deal.invoice_of([week_line(deal, FULL // 2)]), deal.lease)
    deal.table.act(deal.lessor, deal.usage(share=0.8, replaces=deal.reports[0]), deal.lease)
    return put(deal, deal.lessor, simple("invoice.cancelled"), deal.invoice)


# Credit notes.


def crediting(deal, lines, *, who=None, changes=None, **members):
    tree = changed(credit(lines, number="C1", **members), changes or {})
    return put(deal, who or deal.lessor, tree, deal.invoice)


@alone("invoice.not_issuer")
def only_the_issuer_credits():
    deal = Deal().invoiced()
    return crediting(deal, [("h100", 100)], who=deal.lessee)


@alone("invoice.answered")
def a_cancelled_invoice_is_not_credited():
    deal = Deal().invoiced()
    deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
    return crediting(deal, [("h100", 100)])


@alone("invoice.currency")
def a_credit_is_in_the_invoices_currency():
    return crediting(Deal().invoiced(), [("h100", 100)], currency="USD")


@alone("credit.unknown_line")
def a_credited_line_was_billed():
    return crediting(Deal().invoiced(), [("cores", 100)])


@alone("credit.above_invoice")
def credits_stay_within_the_line():
    return crediting(Deal().invoiced(), [("h100", net_of(2_235_000, FULL) + 1)])


@alone("credit.above_invoice")
def credits_add_up():
    deal = Deal().invoiced()
    net = net_of(2_235_000, FULL)
    deal.table.act(deal.lessor, credit([("h100", net - 100)], number="C0"), deal.invoice)
    tax = half_even(Fraction((net + 1) * 1900, 10_000)) - half_even(Fraction((net - 100) * 1900, 10_000))
    changes = {"/tax_subtotals/0/tax_minor": tax, "/tax_minor": tax, "/total_minor": 101 + tax}
    return crediting(deal, [("h100", 101)], changes=changes)


@alone("line.id_reused")
def a_line_is_credited_once_in_a_note():
    tree = credit([("h100", 100)], number="C1")
    deal = Deal().invoiced()
    lines = [{"invoice_line": "h100", "net_minor": 100}] * 2
    return put(deal, deal.lessor, {**tree, "lines": lines}, deal.invoice)


@alone("billing.subtotals")
def subtotals_follow_from_the_credited_lines():
    return crediting(Deal().invoiced(), [("h100", 1000)], changes={"/tax_subtotals/0/tax_minor": 191})


@alone("billing.sums")
def sums_follow_from_the_credited_lines():
    return crediting(Deal().invoiced(), [("h100", 1000)], changes={"/net_minor": 1001})


# Payments.


def paying(deal, changes=None, *, who=None, amount=1000, **members):
    tree = {**deal.paying(amount), **members}
    return put(deal, who or deal.lessee, changed(tree, changes or {}))


@alone("payment.target_twice")
def an_invoice_is_settled_once_in_a_payment():
    deal = Deal().invoiced()
    settles = [("invoice", deal.invoice, 1), ("invoice", deal.invoice, 2)]
    return put(deal, deal.lessee, payment(deal.lessor.did, settles, reference="RF1"))


@alone("payment.unknown_invoice")
def a_settled_invoice_exists():
    return paying(Deal().invoiced(), {"/settles/0/invoice": NOWHERE})


@alone("payment.cancelled_invoice")
def a_cancelled_invoice_is_not_paid():
    deal = Deal().invoiced()
    deal.table.act(deal.lessor, simple("invoice.cancelled"), deal.invoice)
    return paying(deal)


@alone("invoice.currency")
def a_payment_is_counted_in_the_invoices_currency():
    return paying(Deal().invoiced(), {"/currency": "USD", "/paid/currency": "USD"})


@alone("payment.not_between")
def a_stranger_pays_nothing():
    deal = Deal().invoiced()
    return paying(deal, who=deal.stranger)


@alone("payment.not_between")
def nobody_else_is_paid():
    deal = Deal().invoiced()
    return paying(deal, payee=deal.stranger.did)


@alone("payment.not_between")
def nobody_pays_itself():
    deal = Deal().invoiced()
    return paying(deal, payee=deal.lessee.did)


@alone("payment.above_refund")
def a_refund_is_due_before_it_is_paid():
    deal = Deal().invoiced()
    return paying(deal, who=deal.lessor, payee=deal.lessee.did)


@alone("payment.above_refund")
def a_refund_is_no_more_than_is_due():
    deal = Deal().settled()
    deal.table.act(deal.lessor, credit([("h100", 1000)], number="C1"), deal.invoice)
    tree = payment(deal.lessee.did, [("invoice", deal.invoice, 1191)], reference="RF2")
    return put(deal, deal.lessor, tree)


LARGEST = 2**53 - 1


@alone("payment.too_much")
def what_was_paid_stays_a_number():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, deal.paying(LARGEST))
    return paying(deal, amount=1, references=[{"scheme": "SEPA", "value": "RF2"}])


@alone("payment.too_much")
def what_was_paid_on_account_stays_a_number():
    deal = Deal().signed()
    tree = payment(deal.lessor.did, [("lease", deal.lease, LARGEST)], reference="RF1")
    deal.table.act(deal.lessee, tree)
    return put(deal, deal.lessee, payment(deal.lessor.did, [("lease", deal.lease, 1)], reference="RF2"))


@alone("payment.unknown_lease")
def only_a_signed_lease_is_paid_on_account():
    deal = Deal().proposed()
    return put(deal, deal.lessee, payment(deal.lessor.did, [("lease", deal.lease, 1)], reference="RF1"))


@alone("invoice.currency")
def a_payment_on_account_is_in_the_leases_currency():
    deal = Deal().signed()
    tree = payment(deal.lessor.did, [("lease", deal.lease, 1)], reference="RF1")
    return put(deal, deal.lessee, changed(tree, {"/currency": "USD", "/paid/currency": "USD"}))


@alone("payment.not_between")
def only_the_lessee_pays_on_account():
    deal = Deal().signed()
    tree = payment(deal.lessee.did, [("lease", deal.lease, 1)], reference="RF1")
    return put(deal, deal.lessor, tree)


@alone("payment.rate")
def one_currency_needs_no_rate():
    return paying(Deal().invoiced(), rate={"paid": "1", "settles_minor": 1})


@alone("payment.sum")
def a_payment_is_what_it_settles():
    return paying(Deal().invoiced(), {"/paid/amount_minor": 1001})


@alone("payment.rate")
def another_currency_needs_a_rate():
    return paying(Deal().invoiced(), {"/paid/currency": "USD"})


@alone("payment.rate")
def a_rate_is_of_something():
    return paying(Deal().invoiced(), {"/paid/currency": "USD"}, rate={"paid": "0", "settles_minor": 1})


@alone("payment.sum")
def a_rate_leads_to_what_is_settled():
    changes = {"/paid": {"currency": "USD", "amount_minor": 1090}}
    return paying(Deal().invoiced(), changes, rate={"paid": "1100", "settles_minor": 1000})


COIN = "eip155:1/erc20:0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"


@alone("payment.asset")
def a_token_is_one_that_the_terms_accept():
    changes = {"/paid": {"asset": COIN, "amount": "10900000"}}
    return paying(Deal().invoiced(), changes, rate={"paid": "10900000", "settles_minor": 1000})


@alone("payment.reference_used")
def a_reference_is_used_once():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, deal.paying(1))
    return paying(deal)


@alone("payment.reference_used")
def spaces_make_no_new_reference():
    deal = Deal().invoiced()
    deal.table.act(deal.lessee, deal.paying(1, "RF18 5390"))
    return paying(deal, references=[{"scheme": "SEPA", "value": "RF185390"}])


@alone("payment.reference_used")
def a_reference_stands_once_in_a_payment():
    reference = {"scheme": "SEPA", "value": "RF1"}
    return paying(Deal().invoiced(), references=[reference, reference])


def on_chain(chain="eip155:1", tx="0x" + "ab" * 32, index=0):
    return paying(Deal().invoiced(), references=[{"chain": chain, "tx": tx, "index": index}])


@alone("payment.namespace")
def a_chain_is_of_a_known_namespace():
    return on_chain("polkadot:b0a8d493285c2df73290dfb7e61f870f")


@alone("payment.chain")
def a_chain_has_one_spelling():
    return on_chain("eip155:01")


@alone("payment.tx")
def a_transaction_has_one_spelling():
    return on_chain(tx="0x" + "AB" * 32)


@alone("payment.not_payee")
def only_the_payee_confirms():
    deal = Deal().paid()
    return put(deal, deal.lessee, simple("payment.confirmed"), deal.payment)


@alone("payment.answered")
def a_payment_is_answered_once():
    deal = Deal().settled()
    return put(deal, deal.lessor, denied(), deal.payment)
