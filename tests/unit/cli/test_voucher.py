"""A city programme by the command line, on a ledger with a thousand other statements: from grant to report."""

import json
import os
import shutil

import pytest

from play.claims import claim
from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.main import run
from pseudoledger.cli.nodes import Place
from pseudoledger.registrar import Registered
from pseudoledger.statement.values import format_instant, instant_seconds

DAY = 86_400
START = instant_seconds("2026-03-01T00:00:00Z")
MONTH = 30 * DAY
AROUND = 1_000
"""Statements of others on the ledger."""


class Office:
    """One folder with ledger and keys; commands run in this process at a given time."""

    def __init__(self, folder, monkeypatch, capsys=None):
        self.folder, self.capsys = folder, capsys
        for name in [name for name in os.environ if name.startswith("PSEUDOLEDGER_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(folder / "keys"))
        monkeypatch.setenv("PSEUDOLEDGER_DIR", str(folder / "led"))
        self.set = monkeypatch.setenv
        self.at(START - 10 * DAY)

    def at(self, seconds):
        self.now = seconds
        self.set("PSEUDOLEDGER_NOW", format_instant(seconds))

    def pl(self, *words, code=0):
        assert run([str(word) for word in words]) == code, words
        return self.capsys.readouterr() if self.capsys else None

    def ask(self, *words):
        return json.loads(self.pl(*words, "--json").out)

    def register(self, name, *papers):
        """Sign and register payloads that no command writes here."""
        desk = Desk(Place(directory=self.folder / "led"))
        try:
            signer = desk.signer(name)
            raws = [desk.sign(signer, tree, sub=sub).raw for tree, sub in papers]
            answers = desk.register(raws, dry_run=False)
        finally:
            desk.close()
        assert all(isinstance(answer, Registered) for answer in answers), answers

    def did(self, name):
        desk = Desk(Place(directory=self.folder / "led"))
        try:
            return desk.key(name).did
        finally:
            desk.close()

    def month(self, number):
        """Report, confirm and bill one month; it is over by an hour."""
        until = START + number * MONTH
        self.at(until + 3600)
        self.pl(
            "usage",
            "report",
            "L1",
            "--line",
            "h200",
            "--until",
            format_instant(until),
            "--full",
            "--as",
            "centre",
        )
        self.pl("usage", "confirm", "L1/h200", "--as", "lab")
        self.pl("invoice", "issue", "L1", f"INV-{number}", "--as", "centre")

    def redeem(self, number):
        self.pl("voucher", "present", "V-1", f"S-{number}", f"INV-{number}", "--as", "lab")
        self.pl("voucher", "redeem", f"S-{number}", "--as", "centre")

    def verified(self):
        report = verify(self.folder / "led")
        assert report.verdict is Verdict.VALID, report.first
        assert report.entries > AROUND


PROGRAMME = (
    *("voucher", "programme", "declare", "PR-1", "--title", "Harbour Compute", "--currency", "USD"),
    *("--budget", "1000000", "--face", "140000..280000", "--share", "state-run=45", "--share", "other=20"),
    *("--facility", "centre=state-run@CN:First Hall", "--condition", "revenue_at_least:1000000 USD@notary"),
    *("--condition", "research_project@notary|revenue_at_least:9000000 USD@notary"),
    *("--from", "2026-03-01", "--length", "760d", "--as", "city"),
)
TERM = ("--from", "2026-03-01", "--length", "720d")


@pytest.fixture(scope="module")
def grounds(tmp_path_factory):
    """A ledger with a lease that was delivered, a programme and a voucher, and a thousand pools beside."""
    folder = tmp_path_factory.mktemp("voucher")
    with pytest.MonkeyPatch.context() as patch:
        office = Office(folder, patch)
        office.pl("init", folder / "led", "--origin", "voucher.example", "--simulated-clock", "--unsealed")
        for name in ("city", "centre", "lab", "notary", "stranger"):
            office.pl("id", "new", name, "--unsealed")
        lines = [{"id": "cores", "resource": "cpu_core", "count": 4}]
        pools = ({"type": "pool.declared", "number": f"P-{n}", "lines": lines} for n in range(AROUND))
        office.register("stranger", *((tree, None) for tree in pools))
        office.pl("pool", "declare", "P1", "--line", "h200=8xnvidia-h200-sxm-141gb", "--as", "centre")
        office.pl(
            *("offer", "publish", "O1", "--pool", "P1", "--line", "h200=8@2.235/h", "--currency", "USD"),
            *("--country", "CN", "--from", "2026-03-01", "--until", "2028-12-31", "--max", "730d"),
            *("--as", "centre"),
        )
        office.pl("lease", "propose", "L1", "--line", "O1/h200=8", *TERM, "--as", "lab")
        office.pl("lease", "sign", "L1", "--as", "centre")
        office.pl(*PROGRAMME)
        office.pl("voucher", "issue", "PR-1", "V-1", "lab", "--face", "140000", *TERM, "--as", "city")
        office.at(START)
        office.pl("delivery", "offer", "L1", "H1", "--as", "centre")
        office.pl("delivery", "accept", "H1", "--as", "lab")
        valid = {"from": format_instant(START), "until": format_instant(START + 900 * DAY)}
        least = {"currency": "USD", "amount_minor": 200_000_000}
        revenue = claim("revenue_at_least", number="C1", at_least=least, valid=valid)
        project = claim("research_project", number="C2", valid=valid)
        lab = office.did("lab")
        office.register("notary", (revenue, lab), (project, lab))
    return folder


@pytest.fixture
def office(grounds, tmp_path, monkeypatch, capsys):
    """A copy of these grounds."""
    folder = tmp_path / "city"
    shutil.copytree(grounds, folder)
    capsys.readouterr()
    office = Office(folder, monkeypatch, capsys)
    office.at(START)
    return office


def test_a_voucher_of_140000_covers_24_months_and_leaves_965_12(office):
    """8 H200 at 17.88 USD an hour for 720 h are 12,873.60; 45 % of it are 5,793.12."""
    for number in range(1, 25):
        office.month(number)
        office.redeem(number)
        if number == 1:
            invoice = office.ask("invoice", "show", "INV-1")
            assert (invoice["total_minor"], invoice["voucher_minor"]) == (1_287_360, 579_312)
            assert invoice["open_minor"] == 1_287_360 - 579_312
    voucher = office.ask("voucher", "show", "V-1")
    assert voucher["redeemed_minor"] == 24 * 579_312
    assert voucher["free_minor"] == 96_512
    assert "965.12 USD" in office.pl("voucher", "show", "V-1").out
    statement = office.ask("lease", "statement", "L1")
    assert statement["voucher_minor"] == 24 * 579_312
    assert statement["open_minor"] == 24 * (1_287_360 - 579_312)
    office.verified()
    # What is left lapses, and the report says so.
    office.at(START + 720 * DAY + 90 * DAY)
    report = office.ask("voucher", "report", "PR-1")
    assert (report["lapsed_minor"], report["unspent_minor"], report["out_minor"]) == (96_512, 96_512, 0)
    assert report["left_minor"] == 100_000_000 - 14_000_000


def test_a_credit_note_gives_the_issuers_part_back_to_the_issuer(office):
    office.month(1)
    office.redeem(1)
    office.pl("voucher", "settle", "T-1", "--presentation", "S-1", "--ref", "SEPA:CITY-1", "--as", "city")
    office.pl(
        "invoice",
        "credit",
        "INV-1",
        "CN-1",
        "--line",
        "h200=1000.00",
        "--reason",
        "service_level",
        "--as",
        "centre",
    )
    invoice = office.ask("invoice", "show", "INV-1")
    assert invoice["voucher_minor"] == 579_312 - 45_000
    assert invoice["open_minor"] == 1_287_360 - 100_000 - 579_312 + 45_000
    (presented,) = office.ask("voucher", "show", "V-1")["presentations"]
    assert (presented["due_back_minor"], presented["status"]) == (45_000, "due back")
    assert [task["what"] for task in office.ask("todo", "--as", "centre")] == [
        "a redemption is due back to its issuer"
    ]
    (task,) = (t for t in office.ask("todo", "--as", "city") if "due back" in t["what"])
    assert task["commands"] == [
        f"pl voucher settle NUMBER --presentation {presented['id'][:12]} --ref SCHEME:REFERENCE"
    ]
    office.pl("voucher", "settle", "T-2", "--presentation", "S-1", "--ref", "SEPA:BACK-1", "--as", "city")
    assert office.ask("voucher", "show", "V-1")["presentations"][0]["status"] == "settled"
    office.pl("voucher", "claw-back", "K-1", "S-1", "--reason", "condition", "--as", "city")
    assert office.ask("invoice", "show", "INV-1")["open_minor"] == 1_287_360 - 100_000
    assert "450.00 USD by credit notes, 5343.12 USD clawed back" in office.pl("voucher", "report", "PR-1").out
    office.verified()


def test_a_redemption_is_not_had_twice(office):
    office.month(1)
    office.redeem(1)
    said = office.pl("voucher", "redeem", "S-1", "--as", "centre", "--amount", "1.00 USD", code=1)
    assert "voucher.answered" in said.err
    said = office.pl("voucher", "present", "V-1", "S-9", "INV-1", "--as", "lab", code=2)
    assert "nothing of the voucher fits" in said.err
    office.pl("voucher", "present", "V-1", "S-9", "INV-1", "--amount", "1.00", "--as", "lab")
    said = office.pl("voucher", "redeem", "S-9", "--amount", "1.00", "--as", "centre", code=1)
    assert "voucher.above_share" in said.err
    office.pl("voucher", "release", "V-1", "F-1", "--presentation", "S-9", "--as", "lab")


def test_reserve_release_and_revoke(office):
    office.pl("voucher", "reserve", "V-1", "R-1", "--lease", "L1", "--amount", "20000", "--as", "lab")
    office.pl("voucher", "release", "V-1", "F-1", "--lease", "L1", "--amount", "500", "--as", "lab")
    assert office.ask("voucher", "show", "V-1")["reserved_minor"] == 1_950_000
    office.pl("voucher", "revoke", "V-1", "--reason", "programme", "--as", "city")
    (voucher,) = office.ask("voucher", "list", "--all")
    assert (voucher["status"], voucher["withdrawn_minor"]) == ("revoked", 14_000_000)
    assert office.ask("voucher", "list") == []
    (programme,) = office.ask("voucher", "programme", "list")
    assert programme["left_minor"] == 100_000_000
    voucher_id = voucher["id"]
    office.pl("lease", "end", "L1", "--code", "20001", "--entry", voucher_id, "--as", "lab")
    assert "First Hall" in office.pl("voucher", "programme", "show", "PR-1").out
    office.verified()


VOUCHER = {
    *("id", "number", "entry", "programme", "programme_number", "issuer", "holder", "group", "currency"),
    *("face_minor", "free_minor", "reserved_minor", "presented_minor", "redeemed_minor", "lapsed_minor"),
    *("withdrawn_minor", "start", "until", "expires_at", "revoked_at", "status"),
}


def test_the_json_of_vouchers_keeps_its_fields(office):
    (row,) = office.ask("voucher", "list", "--all")
    shown = office.ask("voucher", "show", "V-1")
    assert row.keys() == VOUCHER
    assert shown.keys() == VOUCHER | {"presentations"}
    assert {name: shown[name] for name in VOUCHER} == row
    (programme,) = office.ask("voucher", "programme", "list")
    assert programme.keys() == {
        *("id", "entry", "issuer", "currency", "payload", "vouchers"),
        *("issued_minor", "redeemed_minor", "withdrawn_minor", "left_minor"),
    }


def test_capacity_is_set_against_what_is_out(office):
    """All eight chips are leased: nobody could redeem what is out."""
    report = office.ask("voucher", "report", "PR-1")
    assert (report["out_minor"], report["capacity_minor"], report["short_minor"]) == (
        14_000_000,
        0,
        14_000_000,
    )
    assert report["says"] == "vouchers help with cost, not with scarcity"
    office.pl("lease", "end", "L1", "--code", "1", "--as", "lab")
    report = office.ask("voucher", "report", "PR-1")
    hours = 760 * 24 + 10 * 24 - 10 * 24
    assert report["capacity_minor"] == 8 * 2_235 * hours // 10 * 45 // 100
    assert "not with scarcity" not in office.pl("voucher", "report", "PR-1").out


def test_offers_of_one_pool_are_counted_once(office):
    office.pl("lease", "end", "L1", "--code", "1", "--as", "lab")
    before = office.ask("voucher", "report", "PR-1")["capacity_minor"]
    office.pl(
        *("offer", "publish", "O2", "--pool", "P1", "--line", "h200=8@1.00/h", "--currency", "USD"),
        *("--country", "CN", "--from", "2026-03-01", "--until", "2028-12-31", "--as", "centre"),
    )
    assert office.ask("voucher", "report", "PR-1")["capacity_minor"] == before > 0


HEAD = "number,holder,face,from,until,remark\n"


def write(office, text):
    path = office.folder / "round.csv"
    path.write_text(text, encoding="utf-8")
    return path


def rows(count, face="140000"):
    return "".join(f"B-{n},stranger,{face},2026-03-01,2028-01-01,round one\n" for n in range(count))


def test_many_vouchers_are_issued_in_one_batch(office):
    path = write(office, HEAD + rows(6))
    office.pl("voucher", "issue-all", "PR-1", path, "--as", "city", "--dry-run")
    assert len(office.ask("voucher", "list")) == 1
    made = office.ask("voucher", "issue-all", "PR-1", path, "--as", "city")
    indexes = [item["index"] for item in made]
    assert indexes == list(range(indexes[0], indexes[0] + 6))
    assert office.ask("voucher", "report", "PR-1")["left_minor"] == 100_000_000 - 7 * 14_000_000
    office.verified()


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("number,holder,face\n", 2, "line 1: no 'from', no 'until'"),
        ("number,holder,face,from,until,remark,face\n", 2, "line 1: 'face' twice"),
        (HEAD + 'B-9,"lab', 2, "line 2: unexpected end of data"),
        (HEAD + "B-9,lab,1e999999,2026-03-01,2028-01-01,\n", 2, "line 2: face"),
        (HEAD + rows(1) + "B-9,nobody,140000,2026-03-01,2028-01-01,\n", 2, "line 3: holder"),
        (HEAD + "B-9,lab,140000 CNY,2026-03-01,2028-01-01,\n", 2, "line 2: face: the amount is in CNY"),
        (HEAD + "B-9,lab,140000\n", 2, "line 2: it has another number of fields"),
        (HEAD + "B-9,,140000,2026-03-01,2028-01-01,\n", 2, "line 2: holder left empty"),
        (HEAD + rows(2) + "B-1,lab,140000,2026-03-01,2028-01-01,\n", 1, "line 4: the number was used before"),
        (HEAD + rows(7), 1, "line 8: 2000000 of the budget are left"),
        (HEAD + "B-9,lab,139999,2026-03-01,2028-01-01,\n", 1, "line 2: a voucher of the programme is worth"),
        (HEAD + "B 9,lab,140000,2026-03-01,2028-01-01,\n", 1, "line 2"),
    ],
)
def test_nothing_is_issued_of_a_file_with_a_line_that_does_not_fit(office, text, code, said):
    path = write(office, text)
    shown = office.pl("voucher", "issue-all", "PR-1", path, "--as", "city", code=code)
    assert said in shown.err
    assert len(office.ask("voucher", "list", "--all")) == 1
