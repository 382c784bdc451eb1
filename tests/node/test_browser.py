"""The pages in a real browser: Debian's chromium, headless, against the application on a free port.

Each page in both languages, without console errors and without a request to another host; the proof check
passing, and failing on a tampered tile; disclosures opened by dropping a file; the chain growing; and what
axe-core finds. Skipped with a reason where chromium, or npm for axe-core, is missing.
"""

import base64
import hashlib
import json
import os
import re
from itertools import pairwise
from urllib.parse import urlsplit

import cbor2
import pytest
from pages_site import PAGES, Played, served

from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.tiles import make_tile, parse_path
from pseudoledger.ledger.tree import Frontier, StoredHashes, inclusion_proof
from pseudoledger.node.pages.language import CODES, language
from pseudoledger.statement import envelope, payload, sealed

CHROMIUM = "/usr/bin/chromium"
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.skipif(not os.access(CHROMIUM, os.X_OK), reason=f"{CHROMIUM} is not installed"),
    pytest.mark.xdist_group("browser"),
]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    played = Played(tmp_path_factory.mktemp("browser") / "demo")
    yield played
    played.stage.registrar.close()


@pytest.fixture(scope="module")
def url(played):
    app, reader = played.app()
    with served(app) as found:
        yield found
    reader.close()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium, url):
    """A new page that remembers every console message, failure and host; none of which may be bad."""
    context = chromium.new_context(locale="en-GB")
    tab = context.new_page()
    said, hosts = [], set()
    tab.on("console", lambda message: said.append(message.text) if message.type != "log" else None)
    tab.on("pageerror", lambda error: said.append(str(error)))
    tab.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    tab.said = said
    yield tab
    context.close()
    assert said == []
    assert hosts <= {urlsplit(url).netloc}


@pytest.fixture(params=CODES)
def lang(request):
    return request.param


def words_of(lang, prefix):
    return language(lang).some(prefix)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_without_errors(tab, url, played, page, lang):
    tab.goto(f"{url}{played.pages()[page]}?lang={lang}")
    assert tab.evaluate("document.dir") == ("rtl" if lang == "ar" else "ltr")
    assert tab.locator("h1").count() == 1
    if page == "missing":
        # The browser itself reports the status of the page that was asked for.
        assert [text for text in tab.said if "404" not in text] == []
        tab.said.clear()
    for width in (1280, 360):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth") <= width, "nothing sticks out"


@pytest.mark.parametrize("page", ["overview", "statement", "lease"])
def test_pages_can_be_read_without_scripts(chromium, url, played, page, lang):
    context = chromium.new_context(java_script_enabled=False)
    tab = context.new_page()
    tab.goto(f"{url}{played.pages()[page]}?lang={lang}")
    assert tab.locator("h2").count() >= 3
    if page == "statement":
        assert tab.get_by_text(language(lang).words["verify.noscript"]).is_visible()
        assert not tab.locator("#verify-button").is_visible()
    context.close()


# The proof


def check(tab, url, played, lang="en", key=""):
    """Press the button on the page of an invoice; return the verdict and each step with what was said of it."""
    tab.goto(f"{url}/statements/{played.invoice}?lang={lang}")
    tab.fill("#known-key", key)
    tab.click("#verify-button")
    tab.wait_for_selector(".verdict")
    steps = [
        item.split(" ", 1)
        for item in tab.locator(".checks li").evaluate_all(
            "items => items.map(item => item.className + ' ' + item.textContent)"
        )
    ]
    return tab.locator(".verdict").get_attribute("class").split()[-1], steps


def test_the_browser_checks_the_proof(tab, url, played, lang):
    verdict, steps = check(tab, url, played, lang)
    words = words_of(lang, "verify.js.")
    assert verdict == "passed"
    assert [found for found, _ in steps] == ["checked"] * 5 + ["unchecked"] * 2
    for (_, said), name in zip(steps, ("id", "issuer", "leaf", "root", "signature"), strict=False):
        assert words[name] in said
    assert played.stage.did("ledger") in steps[5][1], "the key is shown, to be compared"
    root = tab.locator("#verify-result dd").first.inner_text()
    note = played.stage.registrar.store.checkpoint().decode().splitlines()
    assert root == base64.b64decode(note[2]).hex()


def test_the_check_with_a_known_key(tab, url, played):
    verdict, steps = check(tab, url, played, key=played.stage.did("ledger"))
    assert verdict == "passed"
    assert words_of("en", "verify.js.")["key.known"] in steps[5][1]
    verdict, steps = check(tab, url, played, key=played.stage.did("broker"))
    assert verdict == "failed", "the checkpoint is not signed by that key"
    assert check(tab, url, played, key="did:key:zabc")[0] == "failed"


def flipped(at):
    """A route that changes one bit of an answer on its way."""

    def handle(route):
        answer = route.fetch()
        body = bytearray(answer.body())
        body[at % len(body)] ^= 1
        route.fulfill(response=answer, body=bytes(body))

    return handle


@pytest.mark.parametrize("at", [0, 17, 3200, -1])
def test_a_tampered_tile_fails(tab, url, played, at, lang):
    tab.route("**/tile/0/**", flipped(at))
    verdict, steps = check(tab, url, played, lang)
    assert verdict == "failed"
    assert steps[-1][0] == "wrong"
    assert tab.locator(".verdict").inner_text() == words_of(lang, "verify.js.")["failed"]
    assert words_of(lang, "verify.js.")["root"] in steps[-1][1]


def test_a_tile_with_another_leaf_fails(tab, url, played):
    index = played.stage.registrar.store.entry_by_id(played.invoice).index
    tab.route("**/tile/0/**", flipped(32 * (index % 256) + 5))
    verdict, steps = check(tab, url, played)
    assert verdict == "failed"
    assert words_of("en", "verify.js.")["leaf"] in steps[-1][1]


@pytest.mark.parametrize(
    ("pattern", "at"),
    [("**/raw", 700), ("**/raw", -1), ("**/raw", 0), ("**/checkpoint", -8), ("**/checkpoint", 40)],
)
def test_tampered_statements_and_checkpoints_fail(tab, url, played, pattern, at):
    tab.route(pattern, flipped(at))
    assert check(tab, url, played)[0] == "failed"


def test_what_cannot_be_fetched_is_said(tab, url, played):
    tab.route("**/tile/**", lambda route: route.fulfill(status=404, body=""))
    verdict, _ = check(tab, url, played)
    assert verdict == "failed"
    assert "/tile/0/" in tab.locator("#verify-result").inner_text()
    assert all("404" in text for text in tab.said)
    tab.said.clear()


def test_keys_that_cannot_be_had_are_said(tab, url, played):
    tab.route("**/scitt-keys", lambda route: route.fulfill(status=503, body=""))
    verdict, steps = check(tab, url, played)
    assert verdict == "partly", "a root without a signature is less than a proof"
    assert words_of("en", "verify.js.")["no_keys"] in steps[4][1]
    tab.said.clear()


def test_a_browser_without_ed25519_says_so(tab, url, played):
    tab.add_init_script(
        "const own = crypto.subtle.importKey.bind(crypto.subtle);"
        "crypto.subtle.importKey = (form, key, how, ...rest) => how.name === 'Ed25519'"
        " ? Promise.reject(new DOMException('none', 'NotSupportedError')) : own(form, key, how, ...rest);"
    )
    verdict, steps = check(tab, url, played)
    assert verdict == "partly"
    assert [found for found, _ in steps] == [
        "checked",
        "unchecked",
        "checked",
        "checked",
        "unchecked",
        "unchecked",
    ]


def test_an_entry_beyond_the_checkpoint_is_not_called_proved(tab, url, played):
    older = re.sub(rb"\n\d+\n", b"\n3\n", played.stage.registrar.store.checkpoint(), count=1)
    tab.route("**/checkpoint", lambda route: route.fulfill(status=200, body=older))
    assert check(tab, url, played)[0] == "partly"


def test_the_browser_reads_a_statement_in_its_one_encoding_alone(tab, url, played):
    """The id and the signature cover header and payload; the rest of the bytes has one form or is refused."""
    raw = played.stage.registrar.store.entry_by_id(played.invoice).statement
    protected, _, payload_bytes, signature = cbor2.loads(raw).value

    def other(*parts, tag=18):
        return cbor2.dumps(cbor2.CBORTag(tag, list(parts)))

    doubled = b"\xa2\x01\x27" + b"\x01" + protected[1:]
    others = [
        raw[1:],
        b"\xd2\x98\x04" + raw[2:],
        other(protected, {}, payload_bytes, signature, tag=98),
        other(protected, {1: 1}, payload_bytes, signature),
        other(protected, None, payload_bytes, signature),
        other(protected, {}, payload_bytes, [signature]),
        other(doubled, {}, payload_bytes, signature),
        other(protected, {}, b"\xef\xbb\xbf" + payload_bytes, signature),
    ]
    tab.goto(f"{url}/network")
    module = re.search(r"/assets/[0-9a-f]+/", tab.request.get(f"{url}/").text())[0] + "bytes.js"
    read = """async ([module, bytes]) => {
        const { readStatement } = await import(module);
        return readStatement(Uint8Array.from(bytes)).then((statement) => statement.id, (error) => error.name);
    }"""
    assert tab.evaluate(read, [module, list(raw)]) == played.invoice
    for bent in others:
        assert tab.evaluate(read, [module, list(bent)]) in {"Error", "SyntaxError"}


@pytest.mark.parametrize("size", [1, 2, 7, 255, 256, 257, 700, 65_536, 70_001])
def test_paths_are_those_of_the_tree(tab, url, size):
    """The browser's tree against this program's, over tiles of a tree of its own."""
    leaves = [hashlib.sha256(number.to_bytes(4)).digest() for number in range(size)]
    frontier = Frontier()
    tree = StoredHashes(frontier.store(leaves))
    tab.goto(f"{url}/network")
    tab.expose_function("loadTile", lambda path: list(make_tile(parse_path(path.lstrip("/")), tree.read)))
    script = tab.request.get(f"{url}/").text()
    module = re.search(r"/assets/[0-9a-f]+/", script)[0] + "tree.js"
    indexes = sorted({0, 1, size // 3, size // 2, size - 2, size - 1} & set(range(size)))
    for index in indexes:
        found = tab.evaluate(
            """async ([module, size, index]) => {
                const { Tiles, rootFromPath } = await import(module);
                const tiles = new Tiles(size, async (path) => new Uint8Array(await loadTile(path)));
                const path = await tiles.path(index);
                const root = await rootFromPath(await tiles.leaf(index), index, size, path);
                const short = path.length && await rootFromPath(await tiles.leaf(index), index, size, path.slice(1));
                const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
                return [path.map(hex), hex(root), short && hex(short)];
            }""",
            [module, size, index],
        )
        assert found[0] == [node.hex() for node in inclusion_proof(index, size, tree.read)]
        assert found[1] == frontier.root().hex()
        assert found[2] != found[1]


# Sealed fields


@pytest.fixture(scope="module")
def secret(played):
    """A pool whose label is sealed: its id, and its disclosure file."""
    stage = played.stage
    signer = stage.signer("north-lake")
    line = {"id": "spare", "resource": "cpu_core", "count": 8}
    tree = {
        "type": "pool.declared",
        "v": 1,
        "number": "SPARE",
        "lines": [line],
        "label": "القاعة 3 <b>Hall</b>",
    }
    ready = sealed.seal(tree, aud=stage.ledger_id, iss=signer.did, random=os.urandom)
    raw = envelope.sign(signer, payload.draft(ready.tree), sub=signer.did, aud=stage.ledger_id, iat=stage.now)
    (answer,) = stage.registrar.register([raw])
    played.publish()
    return answer.id, {"statement": answer.id, "disclosures": list(ready.disclosures)}


def offer_file(tab, content, *, drop=False):
    """Give the page a file, by choosing it or by dropping it; return the class of the verdict."""
    body = content if isinstance(content, str) else json.dumps(content)
    if drop:
        transfer = tab.evaluate_handle(
            """(body) => {
                const data = new DataTransfer();
                data.items.add(new File([body], "pool.disclosures.json", { type: "application/json" }));
                return data;
            }""",
            body,
        )
        tab.dispatch_event("h1", "dragover", {"dataTransfer": transfer})
        assert "over" in tab.locator("#drop").get_attribute("class")
        tab.dispatch_event("h1", "drop", {"dataTransfer": transfer})
    else:
        tab.set_input_files(
            "#disclosures", {"name": "x.json", "mimeType": "application/json", "buffer": body.encode()}
        )
    tab.wait_for_selector("#disclosure-result .verdict")
    return tab.locator("#disclosure-result .verdict").get_attribute("class").split()[-1]


@pytest.mark.parametrize("drop", [True, False])
def test_a_disclosure_opens_its_field_here_alone(tab, url, secret, lang, drop):
    statement, disclosures = secret
    tab.goto(f"{url}/statements/{statement}?lang={lang}")
    assert tab.locator(".opened").inner_text() == language(lang).words["sealed.closed"]
    sent = []
    tab.on("request", lambda request: sent.append((request.method, request.url, request.post_data)))
    assert offer_file(tab, disclosures, drop=drop) == "passed"
    assert tab.locator(".opened").inner_text() == "label: القاعة 3 <b>Hall</b>"
    assert [(method, body) for method, _, body in sent] == [("GET", None)], "the statement alone was fetched"
    assert sent[0][1].endswith(f"/api/v1/statements/{statement}/raw")


def test_disclosures_that_do_not_belong_open_nothing(tab, url, played, secret):
    statement, disclosures = secret
    said = words_of("en", "disclosure.js.")
    (text,) = disclosures["disclosures"]
    foreign = sealed.seal(
        {"type": "pool.declared", "v": 1, "number": "X", "lines": [], "label": "other"},
        aud=played.stage.ledger_id,
        iss=Signer.from_seed(bytes(32)).did,
        random=os.urandom,
    ).disclosures
    tries = [
        ("no json", "form"),
        ({"statement": statement}, "form"),
        ({"statement": "0" * 64, "disclosures": [text]}, "other"),
        ({"statement": statement, "disclosures": list(foreign)}, "unmatched"),
        ({"statement": statement, "disclosures": [text + "A"]}, "malformed"),
        ({"statement": statement, "disclosures": ["%%%"]}, "malformed"),
    ]
    for content, reason in tries:
        tab.goto(f"{url}/statements/{statement}")
        assert offer_file(tab, content) == "failed"
        assert said[reason] in tab.locator("#disclosure-result").inner_text()
        assert tab.locator(".opened").inner_text() == "sealed"


def test_a_copied_digest_does_not_open_elsewhere(tab, url, played):
    """A party that copies another's digest cannot show the other's field as its own: the salt is bound."""
    stage = played.stage
    lines = [{"id": "copy", "resource": "cpu_core", "count": 1}]
    theirs = sealed.seal(
        {"type": "pool.declared", "v": 1, "number": "C", "lines": lines, "label": "ours"},
        aud=stage.ledger_id,
        iss=stage.did("delta-cloud"),
        random=os.urandom,
    )
    signer = stage.signer("harbour-cpu")
    raw = envelope.sign(
        signer, payload.draft(theirs.tree), sub=signer.did, aud=stage.ledger_id, iat=stage.now
    )
    (answer,) = stage.registrar.register([raw])
    tab.goto(f"{url}/statements/{answer.id}")
    assert offer_file(tab, {"statement": answer.id, "disclosures": list(theirs.disclosures)}) == "failed"
    assert words_of("en", "disclosure.js.")["bound"] in tab.locator("#disclosure-result").inner_text()


# The chain


def test_the_chain_grows_while_one_looks(tab, url, played, lang):
    tab.goto(f"{url}/?lang={lang}")
    words = language(lang).words
    tab.wait_for_function(
        "text => document.getElementById('live').textContent === text", arg=words["live.on"]
    )
    before = int(tab.locator(".block").first.get_attribute("data-height"))
    played.stage.act(
        "north-lake",
        {
            "type": "pool.declared",
            "number": f"GROW-{lang}",
            "lines": [{"id": "more", "resource": "cpu_core", "count": 1}],
        },
    )
    tab.wait_for_selector(f".block.new[data-height='{before + 1}']")
    assert tab.locator("#live").inner_text().startswith(words["live.grew"])
    heights = tab.locator(".block").evaluate_all("items => items.map(item => Number(item.dataset.height))")
    assert len(heights) == 8
    assert all(newer == older + 1 for newer, older in pairwise(heights))


# Keyboard and assistive technology


def test_the_keyboard_reaches_the_content_first(tab, url, lang):
    tab.goto(f"{url}/leases?lang={lang}")
    tab.keyboard.press("Tab")
    skip = tab.locator(":focus")
    assert skip.inner_text() == language(lang).words["base.skip"]
    box = skip.bounding_box()
    assert box["y"] >= 0, "what has the focus is seen"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"
    tab.keyboard.press("Tab")
    outline = tab.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize(
    "look",
    [
        ("en", "light"),
        ("ar", "dark"),
        pytest.param(("en", "dark"), marks=pytest.mark.long),
        pytest.param(("ar", "light"), marks=pytest.mark.long),
    ],
    ids="-".join,
)
def test_axe_finds_nothing_serious(chromium, url, played, axe, look):
    code, scheme = look
    context = chromium.new_context(color_scheme=scheme, viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    found = []
    for name, path in played.pages().items():
        tab.goto(f"{url}{path}?lang={code}")
        if name == "statement":
            tab.click("#verify-button")
            tab.wait_for_selector(".verdict")
        for summary in tab.locator("summary").all():
            summary.click()
        tab.evaluate(axe)
        result = tab.evaluate("axe.run()")
        found += [
            (name, item["id"], item["impact"], item["nodes"][0]["html"], item["nodes"][0]["failureSummary"])
            for item in result["violations"]
            if item["impact"] in {"serious", "critical"}
        ]
        assert len(result["passes"]) > 10, "the scan ran"
    context.close()
    assert found == []
