import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import LEDGER, ORIGIN, SIZE, read

from pseudoledger.errors import InvalidSignature, MalformedError, QuorumNotMet
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger import checkpoint, note, tree
from pseudoledger.ledger.policy import NAMED_MAX, TrustPolicy, format_policy, parse_policy, verify_with_policy

NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
SIGNERS = {name: Signer.from_seed(bytes([40 + number]) * 32) for number, name in enumerate(NAMES)}
LOG = checkpoint.log_key(ORIGIN, LEDGER.public_key)
KEYS = {
    name: checkpoint.cosigner_key(f"{name}.example", signer.public_key) for name, signer in SIGNERS.items()
}
VKEYS = {name: note.format_vkey(key) for name, key in KEYS.items()}
LOG_LINE = f"log {note.format_vkey(LOG)}\n"
WITNESS_LINES = "".join(f"witness {name} {vkey}\n" for name, vkey in VKEYS.items())

# The example of the specification (C2SP tlog-policy, "Example policy"), with keys.
EXAMPLE = (
    f"{LOG_LINE}\n"
    + "".join(f"witness {name} {VKEYS[name]}\n" for name in NAMES[:3])
    + "group X-witnesses 2 X1 X2 X3\n\n"
    + "".join(f"witness {name} {VKEYS[name]}\n" for name in NAMES[3:])
    + "group Y-witnesses any Y1 Y2 Y3\n\ngroup X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
)


def signed(*names, signer=LEDGER, origin=ORIGIN):
    bare = checkpoint.sign_checkpoint(signer, origin, SIZE, tree.root(SIZE, read))
    lines = [checkpoint.cosign(SIGNERS[name], f"{name}.example", bare, 1_700_000_000) for name in names]
    return note.format_note(checkpoint.add_signatures(bare, lines))


@pytest.mark.parametrize(
    ("names", "met"),
    [
        ("", False),
        ("X1 X2", False),
        ("X1 Y1", False),
        ("X1 X2 Y3", True),
        ("X3 X1 Y2", True),
        ("X1 X2 X3 Y1 Y2 Y3", True),
        ("Y1 Y2 Y3 X1", False),
    ],
)
def test_the_example_of_the_specification(names, met):
    policy, raw = parse_policy(EXAMPLE.encode()), signed(*names.split())
    if met:
        verified = verify_with_policy(raw, policy)
        assert {item.key for item in verified.cosignatures} == {KEYS[name] for name in names.split()}
        assert verified.log_keys == (LOG,)
    else:
        with pytest.raises(QuorumNotMet, match="X-and-Y is not met"):
            verify_with_policy(raw, policy)


def test_reading_is_the_inverse_of_writing():
    policy = parse_policy(EXAMPLE.encode())
    assert parse_policy(format_policy(policy)) == policy
    with_urls = parse_policy(EXAMPLE.replace("\n\n", " http://log.example/x \n# note\n \t\n", 1).encode())
    assert with_urls.logs[0].url == "http://log.example/x"
    assert parse_policy(format_policy(with_urls)) == with_urls


def test_spaces_tabs_comments_and_empty_lines_say_nothing():
    spaced = "\t # a comment\n\n   \n" + EXAMPLE.replace(" ", " \t ").replace("\n", " \n\t")
    assert parse_policy((spaced + "\n").encode()) == parse_policy(EXAMPLE.encode())


def test_names_are_octets():
    """A Kelvin sign is no K, and octets that are no UTF-8 are names too (C2SP tlog-policy, "Character set")."""
    text = f"witness K {VKEYS['X1']}\nwitness \u212a {VKEYS['X2']}\n".encode()
    raw = text + b"witness \xff\xfe " + VKEYS["X3"].encode() + b"\nquorum \xff\xfe\n"
    policy = parse_policy(raw)
    assert len({item.name for item in policy.witnesses}) == 3
    assert parse_policy(format_policy(policy)) == policy
    assert policy.is_met([policy.witnesses[2].name])
    assert not policy.is_met(["K", "\u212a"])


GROUP = "group G any X1 X2\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "one quorum line"),
        (LOG_LINE, "one quorum line"),
        ("quorum none", "newline"),
        ("quorum none\nquorum none\n", "line 2 .* one quorum line"),
        ("quorum X\n", "line 1 .* not defined above"),
        (f"quorum X1\n{WITNESS_LINES}", "line 1 .* not defined above"),
        ("quorum\n", "not a log"),
        ("Quorum none\n", "not a log"),
        (f"{LOG_LINE.strip()} url more\nquorum none\n", "not a log"),
        (f"{LOG_LINE}{LOG_LINE}quorum none\n", "line 2 .* another log has the same public key"),
        (f"log {VKEYS['X1']}\nquorum none\n", "type 0x01, not 0x04"),
        (f"witness W {note.format_vkey(LOG)}\nquorum none\n", "type 0x04, not 0x01"),
        (f"{WITNESS_LINES}witness Z {VKEYS['X1']}\nquorum none\n", "another witness has the same public key"),
        (
            f"{LOG_LINE}witness W {note.format_vkey(checkpoint.cosigner_key('w.example', LEDGER.public_key))}\nquorum W\n",
            "line 2 .* a log has the same public key",
        ),
        (f"witness none {VKEYS['X1']}\nquorum none\n", "'none' is defined already"),
        (f"witness X {VKEYS['X1']}\nwitness X {VKEYS['X2']}\nquorum X\n", "'X' is defined already"),
        (f"{WITNESS_LINES}group X1 any X2\nquorum none\n", "'X1' is defined already"),
        (f"{WITNESS_LINES}group none any X1\nquorum none\n", "'none' is defined already"),
        (f"{WITNESS_LINES}group G any\nquorum none\n", "not a log"),
        (f"{WITNESS_LINES}group G any none\nquorum none\n", "'none' is not defined"),
        (f"{WITNESS_LINES}group G any G\nquorum none\n", "'G' is not defined"),
        (f"{WITNESS_LINES}group G 0 X1\nquorum none\n", "threshold"),
        (f"{WITNESS_LINES}group G 2 X1\nquorum none\n", "threshold"),
        (f"{WITNESS_LINES}group G 01 X1\nquorum none\n", "threshold"),
        (f"{WITNESS_LINES}group G \u0661 X1\nquorum none\n", "threshold"),
        (f"{WITNESS_LINES}group G most X1\nquorum none\n", "threshold"),
        (f"{WITNESS_LINES}group G any X1 X1\nquorum none\n", "a member already"),
        (f"{WITNESS_LINES}{GROUP}group H any X1 X3\nquorum none\n", "a member already"),
        (f"{WITNESS_LINES}{GROUP}group H any G X3\ngroup I any G\nquorum none\n", "a member already"),
        ("quorum none\r\n", "control"),
        ("quorum none\x7f\n", "control"),
        ("# \x00\nquorum none\n", "control"),
        ("log x+00000000+AQ==\nquorum none\n", "line 1"),
        (f"witness W {VKEYS['X1'][:-4]}\nquorum none\n", "line 1"),
    ],
)
def test_what_is_no_policy_is_refused_and_says_where(text, message):
    with pytest.raises(MalformedError, match=message):
        parse_policy(text.encode())


def test_a_post_quantum_key_is_refused_in_plain_words():
    """Type 0x06 (ML-DSA-44), which this program does not verify."""
    import base64
    import hashlib

    material = b"\x06" + bytes(1312)
    identifier = hashlib.sha256(b"pq.example\n" + material).hexdigest()[:8]
    vkey = f"pq.example+{identifier}+{base64.b64encode(material).decode()}"
    with pytest.raises(MalformedError, match="unknown signature type 0x06"):
        parse_policy(f"witness W {vkey}\nquorum none\n".encode())


def test_limits():
    comments = b"#" * (1 << 20) + b"\nquorum none\n"
    with pytest.raises(MalformedError, match="bytes"):
        parse_policy(comments)
    lines = "".join(f"group G{number} any {f'G{number - 1}' if number else 'X1'}\n" for number in range(2000))
    head = WITNESS_LINES
    with pytest.raises(MalformedError, match=f"at most {NAMED_MAX}"):
        parse_policy(f"{head}{lines}quorum none\n".encode())
    deep = parse_policy(f"{head}{lines.split('group G1000')[0]}quorum G999\n".encode())
    assert deep.is_met(["X1"])
    assert not deep.is_met(["X2"])


def test_no_quorum_asks_for_the_log_alone():
    policy = parse_policy(f"{LOG_LINE}quorum none\n".encode())
    assert policy == TrustPolicy.of_log(LOG)
    assert verify_with_policy(signed(), policy).cosignatures == ()
    with pytest.raises(InvalidSignature):
        verify_with_policy(signed(signer=SIGNERS["X1"]), policy)
    with pytest.raises(InvalidSignature, match=r"no known log has the origin other\.example"):
        verify_with_policy(signed(origin="other.example"), policy)


def test_a_policy_without_logs_takes_the_key_that_the_caller_knows():
    policy = parse_policy(f"{WITNESS_LINES}quorum X1\n".encode())
    assert verify_with_policy(signed("X1"), policy, log_keys=[LOG]).log_keys == (LOG,)
    with pytest.raises(InvalidSignature, match="no known log"):
        verify_with_policy(signed("X1"), policy)
    with pytest.raises(QuorumNotMet, match=r"cosigned by X2; not by X1, X3"):
        verify_with_policy(signed("X2"), policy, log_keys=[LOG])


def test_two_keys_of_one_log_are_both_good():
    fresh = checkpoint.log_key(ORIGIN, SIGNERS["Y3"].public_key)
    policy = parse_policy(f"{LOG_LINE}log {note.format_vkey(fresh)}\nquorum none\n".encode())
    assert verify_with_policy(signed(), policy).log_keys == (LOG,)
    assert verify_with_policy(signed(signer=SIGNERS["Y3"]), policy).log_keys == (fresh,)


def test_a_spoilt_cosignature_spoils_the_checkpoint():
    """Also where the quorum would be met without it (C2SP signed-note, "Verifying")."""
    policy = parse_policy(f"{LOG_LINE}{WITNESS_LINES}{GROUP}quorum G\n".encode())
    raw = signed("X1", "X2")
    assert verify_with_policy(raw, policy).cosignatures[0].time == 1_700_000_000
    parsed = note.parse_note(raw)
    last = parsed.signatures[-1]
    broken = note.NoteSignature(
        name=last.name, key_id=last.key_id, signature=last.signature[:-1] + bytes([last.signature[-1] ^ 1])
    )
    spoilt = note.SignedNote(text=parsed.text, signatures=(*parsed.signatures[:-1], broken))
    with pytest.raises(InvalidSignature):
        verify_with_policy(note.format_note(spoilt), policy)


@given(st.sets(st.sampled_from(NAMES)), st.integers(1, 6))
def test_a_threshold_counts(names, threshold):
    text = f"{LOG_LINE}{WITNESS_LINES}group G {threshold} {' '.join(NAMES)}\nquorum G\n"
    policy = parse_policy(text.encode())
    assert policy.is_met(names) is (len(names) >= threshold)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_policy_or_malformed(raw):
    try:
        policy = parse_policy(raw)
    except MalformedError:
        return
    assert parse_policy(format_policy(policy)) == policy
