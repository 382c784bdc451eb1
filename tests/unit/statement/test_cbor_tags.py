"""Tags that would be made into values are refused before their content costs anything."""

import os
import time

import cbor2
import pytest

from pseudoledger.errors import MalformedError
from pseudoledger.ledger.cbor import load
from pseudoledger.node.bodies import BodyRefused
from pseudoledger.node.scrapi import split
from pseudoledger.statement.cbor import REFUSED_TAGS
from pseudoledger.statement.envelope import decode


def tagged(tag, content):
    return cbor2.dumps(cbor2.CBORTag(tag, 0))[:-1] + content


def test_every_tag_that_this_cbor2_makes_something_of_is_refused():
    """A text is no content for most of them: then it is an error that says so."""

    def made(tag):
        try:
            return not isinstance(cbor2.loads(tagged(tag, b"\x61a")), cbor2.CBORTag)
        except cbor2.CBORError:
            return True

    # All tags that are registered lie in these ranges, but for a few of no interest to a decoder.
    found = {tag for tag in [*range(1_500), *range(43_000, 43_100), *range(55_799, 55_801)] if made(tag)}
    assert found == set(REFUSED_TAGS)


def number(size):
    return b"\xc2\x5a" + size.to_bytes(4) + b"\xff" + os.urandom(size - 1)


@pytest.mark.parametrize(
    "raw",
    [
        tagged(4, b"\x82\x00" + number(60_000)),
        tagged(5, b"\x82\x00" + number(60_000)),
        tagged(30, b"\x82" + number(30_000) + number(30_000)),
        tagged(35, b"\x61a"),
        number(60_000),
    ],
    ids=["decimal", "bigfloat", "rational", "pattern", "number"],
)
def test_no_bytes_take_longer_to_refuse_than_their_length_allows(raw):
    began = time.process_time()
    for read in (decode, load):
        with pytest.raises(MalformedError, match="not CBOR"):
            read(raw)
    with pytest.raises(BodyRefused, match="no COSE message stands at byte 0"):
        split(raw)
    assert time.process_time() - began < 0.1
