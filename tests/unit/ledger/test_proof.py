import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import LEAVES, LEDGER, ORIGIN, SIZE, WITNESS, flips, read

from pseudoledger.errors import InvalidProof, MalformedError, QuorumNotMet, VerificationError
from pseudoledger.ledger import checkpoint, note, tree
from pseudoledger.ledger.policy import TrustPolicy, parse_policy
from pseudoledger.ledger.proof import (
    PATH_MAX,
    LogProof,
    format_proof,
    is_proof,
    parse_proof,
    verify_proof,
)

LOG = checkpoint.log_key(ORIGIN, LEDGER.public_key)
NAME = "witness.example/w1"
KEY = checkpoint.cosigner_key(NAME, WITNESS.public_key)
POLICY = parse_policy(f"log {note.format_vkey(LOG)}\nwitness w {note.format_vkey(KEY)}\nquorum w\n".encode())


def cosigned(size=SIZE, *, with_witness=True):
    bare = checkpoint.sign_checkpoint(LEDGER, ORIGIN, size, tree.root(size, read))
    lines = [checkpoint.cosign(WITNESS, NAME, bare, 1_700_000_000)] if with_witness else []
    return note.format_note(checkpoint.add_signatures(bare, lines))


def proof_of(index, size=SIZE, **parts):
    return LogProof(
        index=index,
        path=tree.inclusion_proof(index, size, read),
        checkpoint=parts.pop("checkpoint", cosigned(size)),
        **parts,
    )


def test_every_entry_of_every_size_is_proved():
    for size in range(1, SIZE + 1):
        for index in range(size):
            raw = format_proof(proof_of(index, size))
            assert is_proof(raw)
            found = verify_proof(parse_proof(raw), LEAVES[index], POLICY)
            assert (found.index, found.checkpoint.checkpoint.size) == (index, size)
            assert found.checkpoint.cosignatures[0].time == 1_700_000_000


def test_the_lines_are_those_of_the_specification():
    raw = format_proof(proof_of(5, extra=b"age-v1"))
    lines = raw.decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra YWdlLXYx", "index 5"]
    assert lines[3 + len(tree.inclusion_proof(5, SIZE, read)) :][:2] == ["", ORIGIN]
    assert raw.endswith(cosigned())
    assert parse_proof(raw) == proof_of(5, extra=b"age-v1")


def test_the_log_key_alone_is_a_policy():
    bare = proof_of(3, checkpoint=cosigned(with_witness=False))
    assert verify_proof(bare, LEAVES[3], TrustPolicy.of_log(LOG)).index == 3
    with pytest.raises(QuorumNotMet):
        verify_proof(bare, LEAVES[3], POLICY)


def test_another_entry_or_index_is_not_proved():
    good = proof_of(3)
    for index, leaf in ((3, LEAVES[4]), (4, LEAVES[3]), (SIZE, LEAVES[3])):
        with pytest.raises(InvalidProof):
            verify_proof(LogProof(index=index, path=good.path, checkpoint=good.checkpoint), leaf, POLICY)
    with pytest.raises(InvalidProof):
        verify_proof(LogProof(index=3, path=good.path[:-1], checkpoint=good.checkpoint), LEAVES[3], POLICY)


def test_no_changed_bit_verifies():
    """Extra data are vouched for by nobody, so this proof has none."""
    raw = format_proof(proof_of(2, 3))
    for changed in flips(raw):
        with pytest.raises((MalformedError, VerificationError)):
            verify_proof(parse_proof(changed), LEAVES[2], POLICY)


HEAD = "c2sp.org/tlog-proof@v1\n"
HASH = "A" * 43 + "="
CHECKPOINT = cosigned().decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        HEAD,
        f"{HEAD}\n{CHECKPOINT}",
        f"{HEAD}index 1\n{CHECKPOINT}",
        f"{HEAD}index 01\n\n{CHECKPOINT}",
        f"{HEAD}index -1\n\n{CHECKPOINT}",
        f"{HEAD}index \u0661\n\n{CHECKPOINT}",
        f"{HEAD}index {2**63}\n\n{CHECKPOINT}",
        f"{HEAD}index  1\n\n{CHECKPOINT}",
        f"{HEAD}index\n\n{CHECKPOINT}",
        f"{HEAD}Index 1\n\n{CHECKPOINT}",
        f"{HEAD}index 1\r\n\n{CHECKPOINT}",
        f"{HEAD}index 1\nextra YQ==\n\n{CHECKPOINT}",
        f"{HEAD}extra \nindex 1\n\n{CHECKPOINT}",
        f"{HEAD}extra YR==\nindex 1\n\n{CHECKPOINT}",
        f"{HEAD}extra YQ==\nextra YQ==\nindex 1\n\n{CHECKPOINT}",
        f"{HEAD}extra YQ==\n\n{CHECKPOINT}",
        f"{HEAD}index 1\n{HASH[:-1]}\n\n{CHECKPOINT}",
        f"{HEAD}index 1\nAAAA\n\n{CHECKPOINT}",
        f"{HEAD}index 1\n{HASH}\n" + f"{HASH}\n" * PATH_MAX + f"\n{CHECKPOINT}",
        f"{HEAD}index 1\n\n\n{CHECKPOINT}",
        f"{HEAD}index 1\n\n{CHECKPOINT[:-1]}",
        f"{HEAD}index 1\n\n{CHECKPOINT}\n",
        f"{HEAD}index 1\n\nonly text\n",
        f"{HEAD.replace('v1', 'v2')}index 1\n\n{CHECKPOINT}",
        f"{HEAD}index 1\n\n{CHECKPOINT}" + " " * (1 << 18),
    ],
)
def test_other_spellings_are_malformed(text):
    with pytest.raises(MalformedError):
        parse_proof(text.encode())


@pytest.mark.parametrize(
    "proof",
    [
        LogProof(index=-1, path=(), checkpoint=cosigned()),
        LogProof(index=0, path=(bytes(31),), checkpoint=cosigned()),
        LogProof(index=0, path=(bytes(32),) * 64, checkpoint=cosigned()),
        LogProof(index=0, path=(), checkpoint=b"none\n"),
        LogProof(index=0, path=(), checkpoint=cosigned(), extra=bytes(65_537)),
    ],
)
def test_what_could_not_be_read_is_not_written(proof):
    with pytest.raises(MalformedError):
        format_proof(proof)


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63), st.binary())
def test_round_trip(index, path, extra):
    proof = LogProof(index=index, path=tuple(path), checkpoint=cosigned(), extra=extra)
    assert parse_proof(format_proof(proof)) == proof
