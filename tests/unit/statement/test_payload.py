"""Payload bytes: one form, read strictly, with every limit of formats §2 on both sides."""

import json

import orjson
import pytest

from play import Deal, Table, papers
from play.papers import DAY, START, changed
from pseudoledger.cli.examples import example
from pseudoledger.errors import MalformedError
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.payload import ITEMS_MAX, draft, jcs, parse, serialise

SMALL = b'{"delivery":"%s","type":"delivery.accepted","v":1}' % (b"0f" * 32)


def refused(raw):
    with pytest.raises(MalformedError) as caught:
        parse(raw)
    assert caught.value.message
    return caught.value.code


def with_number(text):
    """A pool whose number is a given text, in canonical form as far as a writer can tell."""
    tree = {
        "lines": [{"count": 1, "id": "a", "resource": "cpu_core"}],
        "number": text,
        "type": "pool.declared",
        "v": 1,
    }
    return json.dumps(tree, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode(
        "utf-8", "surrogatepass"
    )


def test_a_payload_is_read_from_its_exact_bytes():
    payload = parse(SMALL)
    assert payload.type == "delivery.accepted"
    assert serialise(payload) == SMALL


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "payload.json"),
        (b"\xef\xbb\xbf" + SMALL, "payload.json"),
        (SMALL + b"\n", "payload.not_jcs"),
        (b" " + SMALL, "payload.not_jcs"),
        (SMALL + b"{}", "payload.json"),
        (b"[1]", "payload.json"),
        (b'"text"', "payload.json"),
        (b"null", "payload.json"),
        (b"\xff\xfe", "payload.json"),
        (SMALL.replace(b'"v":1', b'"v":NaN'), "payload.json"),
        (SMALL.replace(b'"v":1', b'"v":Infinity'), "payload.json"),
        (SMALL.replace(b'"v":1', b'"v":-Infinity'), "payload.json"),
        (SMALL.replace(b'"v":1', b'"v":01'), "payload.json"),
        (SMALL.replace(b'"v":1', b'"v":+1'), "payload.json"),
        (SMALL.replace(b'"v":1', b'"v":-0'), "payload.not_jcs"),
        (SMALL.replace(b'"v":1', b'"v":1,"v":1'), "payload.not_jcs"),
        (SMALL.replace(b'"type":', b'"v":1,"type":'), "payload.not_jcs"),
        (SMALL.replace(b"delivery.accepted", b"delivery\\u002eaccepted"), "payload.not_jcs"),
        (SMALL.replace(b'"v":1', b'"v":1,"x":"\\/"'), "payload.not_jcs"),
    ],
)
def test_another_form_is_refused(raw, code):
    assert refused(raw) == code


@pytest.mark.parametrize("number", [b"1.0", b"1e0", b"1.5", b"1E400", b"0.1", b"-0.0"])
def test_floats_are_refused(number):
    assert refused(SMALL.replace(b'"v":1', b'"v":' + number)) in {
        "payload.limits",
        "payload.not_jcs",
        "payload.unknown_kind",
        "payload.json",
    }


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**63, 2**64, 10**30])
def test_numbers_end_at_2_to_the_53(number):
    tree = {"delivery": "0f" * 32, "number": "V1", "serials": [], "type": "delivery.offered", "v": 1}
    tree = {**tree, "lines": [{"count": number, "line": "h100"}]}
    raw = json.dumps(tree, separators=(",", ":"), sort_keys=True).encode()
    assert refused(raw) in {"payload.field", "payload.limits", "payload.not_jcs"}
    with pytest.raises(MalformedError):
        jcs(tree)


def test_null_stands_nowhere():
    assert refused(b'{"delivery":null,"type":"delivery.accepted","v":1}') == "payload.limits"


@pytest.mark.parametrize("name", [b"X", b"a b", b"\xc3\xa9", b"", b"a" * 65, b"1a", b"a-b"])
def test_names_are_of_one_shape(name):
    raw = b'{"%s":1,"type":"delivery.accepted","v":1}' % name
    assert refused(raw) in {"payload.limits", "payload.not_jcs", "payload.field"}


@pytest.mark.parametrize(
    "char",
    [
        *map(chr, range(0x20)),
        *map(chr, range(0x7F, 0xA0)),
        *"\u061c\u200e\u200f\u202a\u202e\u2066\u2069\ufeff\ufdd0\ufdef\ufffe\uffff\U0001fffe\U0010ffff",
    ],
    ids=lambda char: f"U+{ord(char):04X}",
)
def test_characters_that_do_not_show_are_refused(char):
    assert refused(with_number(f"P{char}1")) == "payload.characters"


@pytest.mark.parametrize("code_unit", [0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_lone_surrogates_are_refused(code_unit):
    text = f"a{chr(code_unit)}b"
    assert refused(with_number(text)) == "payload.json"
    escaped = with_number("P1").replace(b'"P1"', json.dumps(text).encode())
    assert refused(escaped) in {"payload.json", "payload.not_jcs", "payload.characters"}


def test_a_visible_letter_of_any_script_is_text():
    table = Table()
    tree = {**papers.declared(label="\u5b97\u6771 \U0001f4a1 \u00e9 e\u0301")}
    payload = draft(table.seal(Deal(table).lessor, tree).tree)
    assert parse(serialise(payload)) == payload


@pytest.mark.parametrize("depth", [9, 100, 5_000, 200_000])
def test_nesting_is_bounded(depth):
    raw = b'{"type":"delivery.accepted","v":1,"x":' + b"[" * depth + b"]" * depth + b"}"
    assert refused(raw) in {"payload.limits", "payload.json"}
    assert refused(b"[" * depth) == "payload.json"


def test_nesting_of_eight_is_within_the_limits():
    raw = b'{"type":"delivery.accepted","v":1,"x":' + b"[" * 7 + b"]" * 7 + b"}"
    assert refused(raw) == "payload.field"


@pytest.mark.parametrize(
    ("items", "code"), [(ITEMS_MAX - 3, "payload.field"), (ITEMS_MAX - 2, "payload.limits")]
)
def test_members_and_elements_are_counted(items, code):
    raw = b'{"type":"delivery.accepted","v":1,"x":[' + b",".join([b"1"] * items) + b"]}"
    assert refused(raw) == code


def test_a_megabyte_is_refused():
    raw = b'{"type":"delivery.accepted","v":1,"x":"' + b"a" * 1_000_000 + b'"}'
    assert refused(raw) == "payload.field"


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "delivery.lost"},
        {"v": 2},
        {"v": 0},
        {"v": "1"},
        {"v": True},
        {"type": 7},
        {"type": ["delivery.accepted"]},
    ],
)
def test_an_unknown_kind_is_named(changes):
    assert refused(orjson.dumps({**json.loads(SMALL), **changes}, option=orjson.OPT_SORT_KEYS)) == (
        "payload.unknown_kind"
    )


def test_an_unknown_field_is_refused_at_its_place():
    with pytest.raises(MalformedError) as caught:
        draft({**json.loads(SMALL), "surprise": 1})
    assert [(f.code, f.field) for f in caught.value.findings] == [("payload.field", "/surprise")]


def test_every_wrong_field_is_named_at_once():
    tree = changed(papers.pool(), {"/lines/0/count": 0, "/lines/1/resource": "gold", "/number": "?"})
    with pytest.raises(MalformedError) as caught:
        draft(tree)
    assert {"/lines/0/count", "/number"} <= {finding.field for finding in caught.value.findings}
    assert len(caught.value.findings) >= 3


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/available/from", "2026-02-30T00:00:00Z"),
        ("/available/from", "2026-01-01T00:00:00+00:00"),
        ("/available/from", "2026-01-01T24:00:00Z"),
        ("/available/from", "1969-12-31T23:59:59Z"),
        ("/available/from", "\u0662026-01-01T00:00:00Z"),
        ("/available/until", "2026-01-01T00:00:00Z"),
        ("/length_min", "P0D"),
        ("/length_min", "PT24H"),
        ("/length_min", "P"),
        ("/length_min", "P1DT"),
        ("/length_min", "P01D"),
        ("/facility/country", "de"),
        ("/facility/subdivision", "DE_BE"),
        ("/tariff/currency", "EURO"),
        ("/tariff/lines/0/price_micro", -1),
        ("/tariff/lines/0/price_micro", True),
        ("/tariff/lines/0/price_micro", "1"),
        ("/tariff/lines/0/fee_minor", 1),
        ("/lines/0/chip", papers.GONE),
        ("/lines/1/chip", papers.H100),
        ("/lines", []),
        ("/lines/0/id", "H100"),
        ("/pool", "0F" * 32),
        ("/pool", "0f" * 31),
        ("/number", "-1"),
    ],
)
def test_a_value_has_one_spelling(pointer, value):
    table = Table()
    lessor = Deal(table).lessor
    good = papers.offer("0f" * 32)
    draft(table.seal(lessor, good).tree)
    with pytest.raises(MalformedError) as caught:
        draft(table.seal(lessor, changed(good, {pointer: value})).tree)
    assert caught.value.code == "payload.field"


def one_of_each():
    """A draft of every kind, ready to sign; those of blocks and policies come from a ledger."""
    deal = Deal().offered().demanded().mandated().settled()
    found = {}
    for item in deal.table.history:
        found.setdefault(item.payload.type, serialise(item.payload))
    seal = lambda tree: serialise(draft(deal.table.seal(deal.lessor, tree).tree))  # noqa: E731
    refs = "0f" * 32
    others = [
        papers.match(refs, [refs], START),
        papers.bid(START),
        papers.bid(START, kind="bid.countered"),
        *(papers.simple(kind) for kind in ("bid.rejected", "bid.withdrawn", "lease.rejected")),
        *(papers.simple(kind) for kind in ("lease.cancelled", "offer.withdrawn", "demand.closed")),
        *(papers.simple(kind) for kind in ("broker.released", "invoice.cancelled")),
        papers.amendment(deal.terms(), refs, START, START + DAY),
        papers.simple("amendment.signed", amendment=refs),
        papers.reclaim(START),
        papers.ended(1),
        papers.delivery_refused(refs),
        papers.contested(refs, 1),
        papers.rejected(1),
        papers.credit([("h100", 1)], number="C1"),
        papers.denied(),
        papers.declared(),
        papers.handover("identity.rotated", deal.lessee.did),
        papers.handover("identity.recovered", deal.lessee.did),
        papers.adopted(refs),
        papers.revoked(),
        papers.registered_file(),
        papers.simple("ledger.key_changed", number=1, ledger_key=deal.lessee.did),
    ]
    later = [example(kind) for kind in KINDS.values() if kind.since > 1]
    for tree in (*others, *later):
        found[tree["type"]] = seal(tree)
    founding = json.loads(found["ledger.founded"])
    pins = {name: founding[name] for name in ("rules", "tables", "mode", "policy")}
    found["ledger.policy_changed"] = jcs({"type": "ledger.policy_changed", "v": 1, "number": 1, **pins})
    return found


def test_every_kind_reads_what_it_writes():
    written = one_of_each()
    assert set(written) == {name for name, _ in KINDS}
    for raw in written.values():
        assert serialise(parse(raw)) == raw


def test_every_kind_refuses_a_member_too_many_and_a_null():
    for name, raw in one_of_each().items():
        tree = json.loads(raw)
        with pytest.raises(MalformedError):
            draft({**tree, "surprise": 1})
        for member in tree:
            if member not in {"_sd", "_sd_alg"}:
                with pytest.raises(MalformedError):
                    parse(orjson.dumps({**tree, member: None}, option=orjson.OPT_SORT_KEYS))
        assert name == tree["type"]
