"""What other programs rely on: the names of docs/reference/library.md, typed, documented, and nothing by accident."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pseudoledger

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reference" / "library.md").read_text(encoding="utf-8")
LISTED = {
    module: re.findall(r"`(\w+)`", names)
    for module, names in re.findall(r"^\| `(pseudoledger[\w.]*)` \| (.+) \|$", PAGE, flags=re.MULTILINE)
}
MODULES = sorted(info.name for info in pkgutil.walk_packages(pseudoledger.__path__, "pseudoledger."))


def test_the_page_lists_names():
    assert len(LISTED) > 10


@pytest.mark.parametrize("module", LISTED)
def test_listed_names_exist_and_are_documented(module):
    found = importlib.import_module(module)
    for name in LISTED[module]:
        value = getattr(found, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module}.{name} has no docstring"
        if hasattr(found, "__all__"):
            assert name in found.__all__


def test_the_typed_example_uses_exactly_the_listed_names():
    tree = ast.parse((ROOT / "tests" / "typing" / "api.py").read_text(encoding="utf-8"))
    used = {
        (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("pseudoledger")
        for alias in node.names
    }
    listed = {(module, name) for module, names in LISTED.items() for name in names}
    # Results are named in the example only to state their types.
    results = {
        "Signed",
        "Pseudonym",
        "VerifiedCheckpoint",
        "VerifiedReceipt",
        "VerifiedGrowth",
        "EntryRow",
        "Kind",
        "OpenedField",
    }
    assert listed <= used
    assert {name for _, name in used - listed} == results


@pytest.mark.parametrize("module", MODULES)
def test_declared_surfaces_are_the_real_ones(module):
    if module.endswith(".spark"):
        pytest.importorskip("pyspark", reason="the extra spark is not installed")
    found = importlib.import_module(module)
    declared = getattr(found, "__all__", None)
    if declared is None:
        return
    assert len(declared) == len(set(declared))
    here = {
        name
        for name, value in vars(found).items()
        if not name.startswith("_")
        and (inspect.isclass(value) or inspect.isfunction(value))
        and value.__module__.startswith("pseudoledger")
    }
    assert here <= set(declared)
    assert all(hasattr(found, name) for name in declared)


def test_the_example_of_the_page_runs(tmp_path):
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path), "PATH": ""},
    )
    assert run.returncode == 0, run.stderr
    assert not run.stderr


def test_importing_a_room_starts_nothing():
    """No module reads the keystore, opens a file of a ledger or starts a thread on import."""
    code = "import threading, pseudoledger.registrar, pseudoledger.audit.verifier; print(threading.active_count())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "1"


def test_the_package_says_that_it_is_typed():
    assert (Path(pseudoledger.__file__).parent / "py.typed").is_file()
