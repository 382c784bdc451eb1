"""`invoice export`: our invoices and credit notes as UBL, through the command line."""

import json
import shutil

import pytest
from lxml import etree

from pseudoledger.contract.tables import newest_exponents
from pseudoledger.market.ubl.document import CAC, CBC, read
from pseudoledger.market.ubl.sums import check_sums

NAMES = {"cac": CAC, "cbc": CBC}
DOCUMENTS = ("2026-1", "C-1", "CN-1")


def told(path, expression):
    found = etree.parse(path).xpath(expression, namespaces=NAMES)
    return [getattr(item, "text", item) for item in found]


@pytest.mark.parametrize("number", DOCUMENTS)
def test_an_export_adds_up_and_is_written_once(office, tmp_path, number):
    file = tmp_path / "out.xml"
    assert office.run("invoice", "export", number, "--ubl", "-o", file) == 0, office.err
    assert check_sums(read(file.read_bytes()), newest_exponents()) == ()
    assert office.run("invoice", "check", file) == 0
    assert "adds up" in office.out
    assert office.run("invoice", "export", number, "--ubl", "-o", file) == 2
    assert "is there already" in office.err
    assert office.run("verify", office.folder / "led", "--json") == 0
    assert json.loads(office.out)["entries"] > 1_000


def test_an_invoice_says_what_the_ledger_says(office, tmp_path):
    file = tmp_path / "out.xml"
    words = ("--ubl", "--details", office.folder / "firms.toml", "-o", file, "--json")
    assert office.run("invoice", "export", "2026-1", *words) == 0, office.err
    said = json.loads(office.out)
    assert said["payable_minor"] == 323_585
    assert said["lacking"] == []
    assert office.run("invoice", "show", "2026-1", "--json") == 0
    payload = json.loads(office.out)["payload"]
    names = "//cac:PartyLegalEntity/cbc:RegistrationName"
    assert told(file, names) == ["North Lake Oy", "Harbour & Söhne <Labs>"]
    assert told(file, "//cbc:PayableAmount") == ["3235.85"]
    assert told(file, "/*/cac:TaxTotal/cbc:TaxAmount") == ["516.65"]
    assert told(file, "/*/cbc:DueDate") == [payload["due_date"]]
    assert told(file, "/*/cac:InvoicePeriod/*") == ["2026-03-01", "2026-03-14"]
    assert told(file, "/*/cac:ContractDocumentReference/cbc:ID") == [payload["contract"]]
    assert told(file, "/*/cac:AdditionalDocumentReference/cbc:ID") == [said["id"]]
    assert told(file, "//cac:PayeeFinancialAccount/cbc:ID") == ["DE89370400440532013000"]
    (line,) = payload["lines"]
    assert told(file, "//cbc:InvoicedQuantity") == [str(line["quantity"])]
    assert told(file, "//cac:Price/*") == ["2.20", "3600"]
    assert told(file, "//cac:AdditionalItemProperty/cbc:Value") == line["reports"]
    assert told(file, "//cac:Country/cbc:IdentificationCode") == ["FI", "DE"]
    assert told(file, "//cac:PartyTaxScheme/cbc:CompanyID") == ["FI12345678", "DE123456789"]
    assert "simulated" in told(file, "/*/cbc:Note")[0]


def test_a_credit_note_names_its_invoice(office, tmp_path):
    file = tmp_path / "out.xml"
    assert office.run("invoice", "export", "CN-1", "--ubl", "-o", file, "--json") == 0, office.err
    said = json.loads(office.out)
    assert (said["document"], said["payable_minor"]) == ("credit", 11_900)
    assert etree.QName(etree.parse(file).getroot()).localname == "CreditNote"
    assert told(file, "//cac:InvoiceDocumentReference/cbc:ID") == ["2026-1"]
    assert told(file, "//cac:CreditNoteLine/cbc:LineExtensionAmount") == ["100.00"]
    assert told(file, "//cbc:CreditNoteTypeCode") == ["381"]
    begin = said["id"][:12]
    assert office.run("invoice", "export", begin, "--ubl", "-o", tmp_path / "again.xml") == 0
    assert (tmp_path / "again.xml").read_bytes() == file.read_bytes()


def test_a_commission_names_the_broker_and_no_vat_identifier_outside_its_scope(office, tmp_path):
    file = tmp_path / "out.xml"
    words = ("--ubl", "--details", office.folder / "firms.toml", "-o", file)
    assert office.run("invoice", "export", "C-1", *words) == 0, office.err
    assert told(file, "//cbc:RegistrationName") == ["Carol Brokers", "North Lake Oy"]
    assert told(file, "//cac:TaxSubtotal//cbc:Percent") == []
    assert told(file, "//cbc:TaxExemptionReason") == ["Outside the scope of tax"]
    assert told(file, "//cac:PartyTaxScheme") == []


def test_without_disclosed_names_it_refuses_and_says_which_to_get(office, tmp_path, monkeypatch):
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(tmp_path / "none"))
    file = tmp_path / "out.xml"
    assert office.run("invoice", "export", "2026-1", "--ubl", "-o", file) == 1
    assert not file.exists()
    assert office.run("invoice", "show", "2026-1", "--json") == 0
    shown = json.loads(office.out)
    office.run("invoice", "export", "2026-1", "--ubl", "-o", file)
    seller, buyer, hint = office.err.splitlines()
    assert "BT-27" in seller
    assert f"/seller_name of invoice {shown['id']}" in seller
    assert "BT-44" in buyer
    assert f"/terms/lessee_name of terms {shown['contract']}" in buyer
    assert "--disclosures" in hint


def test_disclosures_handed_over_open_it(office, tmp_path, monkeypatch):
    kept = office.folder / "keys" / "disclosures"
    assert office.run("invoice", "show", "2026-1", "--json") == 0
    shown = json.loads(office.out)
    got = tmp_path / "got.disclosures.json"
    shutil.copy(kept / f"{shown['contract']}.disclosures.json", got)
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(tmp_path / "none"))
    file = tmp_path / "out.xml"
    assert office.run("invoice", "export", "2026-1", "--ubl", "--disclosures", got, "-o", file) == 0, (
        office.err
    )
    assert told(file, "//cbc:RegistrationName") == ["North Lake Oy", "Harbour & Söhne <Labs>"]
    office.run("invoice", "show", "C-1", "--json")
    other = kept / f"{json.loads(office.out)['id']}.disclosures.json"
    assert (
        office.run("invoice", "export", "2026-1", "--ubl", "--disclosures", other, "-o", tmp_path / "x") == 2
    )
    assert "does not need" in office.err


def test_a_disclosure_of_something_else_opens_nothing(office, tmp_path):
    kept = office.folder / "keys" / "disclosures"
    office.run("invoice", "show", "2026-1", "--json")
    shown = json.loads(office.out)
    terms = json.loads((kept / f"{shown['contract']}.disclosures.json").read_text())
    forged = tmp_path / "forged.json"
    forged.write_text(json.dumps({"statement": shown["id"], "disclosures": terms["disclosures"]}))
    assert (
        office.run("invoice", "export", "2026-1", "--ubl", "--disclosures", forged, "-o", tmp_path / "x") == 1
    )
    assert "no digest of the statement fits" in office.err
    forged.write_text("[]")
    assert (
        office.run("invoice", "export", "2026-1", "--ubl", "--disclosures", forged, "-o", tmp_path / "x") == 1
    )
    assert "is not a disclosure file" in office.err


def test_what_no_ledger_holds_is_named(office, tmp_path):
    assert office.run("invoice", "export", "2026-1", "--html", "-o", tmp_path / "a.html", "--json") == 0
    assert json.loads(office.out)["lacking"] == [
        "BT-40 country of the seller",
        "BT-55 country of the buyer",
        "BT-31 VAT identifier of the seller",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"[parties.bob]\ncountry = 'Finland'\n", "parties.bob.country"),
        (b"[parties.bob]\nshoe_size = 44\n", "parties.bob.shoe_size"),
        (b'[parties.bob]\ncity = "K\\u0007iel"\n', "control characters"),
        (b"[parties\n", "is not TOML"),
        (b"\xff", "is not TOML"),
    ],
)
def test_details_are_read_strictly(office, tmp_path, content, complaint):
    (tmp_path / "firms.toml").write_bytes(content)
    words = ("--ubl", "--details", tmp_path / "firms.toml", "-o", tmp_path / "out.xml")
    assert office.run("invoice", "export", "2026-1", *words) == 1
    assert complaint in office.err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("2026-1",), "say what to write"),
        (("2026-1", "--ubl", "--html"), "say what to write"),
        (("2026-1", "--html", "--lang", "de"), "--lang"),
        (("nothing", "--ubl"), "there is no invoice"),
    ],
)
def test_wrong_use_is_said(office, tmp_path, words, complaint):
    assert office.run("invoice", "export", *words, "-o", tmp_path / "out") == 2
    assert complaint in office.err


def test_a_check_names_what_does_not_add_up(office, tmp_path):
    file = tmp_path / "out.xml"
    assert office.run("invoice", "export", "2026-1", "--ubl", "-o", file) == 0
    file.write_bytes(
        file.read_bytes().replace(b">3235.85</cbc:PayableAmount>", b">3235.86</cbc:PayableAmount>")
    )
    assert office.run("invoice", "check", file) == 1
    assert office.err.startswith("found: BR-CO-16 at /Invoice/LegalMonetaryTotal/PayableAmount: 3235.86, but")
    assert office.run("invoice", "check", file, "--json") == 1
    said = json.loads(office.out)
    assert said["adds_up"] is False
    assert [item["code"] for item in said["findings"]] == ["BR-CO-16"]
    file.write_bytes(b"<Invoice/>")
    assert office.run("invoice", "check", file) == 1
    with file.open("wb") as empty:
        empty.truncate(20 * 1024 * 1024)
    assert office.run("invoice", "check", file) == 1
    assert "is larger than" in office.err
    assert office.run("invoice", "check", tmp_path / "nothing.xml") == 3
