"""Which room may know which, and what the judging rooms may not ask."""

import ast
import re
import tomllib
from pathlib import Path
from typing import get_args

import pytest
from importlinter.cli import lint_imports

from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.values import Sealable, Table, Value

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src" / "pseudoledger"
PYPROJECT = ROOT / "pyproject.toml"

KEEPS_FILES = {
    "store.py",
    "lock.py",
    "flusher.py",
    "database.py",
    "description.py",
    "backup.py",
    "export.py",
    "files.py",
}
"""Modules of the ledger room that are about files; everything else in these rooms works on values."""
PURE = sorted(
    path
    for room in ("statement", "contract", "ledger")
    for path in (SRC / room).rglob("*.py")
    if not (room == "ledger" and path.name in KEEPS_FILES)
)
READS_SHIPPED_FILES = {"tables.py", "templates.py", "ruleset.py"}
"""Modules of the contract room that read what ships with the program, by hash, and nothing else."""


def test_imports_run_downwards_only(capsys):
    status = lint_imports(config_filename=str(PYPROJECT), no_cache=True, no_logo=True)
    assert status == 0, capsys.readouterr().out


def test_the_contracts_are_those_of_the_design():
    contracts = tomllib.loads(PYPROJECT.read_text())["tool"]["importlinter"]["contracts"]
    layers = next(item for item in contracts if item["type"] == "layers")
    assert [layer.strip("()") for layer in layers["layers"]] == [
        "cli",
        "demo | bench | worlds",
        "node",
        "audit",
        "registrar | market",
        "contract | ledger",
        "statement",
        "identity",
        "workers",
        "lines",
        "errors",
    ]
    assert layers["exhaustive"], "a new room has to be given its place"
    forbidden = [
        (item["source_modules"], item["forbidden_modules"])
        for item in contracts
        if item["type"] == "forbidden"
    ]
    assert (["pseudoledger.audit"], ["pseudoledger.registrar"]) in forbidden


FORBIDDEN_MODULES = {
    "time",
    "random",
    "secrets",
    "uuid",
    "socket",
    "urllib",
    "http",
    "httpx",
    "subprocess",
    "locale",
    "sqlite3",
}
FORBIDDEN_NAMES = re.compile(
    r"\b(os\.(environ|getenv|urandom|getpid)|datetime\.(now|utcnow|today)|date\.today|Path\.(cwd|home))\b"
)


def asked(source):
    """Name everything in a source text that asks for more than its arguments."""
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] in FORBIDDEN_MODULES:
                yield name
        if isinstance(node, ast.Attribute) and FORBIDDEN_NAMES.search(ast.unparse(node)):
            yield ast.unparse(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            yield "open()"


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(SRC)))
def test_no_clock_environment_randomness_or_network(path):
    assert not list(asked(path.read_text()))


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "from random import randrange",
        "import os\nx = os.environ",
        "import datetime\ndatetime.datetime.now()",
        "open('x')",
    ],
)
def test_the_search_finds_what_it_looks_for(source):
    assert list(asked(source))


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(SRC)))
def test_only_named_modules_read_files(path):
    reads = re.search(r"\.(read_bytes|read_text|open|write_bytes|write_text|iterdir)\(", path.read_text())
    assert reads is None or path.name in READS_SHIPPED_FILES


CORE = {"identity", "statement", "contract", "ledger", "registrar"}
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda path: str(path.relative_to(SRC)))
def test_no_module_keeps_state(path):
    """Nothing in a module changes after its import: what is assigned there is frozen, or private and only read."""
    tree = ast.parse(path.read_text())
    mutable = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, MUTABLE)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and target.id != "__all__"
    }
    public = [name for name in mutable if not name.startswith("_")]
    assert not public or path.relative_to(SRC).parts[0] not in CORE, "freeze it with MappingProxyType"
    changed = {
        name
        for node in ast.walk(tree)
        for name in mutable
        if (
            isinstance(node, ast.Subscript)
            and isinstance(node.ctx, ast.Store | ast.Del)
            and ast.unparse(node.value) == name
        )
        or (
            isinstance(node, ast.Attribute)
            and ast.unparse(node.value) == name
            and node.attr
            in {"append", "add", "update", "clear", "pop", "setdefault", "extend", "remove", "insert"}
        )
        or (isinstance(node, ast.Global) and name in node.names)
    }
    assert not changed


def test_one_door_admits():
    """Rules are asked by the registrar and by those who check it afterwards, and by nobody else.

    A mirror is one of those: what it stores was admitted elsewhere, and judged again before it is believed.
    """
    mirror = SRC / "node" / "belief.py"
    askers = {
        path.relative_to(SRC).parts[0]
        for path in SRC.rglob("*.py")
        if re.search(r"\.(judge|fold)\(", path.read_text()) and path != mirror
    }
    assert askers <= {"registrar", "audit", "contract"}
    writers = {
        path.relative_to(SRC).parts[0]
        for path in SRC.rglob("*.py")
        if path != mirror
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and node.module == "pseudoledger.ledger.rows"
        and any(alias.name == "Batch" for alias in node.names)
    }
    assert writers == {"registrar", "ledger"}, "the ledger stores batches and makes none"


def nested_models():
    """Every model that stands in a payload below its top level."""
    found, waiting = set(), [kind.model for kind in KINDS.values()]
    while waiting:
        parts = [info.annotation for info in waiting.pop().model_fields.values()]
        while parts:
            part = parts.pop()
            parts.extend(get_args(part))
            if isinstance(part, type) and issubclass(part, Value) and part not in found:
                found.add(part)
                waiting.append(part)
    return found


SEALABLE = {
    name
    for model in {kind.model for kind in KINDS.values()} | nested_models()
    if issubclass(model, Sealable)
    for name in model.sealable_names()
}
READ_ELSEWHERE = {
    # The label of an identity is public; the book's bids have an owner who is no facility's.
    ("identity.py", "label"),
    ("bid.py", "owner"),
    ("lease.py", "owner"),
    ("ending.py", "owner"),
}


@pytest.mark.parametrize(
    "path", sorted((SRC / "contract" / "rules").glob("*.py")), ids=lambda path: path.name
)
def test_no_rule_reads_what_may_be_sealed(path):
    read = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert not {name for name in read & SEALABLE if (path.name, name) not in READ_ELSEWHERE}


def test_no_sealable_field_names_a_row_of_a_table():
    """The rule that looks up chips, currencies and places walks every field that names one."""
    for model in {kind.model for kind in KINDS.values()} | nested_models():
        if issubclass(model, Sealable):
            for name in model.sealable_names():
                assert not any(isinstance(mark, Table) for mark in model.model_fields[name].metadata)
