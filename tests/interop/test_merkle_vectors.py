"""The proof cases of transparency-dev/merkle, commit 417fb0c (Apache-2.0), against our verifiers.

The files stay outside the repository: ../shared beside the checkout, or PSEUDOLEDGER_SHARED.
"""

import json
import os
from base64 import b64decode
from pathlib import Path

import pytest

from pseudoledger.errors import InvalidProof
from pseudoledger.ledger import tree

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("PSEUDOLEDGER_SHARED") or ROOT.parent / "shared")
CASES = SHARED / "vectors" / "transparency-dev-merkle" / "testdata"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"no test vectors at {CASES}")

# Kinds of cases, how many there are at that commit, and how many of those must be accepted.
COUNTS = {
    "inclusion": (98, 6),
    "consistency": (98, 6),
    "subtreeinclusion": (204, 12),
    "subtreeconsistency": (118, 12),
}

# Cases on which we differ on purpose.
SHORT_ROOTS = "we take roots of 32 bytes only; this case has equal roots of 12 bytes"
DIFFERENT = {
    "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json": SHORT_ROOTS,
    "subtreeconsistency/additional/sizes-are-equal-one-and-proof-is-empty.json": SHORT_ROOTS,
}

# Proofs between a tree and a subtree that does not start at leaf 0, or is empty, are a feature of Merkle
# Tree Certificates which this ledger does not have.
NO_SUBTREES = "no consistency proofs of subtrees that start later than leaf 0 or are empty"


def cases(kind):
    if not CASES.is_dir():
        return [pytest.param(None, id="absent")]
    return [
        pytest.param(path, id=f"{path.parent.name}/{path.stem}")
        for path in sorted((CASES / kind).rglob("*.json"))
    ]


def load(path):
    case = json.loads(path.read_text())
    for name in ("root", "root1", "root2", "leafHash"):
        if name in case:
            case[name] = b64decode(case[name] or "")
    case["proof"] = [b64decode(item) for item in case["proof"] or ()]
    return case


def judge(path, case, call):
    if case["wantErr"] or str(path.relative_to(CASES)) in DIFFERENT:
        with pytest.raises(InvalidProof):
            call()
    else:
        call()


def aligned(start, end):
    """Whether [start, end) is a subtree: start is a multiple of the power of two at or above its width."""
    return 0 <= start < end and start % (1 << (end - start - 1).bit_length()) == 0


@pytest.mark.parametrize("kind", COUNTS)
def test_all_cases_are_there(kind):
    wanted = [load(path)["wantErr"] for path in (CASES / kind).rglob("*.json")]
    assert (len(wanted), wanted.count(False)) == COUNTS[kind]


@pytest.mark.parametrize("path", cases("inclusion"))
def test_inclusion(path):
    case = load(path)
    judge(
        path,
        case,
        lambda: tree.verify_inclusion(
            case["leafHash"], case["leafIdx"], case["treeSize"], case["proof"], case["root"]
        ),
    )


@pytest.mark.parametrize("path", cases("consistency"))
def test_consistency(path):
    case = load(path)
    judge(
        path,
        case,
        lambda: tree.verify_consistency(
            case["size1"], case["size2"], case["proof"], case["root1"], case["root2"]
        ),
    )


@pytest.mark.parametrize("path", cases("subtreeinclusion"))
def test_inclusion_in_a_subtree_is_inclusion_in_a_tree_of_its_own(path):
    case = load(path)
    start, end = case["start"], case["end"]
    if not aligned(start, end):
        assert case["wantErr"], "no such subtree"
        return
    judge(
        path,
        case,
        lambda: tree.verify_inclusion(
            case["leafHash"], case["leafIdx"] - start, end - start, case["proof"], case["root"]
        ),
    )


@pytest.mark.parametrize("path", cases("subtreeconsistency"))
def test_consistency_of_a_subtree_from_leaf_0_is_consistency(path):
    case = load(path)
    if case["start"] != 0 or case["end"] == 0:
        pytest.skip(NO_SUBTREES)
    judge(
        path,
        case,
        lambda: tree.verify_consistency(
            case["end"], case["size"], case["proof"], case["root1"], case["root2"]
        ),
    )
