"""Every sum rule speaks where it has to: one document, changed in one place each time."""

import pytest
from lxml import etree

from pseudoledger.market.ubl.document import CAC, CBC, read
from pseudoledger.market.ubl.sums import FAMILIES, check_sums

EXPONENTS = {"EUR": 2, "BHD": 3}


def category(name, code, percent):
    rate = "" if percent is None else f"<cbc:Percent>{percent}</cbc:Percent>"
    return f"<cac:{name}><cbc:ID>{code}</cbc:ID>{rate}</cac:{name}>"


def amount(name, value, currency="EUR"):
    return f'<cbc:{name} currencyID="{currency}">{value}</cbc:{name}>'


def invoice(*, code="S", percent="19", tax="19.00", kind="Invoice", more="", payable="119.00"):
    """One line of 100.00 with its tax."""
    quantity = "InvoicedQuantity" if kind == "Invoice" else "CreditedQuantity"
    return (
        f'<{kind} xmlns="urn:oasis:names:specification:ubl:schema:xsd:{kind}-2" xmlns:cac="{CAC}" xmlns:cbc="{CBC}">'
        f"<cbc:ID>1</cbc:ID><cbc:DocumentCurrencyCode>EUR</cbc:DocumentCurrencyCode>{more}"
        f"<cac:TaxTotal>{amount('TaxAmount', tax)}<cac:TaxSubtotal>{amount('TaxableAmount', '100.00')}"
        f"{amount('TaxAmount', tax)}{category('TaxCategory', code, percent)}</cac:TaxSubtotal></cac:TaxTotal>"
        f"<cac:LegalMonetaryTotal>{amount('LineExtensionAmount', '100.00')}{amount('TaxExclusiveAmount', '100.00')}"
        f"{amount('TaxInclusiveAmount', payable)}{amount('PayableAmount', payable)}</cac:LegalMonetaryTotal>"
        f"<cac:{kind}Line><cbc:{quantity}>4</cbc:{quantity}>{amount('LineExtensionAmount', '100.00')}"
        f"<cac:Item>{category('ClassifiedTaxCategory', code, percent)}</cac:Item>"
        f"<cac:Price>{amount('PriceAmount', '25')}</cac:Price></cac:{kind}Line></{kind}>"
    )


def codes(text):
    etree.fromstring(text)
    return {finding.code for finding in check_sums(read(text.encode()), EXPONENTS)}


def change(text, *pairs):
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new, 1)
    return text


@pytest.mark.parametrize("kind", ["Invoice", "CreditNote"])
def test_a_right_document_has_no_findings(kind):
    assert codes(invoice(kind=kind)) == set()


@pytest.mark.parametrize("code", [code for code in FAMILIES if code not in {"S", "L", "M", "B", "O"}])
def test_categories_without_tax(code):
    family = FAMILIES[code]
    right = invoice(code=code, percent="0", tax="0.00", payable="100.00")
    assert codes(right) == set()
    assert codes(invoice(code=code, percent="0", tax="1.00", payable="101.00")) == {f"{family}-09"}
    assert codes(invoice(code=code, percent="19", tax="0.00", payable="100.00")) == {f"{family}-05"}
    assert codes(
        change(right, ('TaxableAmount currencyID="EUR">100.00', 'TaxableAmount currencyID="EUR">99.00'))
    ) == {f"{family}-08"}


def test_outside_the_scope_there_is_no_rate():
    assert codes(invoice(code="O", percent=None, tax="0.00", payable="100.00")) == set()
    assert codes(invoice(code="O", percent="0", tax="0.00", payable="100.00")) == {"BR-O-05"}


@pytest.mark.parametrize("code", ["S", "L", "M", "B"])
def test_categories_with_tax_are_summed_by_rate(code):
    family = FAMILIES[code]
    assert codes(invoice(code=code)) == set()
    other_rate = change(
        invoice(code=code),
        (
            "<cbc:Percent>19</cbc:Percent></cac:ClassifiedTaxCategory>",
            "<cbc:Percent>7</cbc:Percent></cac:ClassifiedTaxCategory>",
        ),
    )
    assert codes(other_rate) == {f"{family}-08", f"{family}-01"}


def test_a_rate_belongs_to_its_category():
    assert codes(invoice(percent="0", tax="0.00", payable="100.00")) == {"BR-S-05"}
    assert codes(invoice(percent=None, tax="0.00", payable="100.00")) == {"BR-48"}
    assert codes(invoice(code="XX")) == {"BR-CL-17"}


def test_the_tax_is_rounded_and_a_credit_in_parts_may_be_less_than_one_minor_unit_away():
    for kind, tax, payable, wanted in (
        ("Invoice", "19.01", "119.01", {"BR-CO-17"}),
        ("CreditNote", "19.01", "119.01", {"BR-CO-17"}),
    ):
        assert codes(invoice(kind=kind, tax=tax, payable=payable)) == wanted
    # 7.333 % of 100.00 are 7.333: 7.33 is rounded, 7.34 is less than a minor unit away.
    assert codes(invoice(percent="7.333", tax="7.33", payable="107.33")) == set()
    assert codes(invoice(percent="7.333", tax="7.34", payable="107.34")) == {"BR-CO-17"}
    assert codes(invoice(kind="CreditNote", percent="7.333", tax="7.34", payable="107.34")) == set()
    # 7.335 %: half a minor unit, which some round up and some to even.
    for tax, payable in (("7.33", "107.33"), ("7.34", "107.34")):
        assert codes(invoice(percent="7.335", tax=tax, payable=payable)) == set()


PAYABLE = '<cbc:PayableAmount currencyID="EUR">119.00'


@pytest.mark.parametrize(
    ("pairs", "wanted"),
    [
        (
            (('<cbc:LineExtensionAmount currencyID="EUR">100.00</cbc:LineExtensionAmount>', ""),),
            {"BR-12", "BR-CO-13"},
        ),
        (
            (('<cbc:TaxExclusiveAmount currencyID="EUR">100.00</cbc:TaxExclusiveAmount>', ""),),
            {"BR-13", "BR-CO-15"},
        ),
        (
            (('<cbc:TaxInclusiveAmount currencyID="EUR">119.00</cbc:TaxInclusiveAmount>', ""),),
            {"BR-14", "BR-CO-16"},
        ),
        (((f"{PAYABLE}</cbc:PayableAmount>", ""),), {"BR-15"}),
        (((PAYABLE, PAYABLE.replace("119.00", "119.01")),), {"BR-CO-16"}),
        (
            ((PAYABLE, f'<cbc:PrepaidAmount currencyID="EUR">19.00</cbc:PrepaidAmount>{PAYABLE}'),),
            {"BR-CO-16"},
        ),
        (
            (
                (
                    PAYABLE,
                    f'<cbc:PrepaidAmount currencyID="EUR">19.00</cbc:PrepaidAmount>{PAYABLE.replace("119", "100")}',
                ),
            ),
            set(),
        ),
        (
            (
                (
                    PAYABLE,
                    f'<cbc:PayableRoundingAmount currencyID="EUR">0.40</cbc:PayableRoundingAmount>{PAYABLE}',
                ),
            ),
            {"BR-CO-16"},
        ),
        (
            (
                (
                    PAYABLE,
                    f'<cbc:PayableRoundingAmount currencyID="EUR">-0.40</cbc:PayableRoundingAmount>{PAYABLE.replace("119.00", "118.60")}',
                ),
            ),
            set(),
        ),
        (
            (
                (
                    PAYABLE,
                    f'<cbc:AllowanceTotalAmount currencyID="EUR">1.00</cbc:AllowanceTotalAmount>{PAYABLE}',
                ),
            ),
            {"BR-CO-11", "BR-CO-13"},
        ),
        (
            ((PAYABLE, f'<cbc:ChargeTotalAmount currencyID="EUR">1.00</cbc:ChargeTotalAmount>{PAYABLE}'),),
            {"BR-CO-12", "BR-CO-13"},
        ),
        (((PAYABLE, PAYABLE.replace("EUR", "USD")),), {"PEPPOL-EN16931-R051"}),
        (((PAYABLE, PAYABLE.replace("119.00", "119.001")),), {"BR-CO-16", "BR-DEC"}),
        (
            (("</cbc:ID><cbc:Doc", "</cbc:ID><cbc:TaxCurrencyCode>SEK</cbc:TaxCurrencyCode><cbc:Doc"),),
            {"BR-53"},
        ),
        ((("<cac:Price>", "<cac:Price><cbc:BaseQuantity>0</cbc:BaseQuantity>"),), {"PEPPOL-EN16931-R121"}),
        ((("<cbc:InvoicedQuantity>4<", "<cbc:InvoicedQuantity>5<"),), {"PEPPOL-EN16931-R120"}),
        (
            (
                (
                    "<cac:Item>",
                    '<cac:AllowanceCharge><cbc:ChargeIndicator>false</cbc:ChargeIndicator><cbc:Amount currencyID="EUR">5.00</cbc:Amount></cac:AllowanceCharge><cac:Item>',
                ),
            ),
            {"PEPPOL-EN16931-R120"},
        ),
        (
            (
                (
                    "</cbc:PriceAmount>",
                    '</cbc:PriceAmount><cac:AllowanceCharge><cbc:ChargeIndicator>false</cbc:ChargeIndicator><cbc:Amount currencyID="EUR">5.00</cbc:Amount><cbc:BaseAmount currencyID="EUR">31.00</cbc:BaseAmount></cac:AllowanceCharge>',
                ),
            ),
            {"PEPPOL-EN16931-R046"},
        ),
        (
            (
                (
                    "</cbc:PriceAmount>",
                    '</cbc:PriceAmount><cac:AllowanceCharge><cbc:ChargeIndicator>true</cbc:ChargeIndicator><cbc:Amount currencyID="EUR">5.00</cbc:Amount><cbc:BaseAmount currencyID="EUR">30.00</cbc:BaseAmount></cac:AllowanceCharge>',
                ),
            ),
            {"PEPPOL-EN16931-R044"},
        ),
    ],
)
def test_each_rule_alone(pairs, wanted):
    assert codes(change(invoice(), *pairs)) == wanted


ALLOWANCE = (
    "<cac:AllowanceCharge><cbc:ChargeIndicator>{charge}</cbc:ChargeIndicator>{more}"
    '<cbc:Amount currencyID="EUR">10.00</cbc:Amount>{base}{category}</cac:AllowanceCharge>'
)


def allowed(charge="false", more="", base="", said=None):
    said = category("TaxCategory", "S", "19") if said is None else said
    return ALLOWANCE.format(charge=charge, more=more, base=base, category=said)


def test_allowances_of_the_document():
    lowered = change(
        invoice(more=allowed(), tax="17.10", payable="107.10"),
        ('TaxableAmount currencyID="EUR">100.00', 'TaxableAmount currencyID="EUR">90.00'),
        ('TaxExclusiveAmount currencyID="EUR">100.00', 'TaxExclusiveAmount currencyID="EUR">90.00'),
        ("<cbc:PayableAmount", f"{amount('AllowanceTotalAmount', '10.00')}<cbc:PayableAmount"),
    )
    assert codes(lowered) == set()
    assert codes(change(lowered, (amount("AllowanceTotalAmount", "10.00"), ""))) == {"BR-CO-11", "BR-CO-13"}
    assert codes(change(lowered, (category("TaxCategory", "S", "19"), ""))) == {"BR-32", "BR-S-08"}
    percent = "<cbc:MultiplierFactorNumeric>10</cbc:MultiplierFactorNumeric>"
    for inside, wanted in (
        (allowed(more=percent), {"PEPPOL-EN16931-R041"}),
        (allowed(base=amount("BaseAmount", "100.00")), {"PEPPOL-EN16931-R042"}),
        (allowed(more=percent, base=amount("BaseAmount", "100.00")), set()),
        (allowed(more=percent, base=amount("BaseAmount", "100.04")), set()),
        (allowed(more=percent, base=amount("BaseAmount", "100.10")), {"PEPPOL-EN16931-R040"}),
    ):
        assert codes(change(lowered, (allowed(), inside))) == wanted
    assert codes(change(lowered, ("<cbc:ChargeIndicator>false", "<cbc:ChargeIndicator>1"))) >= {
        "BR-CO-11",
        "BR-CO-12",
    }


def test_what_is_missing_is_named():
    without = change(
        invoice(), ("<cac:Item>" + category("ClassifiedTaxCategory", "S", "19") + "</cac:Item>", "")
    )
    assert codes(without) == {"BR-CO-04", "BR-S-08"}
    no_net = change(
        invoice(),
        (
            '</cbc:InvoicedQuantity><cbc:LineExtensionAmount currencyID="EUR">100.00</cbc:LineExtensionAmount>',
            "</cbc:InvoicedQuantity>",
        ),
    )
    assert codes(no_net) == {"BR-24", "BR-CO-10", "BR-S-08"}
    no_tax = change(
        invoice(),
        ('</cbc:TaxableAmount><cbc:TaxAmount currencyID="EUR">19.00</cbc:TaxAmount>', "</cbc:TaxableAmount>"),
    )
    assert codes(no_tax) == {"BR-46", "BR-CO-14"}
    no_taxable = change(invoice(), (amount("TaxableAmount", "100.00"), ""))
    assert codes(no_taxable) == {"BR-45", "BR-CO-17"}
    no_breakdown = invoice()
    start, end = no_breakdown.index("<cac:TaxSubtotal>"), no_breakdown.index("</cac:TaxTotal>")
    assert codes(no_breakdown[:start] + no_breakdown[end:]) == {"BR-CO-14", "BR-CO-18", "BR-S-01"}
    assert "BR-47" in codes(change(invoice(), (category("TaxCategory", "S", "19"), "")))


def test_a_breakdown_stands_once():
    text = invoice()
    start, end = text.index("<cac:TaxTotal>"), text.index("<cac:LegalMonetaryTotal>")
    assert codes(text[:end] + text[start:end] + text[end:]) >= {"PEPPOL-EN16931-R053", "BR-S-01"}


def test_three_decimals_where_the_currency_has_them():
    text = invoice().replace("EUR", "BHD").replace("100.00", "100.001")
    text = text.replace("119.00", "119.001").replace(">25<", ">25.00025<")
    assert codes(text) == set()


def test_findings_say_what_and_where():
    (finding,) = check_sums(
        read(change(invoice(), (PAYABLE, PAYABLE.replace("119.00", "120.5"))).encode()), EXPONENTS
    )
    assert str(finding) == (
        "BR-CO-16 at /Invoice/LegalMonetaryTotal/PayableAmount:"
        " 120.50, but the total with tax, less what was prepaid, makes 119.00"
    )
