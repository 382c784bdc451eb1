"""Reading UBL from strangers: what is not a plain, bounded document is refused, by name."""

import pytest

from pseudoledger.errors import MalformedError
from pseudoledger.market.ubl import document
from pseudoledger.market.ubl.document import read

HEAD = (
    '<Invoice xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"'
    ' xmlns:cac="urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2"'
    ' xmlns:cbc="urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2">'
)
TOTALS = '<cac:LegalMonetaryTotal><cbc:PayableAmount currencyID="EUR">1.00</cbc:PayableAmount></cac:LegalMonetaryTotal>'


def small(inside="", totals=TOTALS):
    return f"{HEAD}<cbc:ID>1</cbc:ID>{inside}{totals}</Invoice>".encode()


def refusal(raw):
    with pytest.raises(MalformedError) as caught:
        read(raw)
    assert caught.value.code == "ubl.form"
    return caught.value


def test_a_plain_document_is_read():
    found = read(small())
    assert (found.kind, found.number) == ("Invoice", "1")
    assert found.totals.payable.value == 1
    assert read(b"\xef\xbb\xbf" + small()) == found


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "not well-formed"),
        (b"<Invoice", "not well-formed"),
        (b"<Invoice/>", "not an Invoice"),
        (small().replace(b"Invoice-2", b"Order-2"), "not an Invoice"),
        (small().decode().encode("utf-16"), "not UTF-8"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + small(), "convert it to UTF-8"),
        (b"\xff", "not UTF-8"),
        (small(totals=""), "BG-22"),
        (small(totals=TOTALS * 2), "stands 2 times"),
        (small(totals=TOTALS.replace("1.00", "1,00")), "no decimal number"),
        (small(totals=TOTALS.replace("1.00", "1e3")), "no decimal number"),
        (small(totals=TOTALS.replace("1.00", "NaN")), "no decimal number"),
        (small(totals=TOTALS.replace("1.00", "9" * 31)), "no decimal number"),
        (small(totals=TOTALS.replace("1.00", "")), "no decimal number"),
        (small(totals=TOTALS.replace("1.00", "<cbc:ID>1</cbc:ID>")), "text is wanted"),
        (small("<cac:TaxTotal/>"), "a tax total has an amount"),
        (small("<cac:AllowanceCharge/>"), "which it is, and its amount"),
        (small("<cbc:ID>2</cbc:ID>"), "stands 2 times"),
        (small("<a>" * 300 + "</a>" * 300), "not well-formed"),
    ],
)
def test_what_cannot_be_trusted_is_refused(raw, complaint):
    assert complaint in refusal(raw).message


def test_nothing_is_expanded_or_fetched(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("12.00")
    for declared in (
        f'<!ENTITY x SYSTEM "file://{secret}">',
        '<!ENTITY a "1"><!ENTITY x "&a;&a;">',
        '<!ENTITY % p SYSTEM "http://127.0.0.1:9/p"> %p;',
    ):
        raw = f"<!DOCTYPE Invoice [{declared}]>".encode() + small(totals=TOTALS.replace("1.00", "&x;"))
        assert "document type declaration" in refusal(raw).message
    assert "not well-formed" in refusal(small(totals=TOTALS.replace("1.00", "&x;"))).message


def test_the_size_is_bounded(monkeypatch):
    monkeypatch.setattr(document, "FILE_BYTES_MAX", 100)
    assert "at most 100 bytes" in refusal(small()).message


def test_a_comment_within_a_number_does_not_hide_a_part_of_it():
    raw = small(totals=TOTALS.replace("1.00", "1<!-- -->2.00"))
    assert read(raw).totals.payable.value == 12


def test_places_are_numbered_where_several_are_called_so():
    line = '<cac:InvoiceLine><cbc:LineExtensionAmount currencyID="EUR">{}</cbc:LineExtensionAmount></cac:InvoiceLine>'
    found = read(small(line.format("1.00") + line.format("2.00")))
    assert [item.where for item in found.lines] == ["/Invoice/InvoiceLine[1]", "/Invoice/InvoiceLine[2]"]
    assert found.lines[1].net.where == "/Invoice/InvoiceLine[2]/LineExtensionAmount"
    error = refusal(small(line.format("1.00") + line.format("x")))
    assert error.field == "/Invoice/InvoiceLine[2]/LineExtensionAmount"


def test_many_lines_are_read_in_one_pass():
    line = '<cac:InvoiceLine><cbc:LineExtensionAmount currencyID="EUR">1</cbc:LineExtensionAmount></cac:InvoiceLine>'
    assert len(read(small(line * 20_000)).lines) == 20_000
