"""The pages of a report in a real browser: both languages, three widths, in print, without a request or a message.

Skipped with a reason where chromium, or npm for axe-core, is missing.
"""

import os

import pytest
from pypdf import PdfReader

from pseudoledger.audit.trace.report.page import LANGUAGES, to_html
from pseudoledger.audit.trace.report.run import Asked, trace_ledger, trace_table
from pseudoledger.audit.trace.roles import Columns

CHROMIUM = "/usr/bin/chromium"
WIDTHS = (360, 768, 1280)
pytestmark = [
    pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason=f"{CHROMIUM} is not installed"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A report with links, clusters and scores, as files."""
    from pseudoledger.audit.trace.evaluate.world import Seat, World, generate

    folder = tmp_path_factory.mktemp("pages")
    with generate(World(seed=3, identities=250), Seat.AUDITOR) as world:
        world.connection.execute(
            f"""COPY (SELECT i.name AS identity, to_timestamp("at")::TIMESTAMP AS time, i.truth AS "group",
                r.* EXCLUDE (id, "at", ref), t.account FROM records r JOIN identities i USING (id)
                LEFT JOIN (SELECT id, min(value) AS account FROM tokens WHERE kind = 'payment_account' GROUP BY id) t
                USING (id) ORDER BY r.id, "at") TO '{folder / "world.parquet"}'"""
        )
    columns = Columns(token=("account",), counterparty=("counterparty",))
    report = trace_table(folder / "world.parquet", Asked(seed=7), columns=columns)
    for language in LANGUAGES:
        (folder / f"trace.{language}.html").write_bytes(to_html(report, language))
    return folder


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium):
    """A new page without scripts that remembers every message and request; there may be none but its own file."""
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    said, asked = [], []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("request", lambda request: asked.append(request.url))
    yield tab
    context.close()
    assert said == []
    assert len(asked) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_opens_from_a_file_at_every_width(tab, pages, language):
    tab.goto((pages / f"trace.{language}.html").as_uri())
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.locator("main").bounding_box()["width"] <= width, "nothing sticks out"
    assert tab.locator("h1").count() == 1
    assert tab.locator("article.card").count() == 8
    assert tab.locator("svg[role=img]").count() > 8
    assert tab.locator("svg[role=img]:not([aria-label])").count() == 0


_CUT = """[...document.querySelectorAll('svg text')].filter(text => {
    const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
    return box.x < -1 || box.x + box.width > view.width + 1;
}).map(text => text.textContent)"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_label_of_a_chart_is_cut(chromium, pages, language):
    tab = chromium.new_page()
    tab.goto((pages / f"trace.{language}.html").as_uri())
    assert tab.locator("svg text").count() > 50
    assert tab.evaluate(_CUT) == []
    tab.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_itself_never_scrolls_sideways(chromium, pages, language):
    tab = chromium.new_page()
    tab.goto((pages / f"trace.{language}.html").as_uri())
    for width in WIDTHS:
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_prints(chromium, pages, language, tmp_path):
    tab = chromium.new_page()
    tab.goto((pages / f"trace.{language}.html").as_uri())
    file = tmp_path / "report.pdf"
    tab.pdf(path=str(file), format="A4")
    assert file.read_bytes().startswith(b"%PDF-")
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": 700, "height": 1000})
    wide = tab.evaluate(
        "[...document.querySelectorAll('svg, .figure')].filter(e => e.getBoundingClientRect().right > 705).length"
    )
    assert wide == 0, "no chart is cut"
    tab.close()


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """A small ledger of three who offer and say who they are."""
    from town import Town

    town = Town(tmp_path_factory.mktemp("sheets") / "town")
    for name in ("north", "south", "east"):
        town.at("2024-03-01").offer(name, "nvidia-h200-sxm-141gb", "DE")
    town.close()
    return town.ledger


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("verified", [False, True])
def test_every_printed_sheet_of_an_unverified_ledger_says_so(chromium, ledger, language, verified, tmp_path):
    page, file = tmp_path / "trace.html", tmp_path / "trace.pdf"
    page.write_bytes(to_html(trace_ledger(ledger, Asked(), verified=verified), language))
    tab = chromium.new_page()
    tab.goto(page.as_uri())
    tab.pdf(path=str(file), format="A4", prefer_css_page_size=True)
    tab.close()
    # A PDF holds Arabic as shapes, so its words cannot be looked for; but they are the same on top of every sheet.
    tops = [sheet.extract_text().splitlines()[0] for sheet in PdfReader(file).pages]
    assert len(tops) > 2
    assert (len(set(tops)) == 1) == (not verified)
    if language == "en":
        assert tops[-1].startswith("Not veri") == (not verified)


@pytest.mark.parametrize(
    ("language", "scheme"),
    [
        ("ar", "light"),
        pytest.param("en", "light", marks=pytest.mark.long),
        pytest.param("en", "dark", marks=pytest.mark.long),
        pytest.param("ar", "dark", marks=pytest.mark.long),
    ],
)
def test_axe_finds_nothing_serious(chromium, pages, axe, language, scheme):
    context = chromium.new_context(color_scheme=scheme, bypass_csp=True)
    tab = context.new_page()
    tab.goto((pages / f"trace.{language}.html").as_uri())
    tab.evaluate(axe)
    found = tab.evaluate("axe.run(document, {resultTypes: ['violations']})")
    context.close()
    serious = [
        f"{one['id']}: {one['help']} {[node['html'][:120] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
    assert serious == []
