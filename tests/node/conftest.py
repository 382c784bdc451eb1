"""A founded ledger for the tests of nodes."""

import pytest
from processes import Founded, Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def founded(place):
    return Founded(place)
