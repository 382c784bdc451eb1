import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from ledger_examples import LEAVES, LEDGER, ORIGIN, SIZE, WITNESS, flips, head, read

from pseudoledger.errors import InconsistentCheckpoint, InvalidProof, MalformedError, VerificationError
from pseudoledger.ledger import checkpoint, fork, note, receipt, tree

OTHER = tree.StoredHashes(tree.Frontier().store([*LEAVES[:3], bytes(32), *LEAVES[4:]]))
KEYS = [LEDGER.did]


def signed(size, source, signer=LEDGER, origin=ORIGIN):
    return note.format_note(checkpoint.sign_checkpoint(signer, origin, size, tree.root(size, source)))


def other_head(size):
    return receipt.sign_head(LEDGER, ORIGIN, size, tree.root(size, OTHER.read))


def proof(size1, size2, first=None, second=None):
    return fork.ForkProof(
        origin=ORIGIN,
        first=first or signed(size1, read),
        second=second or signed(size2, OTHER.read),
        nodes=fork.fork_nodes(size1, size2, OTHER.read) if size1 < size2 else (),
    )


SAME = proof(7, 7, second=other_head(7))


def test_every_pair_of_sizes_past_the_fork_is_proved():
    for size2 in range(4, SIZE + 1):
        for size1 in range(4, size2 + 1):
            for case in (proof(size1, size2), proof(size1, size2, head(size1), other_head(size2))):
                found = fork.verify_fork(fork.parse_fork(fork.format_fork(case)), KEYS)
                assert (found.size1, found.size2, found.origin) == (size1, size2, ORIGIN)
                assert found.root1 == tree.root(size1, read)
                assert found.root2 == tree.root(size2, OTHER.read)
                assert fork.parse_fork(fork.format_fork(case)) == case


def test_histories_that_agree_are_no_fork():
    for size2 in range(1, SIZE + 1):
        for size1 in range(1, min(size2, 3) + 1):
            with pytest.raises(InvalidProof):
                fork.verify_fork(proof(size1, size2), KEYS)
            if size1 < size2:
                with pytest.raises(InvalidProof):
                    fork.verify_fork(proof(size2, size2, signed(size2, OTHER.read)), KEYS)


def test_nodes_that_merely_fail_prove_nothing():
    good = proof(5, 9)
    for nodes in (
        good.nodes[1:],
        good.nodes[::-1],
        (),
        (*good.nodes, bytes(32)),
        (bytes(32), *good.nodes[1:]),
    ):
        bad = fork.ForkProof(origin=ORIGIN, first=good.first, second=good.second, nodes=nodes)
        with pytest.raises(InvalidProof):
            fork.verify_fork(bad, KEYS)
    with pytest.raises(InvalidProof):
        fork.verify_fork(
            fork.ForkProof(origin=ORIGIN, first=SAME.first, second=SAME.second, nodes=(bytes(32),)), KEYS
        )
    with pytest.raises(InvalidProof):
        fork.verify_fork(fork.ForkProof(origin=ORIGIN, first=good.second, second=good.first), KEYS)


def test_only_the_ledgers_own_signatures_count():
    with pytest.raises(VerificationError):
        fork.verify_fork(SAME, [WITNESS.did])
    with pytest.raises(VerificationError):
        fork.verify_fork(proof(7, 7, signed(7, read, WITNESS)), KEYS)
    with pytest.raises(VerificationError):
        fork.verify_fork(proof(7, 7, head(7, WITNESS)), KEYS)
    with pytest.raises(VerificationError):
        fork.verify_fork(proof(7, 7, head(7, origin="other.example")), KEYS)
    text = checkpoint.format_checkpoint(
        checkpoint.Checkpoint(origin="other.example", size=7, root=tree.root(7, read))
    )
    line = note.sign_text(LEDGER, ORIGIN, text)
    strange = note.format_note(note.SignedNote(text=text, signatures=(line,)))
    with pytest.raises(InconsistentCheckpoint):
        fork.verify_fork(proof(7, 7, strange), KEYS)
    assert fork.verify_fork(SAME, [WITNESS.did, LEDGER.did]).size1 == 7


def test_every_changed_bit_is_refused():
    for case in (SAME, proof(5, 6)):
        for changed in flips(fork.format_fork(case)):
            with pytest.raises((MalformedError, VerificationError)):
                fork.verify_fork(fork.parse_fork(changed), KEYS)


def changed(**fields):
    return rfc8785.dumps({**json.loads(fork.format_fork(SAME)), **fields})


HEAD = json.loads(fork.format_fork(SAME))["second"]["head"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        b" " + fork.format_fork(SAME),
        fork.format_fork(SAME) + b"\n",
        b" " * (fork.PROOF_BYTES_MAX + 1),
        changed(format="other"),
        changed(more=1),
        changed(origin="UPPER"),
        changed(origin=1),
        changed(nodes={}),
        changed(nodes=["00"]),
        changed(nodes=["AB" * 32]),
        changed(nodes=["00" * 32] * 65),
        changed(nodes=[1]),
        changed(first={}),
        changed(first=[]),
        changed(first={"checkpoint": 1}),
        changed(first={"checkpoint": "x", "head": {}}),
        changed(first={"head": {**HEAD, "tree_size": 7}}),
        changed(first={"head": {**HEAD, "tree_size": "07"}}),
        changed(first={"head": {**HEAD, "tree_size": "0"}}),
        changed(first={"head": {**HEAD, "tree_size": "9" * 19}}),
        changed(first={"head": {**HEAD, "tree_size": "\u0667"}}),
        changed(first={"head": {**HEAD, "tree_size": "9" * 5000}}),
        changed(first={"head": {**HEAD, "root": "00"}}),
        changed(first={"head": {**HEAD, "signature": ""}}),
        changed(first={"head": {**HEAD, "ledger": "did:web:x"}}),
        changed(first={"head": {**HEAD, "more": 1}}),
        fork.format_fork(SAME).replace(b'"checkpoint":"', b'"checkpoint":"\\ud800'),
        fork.format_fork(SAME).replace(b'"nodes":[]', b'"nodes":[],"nodes":[]'),
        fork.format_fork(SAME).replace(b'"nodes":[]', b'"nodes":[NaN]'),
    ],
    ids=range(34),
)
def test_another_form_is_malformed(raw):
    with pytest.raises(MalformedError):
        fork.parse_fork(raw)


def test_what_could_not_be_read_is_not_written():
    for case in (
        fork.ForkProof(origin="UPPER", first=b"x", second=b"x"),
        fork.ForkProof(origin=ORIGIN, first=b"\xff", second=b"x"),
        proof(7, 7, head(7, origin="other.example")),
    ):
        with pytest.raises(MalformedError):
            fork.format_fork(case)
    with pytest.raises(InvalidProof):
        fork.fork_nodes(5, 5, read)


@given(st.binary(max_size=100))
def test_random_bytes_are_malformed(raw):
    with pytest.raises(MalformedError):
        fork.parse_fork(raw)
