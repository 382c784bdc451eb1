import sys
from pathlib import Path

import pytest

# The ledger for review serves trace as well.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "review"))
from town import Town


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path / "town")
    yield made
    made.close()
