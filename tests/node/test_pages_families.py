"""Pages of programmes, vouchers, machines and disputes over a whole played month: what they say is what the book holds."""

import pytest
from api_world import World
from pages_site import Read

from pseudoledger.contract.account import lease_account
from pseudoledger.contract.things import Lease
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.node.pages.language import CODES, language


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("pages") / "month")
    yield made
    made.close()


def first(world, cls):
    return next(iter(world.stage.registrar.book.all(cls)))


def read(world, path, lang="en"):
    answer = world.get(path, params={"lang": lang})
    assert answer.status_code == 200, answer.text
    return Read(answer.text)


def links(page):
    return {found.get("href", "").partition("?")[0] for found in page.all("a")}


@pytest.mark.parametrize("lang", CODES)
def test_a_programme_shows_its_budget_and_each_centre(world, lang):
    key, programme = first(world, Programme)
    page = read(world, f"/programmes/{key}", lang)
    words = language(lang).words
    assert f"{programme.left_minor / 100:,.2f} USD" in page.whole
    assert words["centres.none"] not in page.whole
    assert "quillmere-hall" in page.whole.partition(words["centres.title"])[2]
    assert f"/programmes/{key}" in links(read(world, "/programmes", lang))


@pytest.mark.parametrize("lang", CODES)
def test_the_bar_of_a_voucher_is_as_long_as_its_face(world, lang):
    key, voucher = first(world, Voucher)
    page = read(world, f"/vouchers/{key}", lang)
    parts = [found for found in page.all("rect") if "part " in found["class"] and "%" in found["width"]]
    assert sum(float(found["width"].rstrip("%")) for found in parts) == pytest.approx(100, abs=0.05)
    assert [found["class"] for found in parts] == [
        "part part-free",
        "part part-redeemed",
        "part part-withdrawn",
    ]
    ends = [float(found["x"].rstrip("%")) for found in parts]
    assert ends == sorted(ends, reverse=lang == "ar"), "in Arabic the bar runs from right to left"
    assert f"{voucher.redeemed_minor / 100:,.2f} USD" in page.whole
    assert f"/programmes/{voucher.programme}" in links(page)


@pytest.mark.parametrize("lang", CODES)
def test_a_lease_says_what_vouchers_cover_of_it(world, lang):
    book = world.stage.registrar.book
    covered = {item.lease for _, item in book.all(Presentation) if item.redeemed_minor}
    label = language(lang).words["money.vouchers"]
    for key, _ in book.all(Lease):
        page = read(world, f"/leases/{key}", lang)
        assert (label in page.whole) == (key in covered)
        if key in covered:
            minor = lease_account(book, key, world.stage.now).voucher_minor
            assert f"{minor / 100:,.2f} USD" in page.whole.partition(label)[2]
    assert covered


def test_vouchers_are_narrowed_and_lead_from_their_holder(world):
    key, voucher = first(world, Voucher)
    assert f"/vouchers/{key}" in links(read(world, f"/identities/{voucher.holder}"))
    for query, found in (
        (f"holder={voucher.holder}", True),
        (f"holder={voucher.issuer}", False),
        (f"programme={voucher.programme}", True),
        (f"programme={'0' * 64}", False),
        ("state=open", True),
        ("state=revoked", False),
    ):
        page = Read(world.get(f"/vouchers?{query}").text)
        assert (f"/vouchers/{key}" in links(page)) == found, query


@pytest.mark.parametrize("lang", CODES)
def test_a_machine_shows_the_countries_it_passed_and_its_gap(world, lang):
    key, _ = first(world, Asset)
    page = read(world, f"/machines/{key}", lang)
    words = language(lang).words
    assert f"SE {words['sign.then']} DE" in page.whole
    assert words["gap.said.in_transit"] in page.whole
    lanes = [found["class"] for found in page.all("rect") + page.all("circle")]
    assert {"bar way is-term", "bar DE is-term", "dot SE"} <= set(lanes)
    assert f"/machines/{key}" in links(Read(world.get("/machines?country=de").text))
    assert f"/machines/{key}" not in links(Read(world.get("/machines?country=FI").text))


@pytest.mark.parametrize("lang", CODES)
def test_a_dispute_shows_its_arbiter_and_what_it_came_to(world, lang):
    key, dispute = first(world, Dispute)
    page = read(world, f"/disputes/{key}", lang)
    assert f"/identities/{dispute.arbiter}" in links(page)
    assert "1,200.00 USD" in page.whole
    assert language(lang).words["freeze.over"] in page.whole
    lease = read(world, f"/leases/{dispute.lease}", lang)
    assert f"/disputes/{key}" in links(lease)
    assert any(f"/disputes?lease={dispute.lease}" in found.get("href", "") for found in lease.all("a"))
    assert f"/disputes/{key}" in links(read(world, f"/statements/{key}", lang))
    assert f"/disputes/{key}" not in links(Read(world.get("/disputes?state=open").text))


@pytest.mark.parametrize("place", ["programmes", "vouchers", "machines", "disputes", f"foreign/{'0' * 64}"])
@pytest.mark.parametrize("name", ["0" * 64, "x" * 3000])
def test_unknown_names_are_404(world, place, name):
    assert world.get(f"/{place}/{name}", headers={"accept": "text/html"}).status_code == 404
