"""The HTML dossier: whole by itself, escaped, in order, and in a browser neither loud nor too wide."""

import os
import re
from html.parser import HTMLParser

import pytest
from town import Town, serials

from pseudoledger.audit.review import Asked, review
from pseudoledger.audit.review.page import to_html
from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.verifier import verify

CHROMIUM = "/usr/bin/chromium"


@pytest.fixture(scope="module")
def dossier(tmp_path_factory):
    """A dossier with every severity, every state, and words that a page has to escape."""
    town = Town(tmp_path_factory.mktemp("page") / "town")
    for _ in range(4):
        town.at("2023-12-01").offer("north", "nvidia-a800-sxm4-80gb", "CN")
    town.offer("north", "amd-mi308x", "CN")
    town.declare("north", "lake")
    pool = town.at("2024-03-01").pool("north", "nvidia-h200-sxm-141gb")
    offer = town.offer("north", "nvidia-h200-sxm-141gb", "DE", pool=pool)
    lease = town.lease("north", "lake", offer, sealed={"lessee_name": "<script>alert('x')</script> & Söhne"})
    town.deliver("north", "lake", lease, serials=serials("a"))
    other = town.offer("north", "nvidia-h200-sxm-141gb", "SG", pool=pool)
    town.lease("north", "hill", other)
    town.close()
    asked = Asked(disclosures=read_disclosures([town.disclosures_of(lease)]), most=3)
    return review(town.ledger, asked, report=verify(town.ledger))


@pytest.fixture(scope="module")
def page(dossier):
    return to_html(dossier).decode("utf-8")


class Outline(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self):
        super().__init__()
        self.tags, self.ids, self.refs, self.headings = [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        if "id" in found:
            self.ids.append(found["id"])
        self.refs += [found[name] for name in ("src", "href", "action", "data", "poster") if found.get(name)]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))


@pytest.fixture(scope="module")
def outline(page):
    made = Outline()
    made.feed(page)
    return made


def test_the_dossier_has_every_severity_and_state(dossier):
    assert {one.severity for one in dossier.findings if one.state == "raised"} == {
        "note",
        "question",
        "priority",
    }
    assert {one.state for one in dossier.findings} == {"raised", "unknown", "resolved"}


def test_the_page_is_whole_by_itself(page, outline):
    assert not {"script", "img", "link", "iframe", "object"} & set(outline.tags)
    assert all(ref.startswith("#") for ref in outline.refs)
    assert "url(" not in page
    assert "default-src 'none'" in page


def test_links_within_the_page_lead_somewhere(outline):
    assert len(outline.ids) == len(set(outline.ids))
    assert {ref[1:] for ref in outline.refs} <= set(outline.ids)


def test_headings_step_down_one_at_a_time(outline):
    assert outline.headings[0] == 1
    assert outline.headings.count(1) == 1
    assert all(
        after - before <= 1 for before, after in zip(outline.headings, outline.headings[1:], strict=False)
    )


def test_disclosed_words_are_escaped(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "Söhne" in page


def test_what_is_not_listed_is_counted_on_the_page(page):
    assert "4 raised, 3 of them listed" in page


def test_no_verdict_stands_on_it(page):
    assert not re.search(r"violat|unlawful|illegal|fraud", page, re.IGNORECASE)


@pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason=f"{CHROMIUM} is not installed")
@pytest.mark.xdist_group("browser")
def test_in_a_browser_it_asks_for_nothing_and_fits(page, tmp_path):
    from playwright.sync_api import sync_playwright

    path = tmp_path / "review.html"
    path.write_text(page, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--no-first-run"]
        )
        for width in (390, 1280):
            for scheme in ("light", "dark"):
                shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                said, asked = [], []
                shown.on("console", lambda message, said=said: said.append(message.text))
                shown.on("request", lambda request, asked=asked: asked.append(request.url))
                shown.goto(path.as_uri())
                over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                assert (shown.evaluate(over), said, asked) == (0, [], [path.as_uri()])
                shown.close()
        printed = browser.new_page()
        printed.goto(path.as_uri())
        assert printed.pdf(format="A4").startswith(b"%PDF")
        browser.close()
