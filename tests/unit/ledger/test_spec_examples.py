"""Every example in the ledger's specifications is what the code makes of the fixed keys."""

import re
from dataclasses import replace
from pathlib import Path
from textwrap import fill

import pytest
from ledger_examples import ENTRIES, LEAVES, LEDGER, ORIGIN, WITNESS, read, receipt_of

from pseudoledger.errors import QuorumNotMet
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger import (
    bundle,
    checkpoint,
    fork,
    note,
    policy,
    proof,
    receipt,
    tiles,
    transparent,
    tree,
)
from pseudoledger.node import add_checkpoint

SPEC = Path(__file__).resolve().parents[3] / "docs" / "spec"
EXAMPLE = re.compile(r"<!-- example: ([a-z-]+) -->\n```[a-z]*\n(.*?)```\n", re.DOTALL)
SIZE = 3


def hexlines(raw):
    return fill(raw.hex(), 96) + "\n"


def signed():
    return checkpoint.sign_checkpoint(LEDGER, ORIGIN, SIZE, tree.root(SIZE, read))


def cosigned():
    line = checkpoint.cosign(WITNESS, "witness.example/w1", signed(), 1_700_000_000)
    return checkpoint.add_signatures(signed(), [line])


def tree_example():
    rows = [f"leaf {index}      {leaf.hex()}" for index, leaf in enumerate(LEAVES[:SIZE])]
    rows += [f"position {at}  {item.hex()}" for at, item in enumerate(read(range(tree.stored_count(SIZE))))]
    rows.append(f"root        {tree.root(SIZE, read).hex()}")
    return "\n".join(rows) + "\n"


def proofs_example():
    rows = [f"inclusion of 2 in 3    {item.hex()}" for item in tree.inclusion_proof(2, 3, read)]
    rows += [f"consistency of 2 and 3 {item.hex()}" for item in tree.consistency_proof(2, 3, read)]
    return "\n".join(rows) + "\n"


def keys_example():
    keys = (
        checkpoint.log_key(ORIGIN, LEDGER.public_key),
        checkpoint.cosigner_key("witness.example/w1", WITNESS.public_key),
    )
    return "".join(note.format_vkey(key) + "\n" for key in keys)


def growth():
    head = receipt.sign_head(LEDGER, ORIGIN, SIZE, tree.root(SIZE, read))
    return receipt.build_consistency(head, 2, tree.consistency_proof(2, SIZE, read))


def paths_example():
    resources = [
        *tiles.tiles_of(70_000, 69_700),
        *tiles.bundles_of(70_000, 69_700),
        tiles.Tile(0, 1_234_067),
    ]
    return "".join(tiles.format_path(resource) + "\n" for resource in resources)


def fork_example():
    other = tree.StoredHashes(tree.Frontier().store([*LEAVES[:2], bytes(32)]))
    root = tree.root(SIZE, other.read)
    return fork.ForkProof(
        origin=ORIGIN,
        first=note.format_note(signed()),
        second=receipt.sign_head(LEDGER, ORIGIN, SIZE, root),
    )


def policy_example():
    keys = [checkpoint.cosigner_key("witness.example/w1", WITNESS.public_key)]
    keys += [
        checkpoint.cosigner_key(
            f"witness.example/w{number}", Signer.from_seed(bytes([number]) * 32).public_key
        )
        for number in (4, 5)
    ]
    lines = [f"log {note.format_vkey(checkpoint.log_key(ORIGIN, LEDGER.public_key))} http://city.example"]
    lines += [
        f"witness w{number} {note.format_vkey(key)} http://{key.name}" for number, key in enumerate(keys, 1)
    ]
    return "".join(f"{line}\n" for line in [*lines, "group most 2 w1 w2 w3", "quorum most"])


def proof_example():
    path = tree.inclusion_proof(2, SIZE, read)
    return proof.format_proof(
        proof.LogProof(index=2, path=path, checkpoint=note.format_note(cosigned()))
    ).decode()


def request_example():
    submission = add_checkpoint.Submission(old=2, proof=tree.consistency_proof(2, SIZE, read), note=signed())
    return add_checkpoint.format_submission(submission).decode()


def answer_example():
    return note.format_signatures(cosigned().signatures[1:]).decode()


def bundle_example():
    """One entry and the checkpoint: the form alone, for no bundle that holds is as short."""
    path = tree.inclusion_proof(2, SIZE, read)
    return bundle.ContractBundle(
        lease="01" * 32,
        checkpoint=note.format_note(cosigned()),
        entries=(bundle.BundledEntry(index=2, statement=ENTRIES[2], path=path),),
    )


EXAMPLES = {
    ("tree", "statement"): lambda: hexlines(ENTRIES[2]),
    ("tree", "tree"): tree_example,
    ("tree", "proofs"): proofs_example,
    ("checkpoint", "checkpoint"): lambda: note.format_note(cosigned()).decode(),
    ("checkpoint", "keys"): keys_example,
    ("receipt", "receipt"): lambda: hexlines(receipt_of(2, SIZE)),
    ("receipt", "consistency"): lambda: hexlines(growth()),
    ("receipt", "transparent"): lambda: hexlines(transparent.attach(ENTRIES[2], [receipt_of(2, SIZE)])),
    ("tiles", "tile"): lambda: hexlines(tiles.make_tile(tiles.Tile(0, 0, SIZE), read)),
    ("tiles", "bundle"): lambda: hexlines(tiles.make_bundle(ENTRIES[:1])),
    ("tiles", "paths"): paths_example,
    ("policy", "policy"): policy_example,
    ("proof", "proof"): proof_example,
    ("bundle", "bundle"): lambda: hexlines(bundle.encode_bundle(bundle_example())),
    ("witness", "request"): request_example,
    ("witness", "answer"): answer_example,
    ("fork", "fork"): lambda: fork.format_fork(fork_example()).decode() + "\n",
}


def found():
    return {
        (name, label): body
        for name in ("tree", "checkpoint", "receipt", "tiles", "policy", "proof", "bundle", "witness", "fork")
        for label, body in EXAMPLE.findall((SPEC / f"{name}.md").read_text())
    }


def test_the_specifications_hold_exactly_these_examples():
    assert found().keys() == EXAMPLES.keys()


@pytest.mark.parametrize(("name", "label"), EXAMPLES)
def test_an_example_is_what_the_code_makes(name, label):
    assert found()[name, label] == EXAMPLES[name, label]()


def test_the_examples_verify():
    raw = note.format_note(cosigned())
    keys = [note.parse_vkey(line) for line in keys_example().splitlines()]
    assert checkpoint.verify_checkpoint(raw, ORIGIN, keys[:1], keys[1:]).cosignatures[0].time == 1_700_000_000
    carried = transparent.attach(ENTRIES[2], [receipt_of(2, SIZE)])
    assert transparent.verify_transparent(carried, LEDGER.did, ORIGIN)[0].leaf_index == 2
    trusted = policy.parse_policy(policy_example().encode())
    found = proof.parse_proof(proof_example().encode())
    with pytest.raises(QuorumNotMet):
        proof.verify_proof(found, LEAVES[2], trusted)
    one = replace(trusted, quorum="w1")
    assert proof.verify_proof(found, LEAVES[2], one).index == 2
    root = tree.root(2, read)
    assert receipt.verify_consistency_receipt(growth(), 2, root, LEDGER.did, ORIGIN).tree_size == SIZE
    assert fork.verify_fork(fork_example(), [LEDGER.did]).size1 == SIZE
    assert bundle.decode_bundle(bundle.encode_bundle(bundle_example())) == bundle_example()
