"""The pages of a node: every one, in both languages, over a real ledger; and what they may never do."""

import asyncio
import inspect
import re
from itertools import pairwise
from pathlib import Path
from typing import get_args

import httpx
import pytest
from pages_site import PAGES, Played, Read

from pseudoledger.contract.ageing import receivable
from pseudoledger.contract.things import Invoice
from pseudoledger.ledger.checkpoint import sign_checkpoint
from pseudoledger.ledger.fork import ForkProof, format_fork
from pseudoledger.ledger.note import format_note
from pseudoledger.node.node import MirrorStanding, Role, Standing, WitnessStanding
from pseudoledger.node.pages import lists, show
from pseudoledger.node.pages.dictionary import fields
from pseudoledger.node.pages.language import CODES, choose, language
from pseudoledger.node.pages.site import SECURITY_POLICY
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.values import Value, instant_seconds


class Site:
    """Asks an application as a browser would."""

    def __init__(self, played):
        self.played = played
        self.app, self.reader = played.app()

    async def _ask(self, path, headers):
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://node.example") as client:
            return await client.get(path, headers={"accept": "text/html", **headers})

    def get(self, path, **headers):
        return asyncio.run(
            self._ask(path, {name.replace("_", "-"): value for name, value in headers.items()})
        )

    def read(self, path, lang="en"):
        answer = self.get(f"{path}{'&' if '?' in path else '?'}lang={lang}")
        assert answer.status_code == 200, answer.text
        return Read(answer.text)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    played = Played(tmp_path_factory.mktemp("pages") / "demo")
    yield played
    played.stage.registrar.close()


@pytest.fixture(scope="module")
def site(played):
    site = Site(played)
    yield site
    site.reader.close()


@pytest.fixture
def as_it_was(played):
    before = (played.now, played.standing, played.role)
    yield played
    played.now, played.standing, played.role = before


@pytest.fixture(params=CODES)
def lang(request):
    return request.param


@pytest.fixture(params=PAGES)
def page(request, site, lang):
    path = site.played.pages()[request.param]
    answer = site.get(f"{path}?lang={lang}")
    assert answer.status_code == (404 if request.param == "missing" else 200)
    return answer


# Every page


def test_every_page_keeps_the_rules_of_markup(page, lang):
    read = Read(page.text)
    assert read.whole
    (html,) = read.all("html")
    assert html == {"lang": lang, "dir": "rtl" if lang == "ar" else "ltr"}
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [tag for tag, _ in read.elements]
    assert names.count("main") == names.count("header") == names.count("footer") == 1
    assert names.count("table") == names.count("caption")
    assert all(cell.get("scope") in {"col", "row"} for cell in read.all("th"))
    ids = [found["id"] for _, found in read.elements if "id" in found]
    assert len(ids) == len(set(ids))
    for _, found in read.elements:
        for name in ("aria-labelledby", "aria-describedby"):
            assert set(found.get(name, "").split()) <= set(ids)
    labelled = {found["for"] for found in read.all("label")}
    fields = [*read.all("select"), *(item for item in read.all("input") if item.get("type") != "hidden")]
    assert all(item["id"] in labelled for item in fields)


def test_every_page_fits_its_security_policy(page):
    assert page.headers["content-security-policy"] == SECURITY_POLICY
    assert page.headers["x-content-type-options"] == "nosniff"
    read = Read(page.text)
    assert not read.all("style")
    for tag, found in read.elements:
        assert "style" not in found
        assert not [name for name in found if name.startswith("on")]
        if tag == "script":
            assert found["src"].startswith("/assets/")
        for name in ("src", "href", "action"):
            assert found.get(name, "/")[0] in "/#"
            assert not found.get(name, "/").startswith("//")


def test_every_page_is_in_one_language(page, lang):
    read = Read(page.text)
    assert page.headers["content-language"] == lang
    keys = set(language(lang).words) | set(language(lang).counted)
    # A key that was not translated would stand there as itself.
    assert not {word for word in read.whole.split() if word.strip(".,:;") in keys and "." in word}
    if lang == "ar":
        # Outside of what is isolated, only names of formats are written in Latin letters.
        known = {
            "UTC",
            "WebCrypto",
            "SHA",
            "ISO",
            "alpha",
            "CAIP",
            "UNCL",
            "VAT",
            "pseudoledger",
            "chip",
            "pl",
        }
        known |= {"receipt", "verify", "did", "key"}
        latin = set(re.findall(r"[A-Za-z]{2,}", " ".join(read.loose))) - known
        assert {word for word in latin if not re.fullmatch("B[TG]|ZZ|RFC|SEC|bps", word)} == set()


def test_a_page_leads_to_its_other_language(page, lang):
    other = "en" if lang == "ar" else "ar"
    links = {found["hreflang"]: found for found in Read(page.text).all("a") if "hreflang" in found}
    assert links[lang]["aria-current"] == "true"
    assert links[other]["href"].endswith(f"lang={other}")


def test_a_path_that_names_another_host_leads_nowhere_else(site):
    answer = site.get("//evil.example/x")
    assert answer.status_code == 404
    links = [found["href"] for found in Read(answer.text).all("a") if "hreflang" in found]
    assert links
    assert all(href.startswith("/") and not href.startswith("//") for href in links)


def test_links_keep_the_language_that_was_chosen(site):
    links = [found["href"] for found in site.read("/", "ar").all("a") if "hreflang" not in found]
    pages = [href for href in links if not href.startswith("#") and href != "/checkpoint"]
    assert pages
    assert all(href.endswith("lang=ar") for href in pages)
    plain = [found["href"] for found in Read(site.get("/").text).all("a") if "hreflang" not in found]
    assert not [href for href in plain if "lang=" in href]


def test_every_link_leads_somewhere(site):
    seen, waiting = set(), ["/"]
    while waiting and len(seen) < 120:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = site.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            links = [found.get("href", "") for found in Read(answer.text).all("a")]
            waiting += [link for link in links if link.startswith("/") and "lang=" not in link]
    assert len(seen) == 120


# Languages


def test_both_catalogues_have_the_same_keys():
    english, arabic = (language(code) for code in CODES)
    assert list(english.words) == list(arabic.words)
    assert list(english.counted) == list(arabic.counted)
    for key, text in english.words.items():
        placed = r"{(\w+)}"
        assert set(re.findall(placed, text)) == set(re.findall(placed, arabic.words[key])), key
    assert all({"one", "two", "few", "many", "other"} <= set(forms) for forms in arabic.counted.values())


def test_every_word_of_the_catalogues_is_said():
    """A sentence that no template, script or module asks for is dead."""
    folder = inspect.getfile(lists).rpartition("/")[0]
    sources = "\n".join(
        path.read_text(encoding="utf-8")
        for path in Path(folder).rglob("*")
        if path.suffix in {".py", ".html", ".js"}
    )
    english = language("en")
    for key in (*english.words, *english.counted):
        head, _, last = key.rpartition(".")
        start = key.split(".")[0]
        scripted = ".js." in key and re.search(rf"\b{re.escape(key.split('.js.')[1])}\b", sources)
        assert (
            scripted
            or f"'{key}'" in sources
            or f'"{key}"' in sources
            or f"'{head}.'" in sources
            or (start in {"kind", "error"})
        ), key
        assert last


def models():
    found, waiting = set(), [kind.model for kind in KINDS.values()]
    while waiting:
        model = waiting.pop()
        if model in found:
            continue
        found.add(model)
        parts = [info.annotation for info in model.model_fields.values()]
        while parts:
            part = parts.pop()
            parts.extend(get_args(part))
            if isinstance(part, type) and issubclass(part, Value):
                waiting.append(part)
    return found


def test_the_data_dictionary_is_translated_whole():
    wanted = {inspect.getdoc(kind.model).split("\n")[0] for kind in KINDS.values()}
    for model in models():
        for info in model.model_fields.values():
            wanted |= {info.description, info.json_schema_extra["unit"]}
    assert set(language("ar").dictionary) == wanted - {""}


def test_every_kind_has_a_name():
    assert {f"kind.{name}" for name, _ in KINDS} == {
        key for key in language("en").words if key.startswith("kind.")
    }


@pytest.mark.parametrize(
    ("asked", "accepted", "code"),
    [
        (None, "", "en"),
        ("ar", "en", "ar"),
        ("xx", "ar", "ar"),
        (None, "ar-SA,en;q=0.8", "ar"),
        (None, "fr, ar;q=0.2, en;q=0.7", "en"),
        (None, "ar;q=0", "en"),
        (None, "ar;q=nonsense, en", "en"),
        (None, "," * 10_000, "en"),
    ],
)
def test_a_language_is_chosen(asked, accepted, code):
    assert choose(asked, accepted).code == code


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "يوم واحد"), (2, "يومان"), (3, "أيام"), (11, "يوما"), (100, "يوم"), (103, "أيام")],
)
def test_arabic_counts_in_its_own_forms(number, text):
    assert language("ar").count("span.day", number).striptags().endswith(text)


def test_what_is_put_into_a_sentence_is_escaped_and_isolated():
    said = language("ar").say("list.page", page="<b>", pages=2)
    assert "<bdi>&lt;b&gt;</bdi>" in said
    assert "\u2068<b>\u2069" in language("ar").plain("list.page", page="<b>", pages=2)


# Single pages


def test_the_overview_shows_the_chain_and_works_without_scripts(site):
    read = site.read("/")
    last = site.played.stage.registrar.state.height
    blocks = [found["data-height"] for found in read.all("a") if found.get("class") == "block"]
    assert blocks == [str(height) for height in range(last, last - 8, -1)]
    assert f"Entries {site.played.stage.registrar.store.size} " in read.whole
    assert "Simulated clock" in read.whole


def test_a_statement_shows_fields_sealed_fields_and_proof(site):
    read = site.read(f"/statements/{site.played.invoice}")
    for text in ("due_date", "Payment is due by the end of this day", "minor unit", "buyer_name"):
        assert text in read.whole
    rows = [found for found in read.all("tr") if "data-digest" in found]
    assert len(rows) == 5, "four sealable fields of the invoice, one of its payment means"
    raw = site.get(f"/api/v1/statements/{site.played.invoice}/raw")
    assert raw.headers["content-type"] == "application/cose"


def test_every_statement_has_its_page(site):
    store = site.played.stage.registrar.store
    kinds = {row.type: row.id for row in store.entries()}
    for statement in kinds.values():
        for code in CODES:
            site.read(f"/statements/{statement}", code)


def test_sealed_fields_are_told_from_those_in_the_clear():
    tree = {
        "type": "pool.declared",
        "v": 1,
        "number": "P",
        "lines": [],
        "_sd": ["x" * 43],
        "_sd_alg": "sha-256",
    }
    found = {field.pointer: field for field in fields(tree)}
    assert found["/_sd"].sealed == ("label",)
    assert found["/number"].description == "The lessor's number of the pool"
    assert fields({"type": "no.kind", "v": 1, "a": {"b": [True]}})[0].value == "true"


def test_a_lease_shows_what_its_account_says(site):
    read = site.read(f"/leases/{site.played.lease}")
    book = site.played.stage.book
    invoice = book.get(Invoice, site.played.issued["train-and-serve"][0])
    assert f"Billed {show.money(invoice.total_minor, 'USD', {'USD': 2})}" in read.whole
    assert "Open 0.00 USD" in read.whole
    assert "By voucher" not in read.whole
    due = {show.day(invoice.due_at - 86_400), show.day(invoice.due_at)}
    assert [one for one in sorted(due) if f"0.00 USD {one}" in read.whole] == [min(due)], "its last day"
    assert "Silence counts as acceptance: of a delivery after 3 days" in read.whole
    assert {found["class"].split()[1] for found in read.all("circle")} == {"delivery", "invoice", "payment"}


def test_an_identity_says_what_is_not_known(site):
    read = site.read(f"/identities/{site.played.stage.did('north-lake')}")
    assert "its own signed word; nobody checked it" in read.whole
    assert "holds the key: an attestor says that it knows, and names nobody here" in read.whole
    stranger = site.read(f"/identities/{site.played.stage.did('harbour-cpu')}").whole
    assert "Which person or company holds the key: no third party attests it" in stranger
    assert "It is no party's key" in site.read(f"/identities/{site.played.stage.did('founder')}").whole


def test_an_identity_shows_what_is_attested_by_whom_and_until_when(site):
    read = site.read(f"/identities/{site.played.stage.did('north-lake')}").whole
    assert "Country DE by" in read
    assert "by documents, until 2027-04" in read
    assert "nvidia-h100-sxm5-80gb" in read
    assert "at least 1,000,000.00 EUR" in read
    assert "one person, known to the attestor" in read
    assert "in force" in read


def test_an_identity_shows_what_a_trace_beside_the_ledger_says(site):
    pytest.importorskip("duckdb", reason="the extra `trace` is not installed")
    from pseudoledger.audit.trace.report.run import Asked, trace_ledger
    from pseudoledger.audit.trace.report.values import to_json
    from pseudoledger.audit.trace.vantage import AUDITOR, PUBLIC

    ledger = site.played.stage.registrar.store.path.parent
    did = site.played.stage.did("north-lake")
    heading = "How far it can be traced by everybody"
    assert heading not in site.read(f"/identities/{did}").whole
    (ledger / "trace").mkdir()
    file = ledger / "trace" / "trace.json"
    report = trace_ledger(ledger, Asked(), verified=True)
    (short,) = [one for one in report.all if one.name == did]
    file.write_bytes(to_json(report))
    for lang in CODES:
        whole = site.read(f"/identities/{did}", lang).whole
        assert language(lang).words["traced.heading"] in whole
        assert language(lang).words[f"traced.{short.verdict}"] in whole
        assert f"{short.effective:.1f}" in whole
    # Neither what others see, nor what was not verified, nor another ledger's, nor rubbish is shown.
    for other in (
        to_json(trace_ledger(ledger, Asked(vantages=(PUBLIC, AUDITOR)), verified=True)),
        to_json(trace_ledger(ledger, Asked(), verified=False)),
        to_json(report).replace(report.looked.digest.encode(), b"00" * 32),
        b"{}",
    ):
        file.write_bytes(other)
        assert heading not in site.read(f"/identities/{did}").whole
    file.unlink()
    file.parent.rmdir()


def test_offers_are_searched(site):
    everything = site.read("/offers").whole
    assert "offers fit" in everything
    found = site.read("/offers?chip=nvidia-l40s&price=0.5").whole
    assert "nvidia-l40s" in found
    assert "0.60 USD" not in found
    assert "cpu_core" not in found.partition("offers fit")[2]
    assert "0 offers fit" in site.read("/offers?q=no-such-text").whole
    assert "0 offers fit" in site.read("/offers?country=XX").whole
    assert "This is no price." in site.read("/offers?price=cheap").whole
    assert "This is no price." in site.read("/offers?price=NaN").whole
    by_label = site.read("/offers?q=NORTH-lake").whole
    assert "delta-cloud" not in by_label.partition("offers fit")[2]


def test_invoices_are_told_by_age(site, as_it_was):
    read = site.read("/invoices")
    assert [found["class"] for found in read.all("rect") if found["class"] != "rail"] == [
        "bar age-0",
        "bar age-1",
    ]
    as_it_was.now = instant_seconds("2026-06-10T00:00:00Z")
    assert language("en").words["age.31-60"] in site.read("/invoices").whole
    whole = site.read("/invoices?age=31-60").whole
    assert "long-context" in whole
    assert "train-and-serve" not in whole.partition("Amount")[2]
    owed = site.played.stage.book.get(Invoice, site.played.invoice)
    ages = {
        days: receivable("", owed, owed.due_at + days * 86_400).age
        for days in (-1, 0, 29, 30, 59, 60, 89, 90)
    }
    assert ages == {
        -1: "current",
        0: "1-30",
        29: "1-30",
        30: "31-60",
        59: "31-60",
        60: "61-90",
        89: "61-90",
        90: "91-",
    }
    as_it_was.now = owed.due_at + 100 * 86_400
    read = site.read("/invoices", "ar")
    bars = [found for found in read.all("rect") if found["class"].startswith("bar")]
    assert [bar["class"] for bar in bars] == ["bar age-4"]
    assert bars[0]["x"] == "0.0%", "in Arabic a bar ends at the left"


def test_lists_have_pages(site):
    last = site.played.stage.registrar.state.height
    first = site.read("/blocks")
    assert f"Page 1 of {-(-last // lists.PER_PAGE)}" in first.whole
    final = site.read("/blocks?page=999999")
    assert [found["rel"] for found in final.all("a") if "rel" in found] == ["prev"]
    assert "Page 1 of" in site.read("/blocks?page=-1").whole
    assert "Page 1 of" in site.read("/blocks?page=two").whole


def test_a_list_says_that_it_is_cut(site, monkeypatch):
    monkeypatch.setattr(lists, "READ_MAX", 2)
    assert "Only the first 2 were looked at" in site.read("/leases").whole


@pytest.mark.parametrize("path", ["/blocks/0", "/blocks/01", "/blocks/99999", "/blocks/x", "/leases/x"])
def test_what_is_not_there_is_404(site, path):
    answer = site.get(path, accept_language="ar")
    assert answer.status_code == 404
    assert language("ar").words["error.404.title"] in answer.text


@pytest.mark.parametrize("text", ["0" * 64, "A" * 64, "%3Cscript%3E", "x" * 5000])
@pytest.mark.parametrize("place", ["statements", "identities", "leases"])
def test_unknown_names_are_404(site, place, text):
    assert site.get(f"/{place}/{text}").status_code == 404


def test_errors_are_pages_for_browsers_alone(site):
    page = site.get("/nothing")
    assert page.headers["content-type"].startswith("text/html")
    plain = site.get("/nothing", accept="application/json")
    assert plain.json()["status"] == 404


def test_user_text_stays_text(site):
    stage = site.played.stage
    stage.act("mallory", {"type": "identity.declared", "label": "<script>alert(1)</script>\"'&{{7*7}}"})
    stage.registrar.publish()
    html = site.get(f"/identities/{stage.did('mallory')}").text
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;{{7*7}}" in html
    text = "%22%3E%3Cscript%3E"
    assert "<script>" not in site.get(f"/offers?q={text}&price={text}&chip={text}&lang={text}").text


# Standing


def test_a_mirror_says_so_on_every_page(site, as_it_was, lang):
    words = language(lang).words
    as_it_was.role = Role.MIRROR
    as_it_was.standing = Standing(
        upstream="https://founder.example", behind="it does not answer", held="two histories"
    )
    mirror = Site(as_it_was)
    for path in ("/", "/offers", "/network"):
        whole = mirror.read(path, lang).whole
        assert words["mark.behind"] in whole
        assert words["mark.held"] in whole
        assert "https://founder.example" in whole
    mirror.reader.close()


def test_witnesses_are_shown_with_what_they_cosigned(site, as_it_was):
    size = as_it_was.stage.registrar.store.size
    as_it_was.standing = Standing(
        witnesses=(
            WitnessStanding(name="w1.example", url="https://w1.example", cosigned_size=size),
            WitnessStanding(name="w2.example", url="https://w2.example", cosigned_size=None, trouble="slow"),
        ),
        quorum_met=False,
    )
    whole = site.read("/network").whole
    assert "cosigned the newest size" in whole
    assert "never slow" in whole
    assert "does not carry enough cosignatures yet" in whole
    assert "quorum not met" in site.read("/").whole


def test_mirrors_are_shown_with_what_they_showed(site, as_it_was, lang):
    size, words = as_it_was.stage.registrar.store.size, language(lang).words
    as_it_was.standing = Standing(
        mirrors=(
            MirrorStanding(url="https://m1.example", size=size, consistent=True),
            MirrorStanding(url="https://m2.example", size=size - 3, consistent=True),
            MirrorStanding(url="https://m3.example", size=size - 3, consistent=False),
            MirrorStanding(url="https://m4.example", trouble="<slow>"),
            MirrorStanding(url="https://m5.example"),
        )
    )
    whole = site.read("/network", lang).whole
    for key in ("same", "other", "unknown", "never", "current", "older", "differs", "waiting"):
        assert words[f"mirror.{key}"] in whole, key
    assert "https://m5.example" in whole
    assert "<slow>" in whole
    as_it_was.standing = Standing()
    assert words["mirror.none"] in site.read("/network", lang).whole


def test_forks_are_checked_and_shown_on_every_page(site, as_it_was):
    stage, forks = as_it_was.stage, as_it_was.forks
    state, signer = stage.registrar.state, stage.signer("ledger")
    notes = [format_note(sign_checkpoint(signer, state.origin, 2, bytes([number]) * 32)) for number in (1, 2)]
    forks.mkdir()
    (forks / "a.json").write_bytes(
        format_fork(ForkProof(origin=state.origin, first=notes[0], second=notes[1]))
    )
    (forks / "b.json").write_bytes(b"{}")
    try:
        network, overview = site.read("/network").whole, site.read("/").whole
    finally:
        for path in forks.iterdir():
            path.unlink()
        forks.rmdir()
    assert "proves a fork: both trees are signed" in network
    assert "proves nothing:" in network
    assert "this ledger signed two histories" in overview


# Assets


def test_assets_are_kept_by_browsers_until_they_change(site):
    (style,) = [found["href"] for found in site.read("/").all("link") if found["rel"] == "stylesheet"]
    answer = site.get(style)
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert site.get(style, if_none_match=answer.headers["etag"]).status_code == 304
    older = site.get("/assets/000000000000/pages.css")
    assert older.content == answer.content
    assert older.headers["cache-control"] == "no-cache"
    for name in ("none.js", "__init__.py", "..%2Fsite.py"):
        assert site.get(f"/assets/000000000000/{name}").status_code == 404


def test_scripts_import_only_their_neighbours(site):
    names = {"bytes.js", "tree.js", "note.js", "verify.js", "disclosure.js", "statement.js", "live.js"}
    for name in names:
        source = site.get(f"/assets/x/{name}").text
        assert set(re.findall(r'from "\./([^"]+)"', source)) <= names
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|https?://", source)


def test_styles_know_no_left_and_right(site):
    source = site.get("/assets/x/pages.css").text
    assert not re.search(r"\b(left|right|margin-left|padding-right)\s*:", source)
    assert "url(" not in source
