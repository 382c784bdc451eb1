"""Shared fixtures: the play of `tests/play`, and where the shared data lies."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from play import Deal, Table

ROOT = Path(__file__).resolve().parents[1]

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
