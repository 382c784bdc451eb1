"""Other people's invoices: nine published examples add up, and no mutated total passes.

The files are not ours and stay outside the repository; PSEUDOLEDGER_SHARED names their folder.
"""

import os
from fractions import Fraction
from pathlib import Path

import pytest
from lxml import etree

from pseudoledger.contract.tables import newest_exponents
from pseudoledger.market.ubl.document import read
from pseudoledger.market.ubl.sums import check_sums

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / os.environ.get("PSEUDOLEDGER_SHARED", "../shared") / "data" / "ubl" / "peppol"
FILES = sorted(FOLDER.glob("*.xml"))

pytestmark = pytest.mark.skipif(not FILES, reason=f"{FOLDER} is not there")
EXPONENTS = newest_exponents()


def codes(root):
    return {finding.code for finding in check_sums(read(etree.tostring(root)), EXPONENTS)}


def amounts(root):
    return [found for found in root.iter(etree.Element) if "currencyID" in found.attrib]


def step(found):
    """The smallest change that has to be seen: one minor unit.

    The base of a percentage shows nothing until its share moves by a minor unit, because the share is rounded.
    """
    minor = Fraction(1, 10 ** EXPONENTS[found.get("currencyID")])
    if etree.QName(found).localname != "BaseAmount":
        return minor
    percent = found.getparent().find("{*}MultiplierFactorNumeric")
    return minor if percent is None else minor * 100 / Fraction(percent.text)


def decimal(value):
    scaled = value * 10**6
    assert scaled.denominator == 1
    return f"{'-' if scaled < 0 else ''}{abs(scaled.numerator) // 10**6}.{abs(scaled.numerator) % 10**6:06}"


def in_accounting_currency(found):
    """The tax again in the currency of the accounts (BT-111): without a rate in the document nothing checks it."""
    total = found.getparent()
    return etree.QName(total).localname == "TaxTotal" and total.find("{*}TaxSubtotal") is None


def test_all_nine_are_there():
    assert len(FILES) == 9


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_they_add_up(file):
    assert check_sums(read(file.read_bytes()), EXPONENTS) == ()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_mutated_amount_is_caught(file):
    root = etree.fromstring(file.read_bytes())
    unseen = []
    for found in amounts(root):
        before = found.text
        for sign in (1, -1):
            found.text = decimal(Fraction(before.strip()) + sign * step(found))
            if not codes(root):
                unseen.append(found)
        found.text = before
    assert all(map(in_accounting_currency, unseen)), [etree.QName(found).localname for found in unseen]
    assert len(unseen) == (2 if file.stem == "Allowance-example" else 0)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_quantity_rate_and_category_counts(file):
    root = etree.fromstring(file.read_bytes())
    names = ("InvoicedQuantity", "CreditedQuantity", "BaseQuantity", "Percent", "MultiplierFactorNumeric")
    for name in names:
        for found in root.iter(f"{{*}}{name}"):
            before, found.text = found.text, decimal(Fraction(found.text.strip()) + 1)
            assert codes(root), name
            found.text = before
    for found in root.iter("{*}ChargeIndicator"):
        if etree.QName(found.getparent().getparent()).localname == "Price":
            continue
        before, found.text = found.text, "false" if found.text == "true" else "true"
        assert codes(root)
        found.text = before


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_total_that_is_left_out_is_missed(file):
    root = etree.fromstring(file.read_bytes())
    totals = root.find("{*}LegalMonetaryTotal")
    for found in list(totals):
        place = totals.index(found)
        totals.remove(found)
        assert codes(root), etree.QName(found).localname
        totals.insert(place, found)
    for found in (*root.findall("{*}TaxTotal/{*}TaxSubtotal"), *root.findall("{*}InvoiceLine")):
        parent = found.getparent()
        place = parent.index(found)
        parent.remove(found)
        assert codes(root)
        parent.insert(place, found)
    assert codes(root) == set()
