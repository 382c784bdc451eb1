import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
from town import Town


@pytest.fixture
def town(tmp_path):
    made = Town(tmp_path / "town")
    yield made
    made.close()
