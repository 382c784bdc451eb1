"""Documents in step: generated pages, links, tables that repeat the code, and pointers to tests."""

import ast
import base64
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError

import reference
from pseudoledger import errors
from pseudoledger.contract.ruleset import newest
from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import Signer
from pseudoledger.statement import envelope, payload, sealed, values
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.kinds import ledger as ledger_kinds

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md")])
SPEC = DOCS / "spec"


def short(path):
    return str(path.relative_to(ROOT))


def text_of(path):
    return path.read_text(encoding="utf-8")


def without_code(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


# What is generated


def test_generated_pages_are_what_the_code_yields():
    assert reference.out_of_step() == [], "run make docs"


def test_the_check_notices_a_page_out_of_step(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "REFERENCE", tmp_path)
    reference.write()
    assert reference.out_of_step() == []
    (tmp_path / "kinds.md").write_text("old")
    (tmp_path / "schema" / "gone.v1.json").write_text("{}")
    (tmp_path / "rules.md").unlink()
    assert reference.out_of_step() == ["kinds.md", "rules.md", "schema/gone.v1.json"]


def test_the_generator_takes_no_other_words():
    run = subprocess.run(
        [sys.executable, ROOT / "tools" / "reference.py", "--chek"], capture_output=True, check=False
    )
    assert run.returncode == 1


# Links


def anchors(path):
    """The anchors of a page, as its headings make them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", without_code(text_of(path)), flags=re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_links_lead_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", without_code(text_of(page)))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        path = (page.parent / file).resolve() if file else page
        assert path.exists(), f"{short(page)}: {target}"
        assert not anchor or anchor in anchors(path), f"{short(page)}: {target}"


def test_every_format_is_listed():
    listed = set(re.findall(r"\]\((\w+\.md)\)", text_of(SPEC / "README.md")))
    assert {path.name for path in SPEC.glob("*.md")} - {"README.md"} <= listed


# docs/spec/README.md


def table_below(text, heading):
    """The rows of the first table below a heading, as lists of cells."""
    part = text.split(f"\n{heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split(" | ") for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_the_table_of_subjects_is_that_of_the_kinds():
    rows = table_below(text_of(SPEC / "README.md"), "## What `sub` holds")
    wanted = {
        kind.name: [f"`{kind.name}`", kind.subject.value, "parties" if kind.from_network else "the ledger"]
        for kind in KINDS.values()
    }
    assert rows == list(wanted.values())


def test_every_label_stands_in_the_table_of_hashes():
    """Each label under which the source hashes or signs something is listed, and each listed one exists."""
    rows = "\n".join(
        " | ".join(row)
        for row in table_below(text_of(SPEC / "README.md"), "## Every hash and every signature")
    )
    source = "\n".join(
        text_of(path) for path in sorted((ROOT / "src").rglob("*.py")) if "demo" not in path.parts
    )
    labels = set(re.findall(r"""b["'](pseudoledger/[a-z]+/v\d|pl/[a-z-]+/\d|cosignature/v\d)""", source))
    assert labels == {"pseudoledger/seal/v1", "pl/last-signed/1", "cosignature/v1"} | (
        labels & {"pseudoledger/serial/v1"}
    )
    assert all(label in rows for label in labels)


# docs/spec/values.md

VALUES = text_of(SPEC / "values.md")
NAMED = {
    **{name: value for name, value in vars(values).items() if get_origin(value) is Annotated},
    "Origin": ledger_kinds.Origin,
    "BlockTime": ledger_kinds.BlockTime,
}
SECTIONS = {
    name: body.strip().split("\n\n")
    for name, body in re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", VALUES, flags=re.MULTILINE | re.DOTALL)
}


def test_every_named_value_has_its_section():
    assert set(SECTIONS) == set(NAMED)


@pytest.mark.parametrize("name", sorted(NAMED))
def test_shapes_are_those_of_the_code(name):
    schema = TypeAdapter(NAMED[name]).json_schema()
    if "pattern" in schema:
        shape = f"`{schema['pattern']}`"
    elif schema["type"] == "integer":
        shape = f"integer, {schema['minimum']:,} to {schema['maximum']:,}"
    else:
        shape = f"text, {schema['minLength']} to {schema['maxLength']} characters"
    assert SECTIONS[name][0] == shape


@pytest.mark.parametrize("name", sorted(NAMED))
def test_examples_are_accepted_and_refused(name):
    adapter = TypeAdapter(NAMED[name])
    is_number = adapter.json_schema()["type"] == "integer"
    accepted, _, refused = SECTIONS[name][2].partition(" Refused: ")
    assert accepted.startswith("Accepted: ")
    for example in re.findall(r"`([^`]+)`", accepted):
        adapter.validate_python(int(example) if is_number else example, strict=True)
    for example in re.findall(r"`([^`]+)`", refused):
        with pytest.raises(ValidationError):
            adapter.validate_python(int(example) if is_number else example, strict=True)


# docs/spec/payload.md

PAYLOAD = text_of(SPEC / "payload.md")


def test_the_example_of_a_sealed_payload_is_made_and_opened():
    raw = re.search(r"^```json\n(.*)\n```$", PAYLOAD, flags=re.MULTILINE)[1]
    disclosure, opened = re.search(r"^```text\n(.*)\n(.*)\n```$", PAYLOAD, flags=re.MULTILINE).groups()
    signer, ledger = Signer.from_seed(bytes([3]) * 32), "0123456789abcdef" * 4
    tree = {
        "type": "pool.declared",
        "v": 1,
        "number": "P-1",
        "lines": [{"id": "h100", "resource": "chip", "chip": "nvidia-h100-sxm5-80gb", "count": 8}],
        "label": "Hall 3",
    }
    ready = sealed.seal(tree, aud=ledger, iss=signer.did, random=lambda count: bytes([1]) * count)
    assert payload.serialise(payload.draft(ready.tree)).decode() == raw
    assert ready.disclosures == (disclosure,)
    assert base64.urlsafe_b64decode(disclosure + "=" * (-len(disclosure) % 4)).decode() == opened
    statement = envelope.decode(
        envelope.sign(signer, payload.parse(raw.encode()), sub=signer.did, aud=ledger, iat=0)
    )
    field = sealed.open_field(statement, disclosure)
    assert (field.pointer, field.value, field.problem) == ("/label", "Hall 3", "")


@pytest.mark.parametrize(
    ("code", "example"),
    re.findall(r"^   \| `(payload\.\w+)` \| .* \| `(.*)` \|$", PAYLOAD, flags=re.MULTILINE),
)
def test_payloads_are_refused_as_the_page_says(code, example):
    with pytest.raises(MalformedError) as caught:
        payload.parse(example.replace("\\u202e", "\u202e").encode())
    assert caught.value.code == code


def test_the_limits_on_the_page_are_those_of_the_code():
    assert f"at most {payload.DEPTH_MAX} deep" in PAYLOAD
    assert f"at most {payload.ITEMS_MAX:,}" in PAYLOAD
    assert f"at most {sealed.DISCLOSURE_MAX:,} characters" in PAYLOAD


# Errors, decisions, specs, threat model


def test_the_drawn_tree_of_errors_is_the_real_one():
    doc = errors.__doc__
    drawn = re.findall(r"^    ([│ ├└─]*)(\w+)", doc[doc.index("    PseudoledgerError") :], flags=re.MULTILINE)
    stack, found = [], {}
    for indent, name in drawn:
        depth = len(indent) // 4
        del stack[depth:]
        found[name] = stack[-1] if stack else "Exception"
        stack.append(name)
    real = {
        name: value.__bases__[0].__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.PseudoledgerError)
    }
    assert found == real


DECISIONS = sorted((DOCS / "adr").glob("0*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_decisions_have_their_four_parts(page):
    text = text_of(page)
    number = int(page.name[:4])
    title = re.match(rf"# {number}\. (.+)\n", text)[1]
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == ["Context", "Options", "Decision", "Cost"]
    assert f"| [{number}]({page.name}) | {title} |" in text_of(DOCS / "adr" / "README.md")


def test_decisions_are_numbered_without_gaps():
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_cited_document_is_pinned():
    pinned = text_of(DOCS / "reference" / "specs.md")
    cited = {
        match
        for folder, pattern in (("src", "*.py"), ("docs", "*.md"))
        for path in (ROOT / folder).rglob(pattern)
        for match in re.findall(
            r"\b(RFC \d+|BIP-\d+|SLIP-\d+|CAIP-\d+|UNCL \d+|ISO \d+(?:-\d)?|EN \d{5})\b", text_of(path)
        )
    }
    assert not sorted(document for document in cited if not re.search(rf"\b{document}\b", pinned))


def functions_of(path):
    return {node.name for node in ast.walk(ast.parse(text_of(path))) if isinstance(node, ast.FunctionDef)}


def test_pointers_to_tests_lead_to_tests():
    pointers = {
        pointer
        for page in PAGES
        for pointer in re.findall(r"`(tests/[\w/.-]+\.py(?:::\w+)?)`", text_of(page))
    }
    assert len(pointers) > 10
    for pointer in pointers:
        file, _, name = pointer.partition("::")
        assert (ROOT / file).is_file(), pointer
        assert not name or name in functions_of(ROOT / file), pointer


def test_rules_named_in_documents_exist():
    """The threat model and the specs name rules in code marks; every one is a rule of the rule set."""
    rules = {rule.__name__ for stages in newest().stages.values() for stage in stages for rule in stage}
    text = text_of(DOCS / "explanation" / "threat-model.md")
    named = set(re.findall(r"\brules? `(\w+)`", text)) | set(re.findall(r"`(\w+_\w+)`", text)) - {
        "accept_within"
    }
    assert named
    assert named <= rules


def test_no_page_writes_words_that_the_glossary_replaces():
    """A few words that are easily written and mean something else here."""
    words = re.compile(
        r"\b(smart contracts?|blockchains?|miners?|debit notes?|wallets? address|chargebacks?)\b",
        re.IGNORECASE,
    )
    for page in PAGES:
        if page.name != "glossary.md":
            assert not words.search(text_of(page)), short(page)


def test_shown_commands_of_the_makefile_exist():
    makefile = text_of(ROOT / "Makefile")
    targets = set(re.findall(r"^([a-z-]+):", makefile, flags=re.MULTILINE))
    for page in PAGES:
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", text_of(page), flags=re.MULTILINE):
            assert target in targets, f"{short(page)}: make {target}"
