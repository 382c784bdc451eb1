"""House style that a test holds, so that review can speak of design."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
MODULES = sorted(SRC.rglob("*.py"))
PYTHON = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "tools").rglob("*.py"))]
SKIPPED = {".git", ".venv", ".venv-spark", "build", "dist", "demo-run", "__pycache__", "node_modules"}
LOCKS = ("requirements.lock", "requirements-spark.lock")
BUILD_FILES = [ROOT / name for name in ("Makefile", "pyproject.toml", *LOCKS, ".ci/run")]
MODULE_LINES = 400
FUNCTION_LINES = 70


def committed():
    """Every file of the project but what commands make beside it."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part in SKIPPED or part.endswith(("_cache", ".egg-info")) for part in parts)
        if path.is_file() and not hidden and not parts[0].startswith((".hypothesis", ".coverage")):
            yield path


def texts():
    for path in committed():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def short(path):
    return str(path.relative_to(ROOT))


def test_modules_fit_one_reading():
    long = {short(path): n for path in MODULES if (n := len(path.read_text().splitlines())) > MODULE_LINES}
    assert not long


def test_functions_fit_a_screen():
    long = {
        f"{short(path)}:{node.lineno} {node.name}": size
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or 0) - node.lineno + 1) > FUNCTION_LINES
    }
    assert not long


def test_no_leftover_markers():
    words = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"]) + r")\b")
    left = [
        f"{short(path)}:{number}"
        for path, text in texts()
        if path.suffix in {".py", ".md", ".toml", ".json", ".yaml"} or path.name in {"Makefile", "run"}
        for number, line in enumerate(text.splitlines(), 1)
        # Three X are also a currency code of ISO 4217.
        if words.search(line) and "currency" not in line and "XBC" not in line
    ]
    assert not left


def test_nothing_is_left_unwritten():
    found = [
        f"{short(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Name) and node.id == "NotImplementedError"
    ]
    assert not found


def test_no_module_without_a_subject():
    names = {"util", "utils", "misc", "helper", "helpers", "common_utils", "stuff"}
    assert not [short(path) for path in PYTHON if path.stem in names or path.parent.name in names]


def test_no_error_is_caught_wholesale():
    """`except Exception` hides bugs; `except BaseException` is only for cleaning up and raising on."""
    found = []
    for path in MODULES:
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {""}
            raises = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if caught & {"", "Exception"} or ("BaseException" in caught and not raises):
                found.append(f"{short(path)}:{node.lineno}")
    assert not found


def test_only_the_command_line_prints():
    found = [
        f"{short(path)}:{node.lineno}"
        for path in MODULES
        if "cli" not in path.parts
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"print", "input"}
    ]
    assert not found


def test_no_path_of_one_machine():
    pattern = re.compile(r"(?<![\w.~-])/(home|root|work|Users|mnt|opt)/[A-Za-z]")
    found = [
        f"{short(path)}:{number}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found


HOSTS = {
    "json-schema.org",  # the dialect that the generated schemas name
    "example.com",
    "example.org",
    "127.0.0.1",
    "localhost",
    "xn--0",  # no host: a name that cannot be one
    "www.apache.org",  # the licence
}


def test_only_known_hosts_are_named():
    """No package index, mirror or machine of ours stands in a file that others read."""
    found = {
        f"{short(path)}: {host}"
        for path, text in texts()
        for host in re.findall(r"\bhttps?://([A-Za-z0-9.-]+)", text)
        if host not in HOSTS and not host.endswith((".example", ".test", ".invalid"))
    }
    assert not found


@pytest.mark.parametrize("path", BUILD_FILES, ids=lambda path: path.name)
def test_building_asks_whichever_index_is_set_up(path):
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"--(extra-)?index-url|--find-links|--trusted-host", text)


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_is_hashed(name):
    lock = (ROOT / name).read_text()
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock.strip()):
        first, *rest = block.splitlines()
        assert re.match(r"[a-z0-9][a-z0-9._-]*(\[[a-z,]+\])?==[A-Za-z0-9.+!-]+", first), first
        assert any("--hash=sha256:" in line for line in rest), first
        assert all(re.match(r"    (--hash=sha256:[0-9a-f]{64}( \\)?|#.*)$", line) for line in rest), first


def test_dependencies_are_used_and_locked():
    """What the program declares it needs, some module imports; and the lock file has it."""
    modules = {
        "common-expression-language": "cel",
        "prometheus-client": "prometheus_client",
        "sse-starlette": "sse_starlette",
        "pynacl": "nacl",
        "ruamel.yaml": "ruamel",
        "sqlite-utils": "sqlite_utils",
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    imported = {name.split(".")[0] for path in MODULES for name in imports_of(path)}
    locked = set(
        re.findall(r"^([a-z0-9._-]+)(?=\[|==)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    )
    by_name = {"httptools", "uvloop"}  # uvicorn loads them when it is told so
    for requirement in project["project"]["dependencies"]:
        name = re.match(r"[A-Za-z0-9._-]+", requirement)[0]
        assert name in by_name or modules.get(name, name) in imported, f"nothing imports {name}"
        assert name.replace(".", "-") in {entry.replace(".", "-") for entry in locked}
    for requirement in project["dependency-groups"]["dev"]:
        assert re.match(r"[A-Za-z0-9._-]+", requirement)[0] in locked


def imports_of(path):
    """Every module that a file imports, and every name that may be a module."""
    package = path.relative_to(SRC).with_suffix("").parts[:-1] if path.is_relative_to(SRC) else ()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def module_name(path):
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_no_dead_files():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    entry_points = {target.split(":")[0] for target in project["project"]["scripts"].values()}
    imported = {name for path in PYTHON for name in imports_of(path)} | entry_points
    dead = [
        short(path)
        for path in MODULES
        if path.name not in {"__init__.py", "__main__.py"} and module_name(path) not in imported
    ]
    assert not dead


def test_every_file_of_contracts_is_read_or_described():
    """Shipped data that nothing reads is dead too."""
    said = "\n".join(text for path, text in texts() if "contracts" not in path.parts or path.suffix == ".md")
    unread = [
        short(path)
        for path in committed()
        if path.parts[len(ROOT.parts)] == "contracts"
        and path.stem not in said
        and path.parent.name not in said
    ]
    assert not unread
