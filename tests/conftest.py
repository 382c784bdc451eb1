"""Shared fixtures: the play of `tests/play`, where the shared data lies, and the accessibility scan of browsers."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from play import Deal, Table

ROOT = Path(__file__).resolve().parents[1]
AXE = "axe-core@4.10.3"

settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    print_blob=False,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("steady")


@pytest.fixture
def table():
    """A founded ledger in memory."""
    return Table()


@pytest.fixture
def deal():
    """A lessor, a lessee and a broker on a ledger of their own."""
    return Deal()


@pytest.fixture(scope="session")
def shared():
    """The folder of shared data and vectors; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("PSEUDOLEDGER_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no shared data at {folder}")
    return folder


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """The source of axe-core, as npm installs it."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm, which installs axe-core, is not installed")
    folder = tmp_path_factory.mktemp("axe")
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder, AXE],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        pytest.skip(f"npm could not install {AXE}: {done.stderr.strip().splitlines()[-1:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
