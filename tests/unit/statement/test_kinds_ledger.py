"""Kinds of the family ledger: what their fields refuse."""

import pytest

from pseudoledger.errors import MalformedError
from pseudoledger.statement.payload import draft

BLOCK = {
    "type": "block.sealed",
    "v": 1,
    "height": 1,
    "previous": "0" * 64,
    "time": "2026-01-01T00:00:00.000Z",
    "size": 1,
    "root": "0" * 64,
}


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-01T40:00:00.000Z",
        "2026-02-30T00:00:00.000Z",
        "1969-12-31T23:59:59.000Z",
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:00.000",
    ],
)
def test_a_block_time_is_a_real_time(time):
    draft(BLOCK)
    with pytest.raises(MalformedError) as error:
        draft(BLOCK | {"time": time})
    assert error.value.findings[0].field == "/time"
