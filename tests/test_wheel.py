"""The wheel: built from the checkout, installed into an empty environment, used there.

Building and installing ask for nothing beyond pip's ordinary configuration; where the dependencies cannot be
had, the second test skips and says why.
"""

import json
import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(*command, **kwargs):
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, timeout=600, **kwargs
    )


def build(target):
    done = run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", target, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (wheel,) = Path(target).glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_every_module_and_all_contracts(names):
    source = ROOT / "src"
    for path in (source / "pseudoledger").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(source)) in names
    for path in (ROOT / "contracts").rglob("*"):
        if path.is_file():
            assert f"pseudoledger/{path.relative_to(ROOT)}" in names
    assert "pseudoledger/py.typed" in names


def test_the_wheel_holds_nothing_else(names):
    assert all(name.startswith(("pseudoledger/", "pseudoledger-")) for name in names)
    assert not [name for name in names if "test" in Path(name).name.lower() or "__pycache__" in name]
    suffixes = {Path(name).suffix for name in names if name.startswith("pseudoledger/")}
    assert suffixes <= {
        ".py",
        ".typed",
        ".csv",
        ".json",
        ".md",
        ".toml",
        ".yaml",
        ".html",
        ".css",
        ".js",
        ".png",
    }


def test_building_twice_gives_the_same_bytes(wheel, tmp_path):
    assert build(tmp_path).read_bytes() == wheel.read_bytes()


def test_an_empty_environment_gets_a_working_program(wheel, tmp_path):
    """pip installs the wheel with its dependencies; the program founds a ledger, uses its tables and verifies it."""
    place = tmp_path / "env"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    done = run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wheel)
    if done.returncode != 0 and any(
        word in done.stderr for word in ("Could not find a version", "ConnectionError", "Retrying")
    ):
        pytest.skip(f"no package index is set up here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("PYTHON", "PSEUDOLEDGER"))
        },
        "PSEUDOLEDGER_KEYS": str(tmp_path / "keys"),
    }

    def program(*words):
        return run(place / "bin" / "pseudoledger", *words, cwd=tmp_path, env=environment)

    assert "verify" in program("--help").stdout
    founded = program("init", "ledger", "--origin", "wheel.example/one", "--unsealed")
    assert founded.returncode == 0, founded.stderr
    assert program("id", "new", "north", "--unsealed").returncode == 0
    pool = program(
        "pool",
        "declare",
        "P1",
        "--line",
        "h200=8xnvidia-h200-sxm-141gb",
        "--as",
        "north",
        "--ledger",
        "ledger",
    )
    assert pool.returncode == 0, pool.stderr
    verified = program("verify", "ledger", "--json")
    assert verified.returncode == 0, verified.stderr
    assert json.loads(verified.stdout)["verdict"] == "valid"
    where = run(
        python, "-c", "import pseudoledger; print(pseudoledger.__file__)", cwd=tmp_path, env=environment
    )
    assert Path(where.stdout.strip()).is_relative_to(place)
