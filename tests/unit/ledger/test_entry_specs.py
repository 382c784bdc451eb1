"""Every example on the pages about statements, entries and blocks is what the code makes of the fixed keys."""

import re
from pathlib import Path
from textwrap import fill

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.block import Link, block_bytes, check_block, read_block
from pseudoledger.ledger.description import Description
from pseudoledger.ledger.tree import Frontier, hash_leaf
from pseudoledger.statement import envelope
from pseudoledger.statement.payload import draft, parse, serialise
from pseudoledger.statement.values import block_time_ms

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"
EXAMPLE = re.compile(r"<!-- example: ([a-z-]+) -->\n```[a-z]*\n(.*?)```\n", re.DOTALL)
LEDGER, PARTY, FOUNDER = (Signer.from_seed(bytes([number]) * 32) for number in (1, 3, 4))
ORIGIN = "city.example/compute"
TIME_MS = 1_700_000_000_250

FOUNDING = {
    "type": "ledger.founded",
    "v": 1,
    "origin": ORIGIN,
    "nonce": "55" * 32,
    "ledger_key": LEDGER.did,
    "rules": {"name": "example", "sha256": "11" * 32},
    "tables": [{"name": "chips", "sha256": "22" * 32}],
    "mode": "single",
    "policy": {
        "admission": "open",
        "attestors": [],
        "open_max": 100,
        "commission_cap_bps": 500,
        "max_age_seconds": 2_592_000,
        "clock": "system",
    },
}
POOL = {
    "type": "pool.declared",
    "v": 1,
    "number": "P-1",
    "lines": [{"id": "h100", "resource": "chip", "chip": "nvidia-h100-sxm5-80gb", "count": 8}],
    "_sd": ["v9EbP_ZMosrgSlUcBtdIa_eqytDXWlCWF0JJK70h07w"],
    "_sd_alg": "sha-256",
}


def small_ledger():
    """Founding, block, pool, block; the last block's payload and what it has to fit."""
    raws = [envelope.sign(FOUNDER, draft(FOUNDING), sub=ORIGIN, aud=None, iat=TIME_MS // 1000)]
    aud = envelope.decode(raws[0]).id
    pool = envelope.sign(PARTY, draft(POOL), sub=PARTY.did, aud=aud, iat=TIME_MS // 1000)
    link = Link(
        ledger_id=aud, origin=ORIGIN, ledger_key=LEDGER.did, height=0, previous=aud, time_ms=0, size=0
    )
    frontier = Frontier()
    frontier.append(hash_leaf(raws[0]))
    for statement in (None, pool):
        if statement is not None:
            raws.append(statement)
            frontier.append(hash_leaf(statement))
        block = read_block(block_bytes(link, time_ms=TIME_MS, size=frontier.size, root=frontier.root()))
        raw = envelope.sign(LEDGER, block, sub=ORIGIN, aud=aud, iat=TIME_MS // 1000)
        check_block(envelope.decode(raw), block, link, index=frontier.size, root=frontier.root())
        link = Link(
            ledger_id=aud,
            origin=ORIGIN,
            ledger_key=LEDGER.did,
            height=block.height,
            previous=envelope.decode(raw).id,
            time_ms=TIME_MS,
            size=frontier.size + 1,
        )
        raws.append(raw)
        frontier.append(hash_leaf(raw))
    return raws, frontier.root()


RAWS, ROOT = small_ledger()


@given(
    st.integers(0, 2**40),
    st.integers(0, 253_402_300_799_999),
    st.integers(1, 2**40),
    st.binary(min_size=32, max_size=32),
)
def test_a_block_is_written_as_every_payload_is(height, time_ms, size, root):
    link = Link(
        ledger_id="",
        origin=ORIGIN,
        ledger_key=LEDGER.did,
        height=height,
        previous="0f" * 32,
        time_ms=0,
        size=0,
    )
    raw = block_bytes(link, time_ms=time_ms, size=size, root=root)
    assert serialise(parse(raw)) == raw
    block = read_block(raw)
    assert parse(raw) == block
    said = (block.height, block.previous, block_time_ms(block.time), block.size, block.root)
    assert said == (height + 1, link.previous, time_ms, size, root.hex())


def hexlines(raw):
    return fill(raw.hex(), 96) + "\n"


def entries_example():
    rows = []
    for index, raw in enumerate(RAWS):
        found = envelope.decode(raw)
        rows.append(f"{index}  {parse(found.payload).type:14}  id    {found.id}")
        rows.append(f"{'':17}  leaf  {hash_leaf(raw).hex()}")
    return "\n".join([*rows, f"root{'':21}{ROOT.hex()}"]) + "\n"


def description_example():
    ledger = envelope.decode(RAWS[0]).id
    return (
        Description(origin=ORIGIN, ledger=ledger, founder=FOUNDER.did, ledger_key=LEDGER.did).text().decode()
    )


EXAMPLES = {
    ("statement", "statement"): lambda: hexlines(RAWS[2]),
    ("statement", "signed"): lambda: hexlines(envelope.decode(RAWS[2]).signed_bytes),
    ("statement", "id"): lambda: envelope.decode(RAWS[2]).id + "\n",
    ("entry", "entries"): entries_example,
    ("entry", "description"): description_example,
    ("block", "payload"): lambda: envelope.decode(RAWS[3]).payload.decode() + "\n",
    ("block", "block"): lambda: hexlines(RAWS[3]),
}


def found():
    return {
        (name, label): body
        for name in ("statement", "entry", "block")
        for label, body in EXAMPLE.findall((SPEC / f"{name}.md").read_text())
    }


def test_the_pages_hold_exactly_these_examples():
    assert found().keys() == EXAMPLES.keys()


@pytest.mark.parametrize(("name", "label"), EXAMPLES)
def test_an_example_is_what_the_code_makes(name, label):
    assert found()[name, label] == EXAMPLES[name, label]()
