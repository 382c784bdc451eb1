"""The page to print: the same figures, both languages, nothing from elsewhere, and what a browser makes of it."""

import contextlib
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from itertools import pairwise

import pytest

from pseudoledger.cli import invoice_export
from pseudoledger.cli.desk import Desk
from pseudoledger.contract.tables import newest_exponents
from pseudoledger.market.ubl.document import read
from pseudoledger.market.ubl.names import Details
from pseudoledger.market.ubl.page import LANGUAGES, to_html
from pseudoledger.market.ubl.sums import check_sums
from pseudoledger.market.ubl.write import to_ubl

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]


class Read(HTMLParser):
    """Elements with their attributes, and the text of the body."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(html)
        self.text = re.sub(r"\s+", " ", "".join(self.texts))

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in {"meta", "br", "wbr"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.elements if name == tag]


@pytest.fixture
def papers(office):
    """What is printed of the invoice, the commission and the credit note."""
    environ = {"PSEUDOLEDGER_KEYS": str(office.folder / "keys")}
    with contextlib.closing(Desk(office.folder / "led", environ)) as desk:
        details = invoice_export._details(desk, office.folder / "firms.toml")
        return {
            number: invoice_export._paper(desk, number, (), details) for number in ("2026-1", "C-1", "CN-1")
        }


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("number", ["2026-1", "C-1", "CN-1"])
def test_the_markup_can_be_read_by_everybody(papers, lang, number):
    read = Read(to_html(papers[number], lang).decode())
    assert read.open == []
    assert read.all("html") == [{"lang": lang, "dir": "rtl" if lang == "ar" else "ltr"}]
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [tag for tag, _ in read.elements]
    assert names.count("main") == names.count("header") == names.count("footer") == names.count("title") == 1
    assert names.count("table") == names.count("caption") == 3
    assert all(cell.get("scope") in {"col", "row"} for cell in read.all("th"))
    ids = [found["id"] for _, found in read.elements if "id" in found]
    assert len(ids) == len(set(ids))
    for _, found in read.elements:
        assert set(found.get("aria-labelledby", "").split()) <= set(ids)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_needs_nothing_and_runs_nothing(papers, lang):
    html = to_html(papers["2026-1"], lang).decode()
    read = Read(html)
    assert not {"script", "img", "link", "iframe", "a"} & {tag for tag, _ in read.elements}
    assert "://" not in html
    assert "url(" not in html
    assert not [
        name for _, found in read.elements for name in found if name.startswith("on") or name == "style"
    ]
    assert any("default-src 'none'" in found.get("content", "") for found in read.all("meta"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_has_the_figures_of_the_invoice(papers, lang):
    text = Read(to_html(papers["2026-1"], lang).decode()).text
    for said in (
        "3,235.85 USD",
        "2,719.20",
        "516.65",
        "19 %",
        "1,236.00",
        "4,449,600",
        "2026-04-14",
        "FI12345678",
    ):
        assert said in text
    assert "Harbour & Söhne <Labs>" in text
    assert papers["2026-1"].id in text
    assert "119.00 USD" in Read(to_html(papers["CN-1"], lang).decode()).text


def test_both_languages_have_all_words_and_none_is_left_over():
    folder = files("pseudoledger.market.ubl")
    catalogues = [json.loads((folder / "words" / f"{lang}.json").read_text("utf-8")) for lang in LANGUAGES]
    assert catalogues[0].keys() == catalogues[1].keys()
    for key, text in catalogues[0].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", catalogues[1][key])), key
    template = (folder / "templates" / "invoice.html").read_text("utf-8")
    literal = set(re.findall(r"'([a-z_]+(?:\.[a-z_]+)?)'", template))
    prefixes = (*re.findall(r"t\('(\w+\.)' ~", template), "part.")
    assert all(key in literal or key.startswith(prefixes) or key == "invoice" for key in catalogues[0])
    assert {"reason.", "means.", "category."} <= set(prefixes)


def test_a_prepaid_amount_lowers_what_is_to_pay(papers):
    paper = replace(papers["2026-1"], prepaid_minor=100_000)
    document = read(to_ubl(paper))
    assert check_sums(document, newest_exponents()) == ()
    assert document.totals.prepaid.value == 1000
    assert document.totals.payable.value * 100 == 223_585
    text = Read(to_html(paper).decode()).text
    assert "-1,000.00" in text
    assert "2,235.85 USD" in text


def test_without_details_it_shows_none(office):
    environ = {"PSEUDOLEDGER_KEYS": str(office.folder / "keys")}
    with contextlib.closing(Desk(office.folder / "led", environ)) as desk:
        paper = invoice_export._paper(desk, "2026-1", (), Details())
    assert "VAT identifier" not in Read(to_html(paper).decode()).text


@pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason=f"{CHROMIUM} is not installed")
@pytest.mark.xdist_group("browser")
@pytest.mark.parametrize("lang", LANGUAGES)
def test_it_prints_on_a4(papers, tmp_path, lang):
    from playwright.sync_api import sync_playwright

    paper = papers["2026-1"]
    long = replace(paper, lines=tuple(replace(paper.lines[0], id=f"h{n}") for n in range(80)))
    (tmp_path / "short.html").write_bytes(to_html(paper, lang))
    (tmp_path / "long.html").write_bytes(to_html(long, lang))
    pages = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        tab = browser.new_page(viewport={"width": 794, "height": 1123})
        said = []
        tab.on("console", lambda message: said.append(message.text))
        for name in ("short", "long"):
            tab.goto((tmp_path / f"{name}.html").as_uri())
            assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
            printed = tab.pdf(prefer_css_page_size=True)
            boxes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed)
            assert {(round(float(w)), round(float(h))) for w, h in boxes} <= {
                (595, 842),
                (594, 842),
                (596, 842),
            }
            pages[name] = len(boxes)
        tab.set_viewport_size({"width": 390, "height": 800})
        tab.goto((tmp_path / "short.html").as_uri())
        assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")
        browser.close()
    assert said == []
    assert pages["short"] == 1
    assert pages["long"] > 2
