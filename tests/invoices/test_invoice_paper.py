"""Drawing up papers from the book: what is refused, and what replaces what."""

import pytest

from play import Deal
from pseudoledger.contract.ruleset import newest_tables
from pseudoledger.contract.tables import newest_exponents
from pseudoledger.errors import MalformedError
from pseudoledger.market.ubl.names import Details
from pseudoledger.market.ubl.paper import Earlier, Place, Sealed, lacking, paper_of_invoice
from pseudoledger.market.ubl.write import to_ubl

PLACE = Place(origin="play.example/market", ledger="00" * 32, simulated=False)


def drawn(deal, invoice, opened, **more):
    (found,) = [item for item in deal.table.history if item.statement.id == invoice]
    said = Sealed(id=invoice, index=found.index, time=found.now, payload=found.payload, opened=opened)
    return paper_of_invoice(
        deal.table.book,
        said,
        place=PLACE,
        exponents=newest_exponents(),
        terms_opened={},
        details=Details(),
        **more,
    )


NAMES = {"/seller_name": "North Lake Oy", "/buyer_name": "Harbour Labs"}


def test_the_decimals_are_those_of_the_pinned_table():
    assert dict(newest_tables())
    assert {code: newest_exponents()[code] for code in ("EUR", "JPY", "BHD")} == {
        "EUR": 2,
        "JPY": 0,
        "BHD": 3,
    }


def test_a_cancelled_invoice_is_not_exported():
    deal = Deal().invoiced()
    assert drawn(deal, deal.invoice, NAMES).seller.name == "North Lake Oy"
    deal.table.act(deal.lessor, {"type": "invoice.cancelled", "v": 1}, deal.invoice)
    with pytest.raises(MalformedError) as caught:
        drawn(deal, deal.invoice, NAMES)
    assert caught.value.code == "ubl.cancelled"


@pytest.mark.parametrize("known", ["/seller_name", "/buyer_name"])
def test_one_name_is_not_enough(known):
    deal = Deal().invoiced()
    with pytest.raises(MalformedError) as caught:
        drawn(deal, deal.invoice, {known: NAMES[known]})
    (finding,) = caught.value.findings
    assert finding.code == "ubl.name_not_disclosed"
    assert known not in finding.message


def test_what_it_replaces_is_named_and_a_real_clock_needs_no_note():
    deal = Deal().invoiced()
    paper = drawn(deal, deal.invoice, NAMES, replaced=Earlier(number="OLD-1", time=0))
    text = to_ubl(paper).decode()
    assert "<cbc:ID>OLD-1</cbc:ID>" in text
    assert "<cbc:IssueDate>1970-01-01</cbc:IssueDate>" in text
    assert "simulated" not in text
    assert "BT-40 country of the seller" in lacking(paper)
