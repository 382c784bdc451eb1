"""Proofs that share their paths are those of the tree, byte for byte."""

import pytest
from naive_tree import leaf

from pseudoledger.errors import InvalidProof
from pseudoledger.ledger import tree
from pseudoledger.ledger.paths import SharedPaths

SIZE_MAX = 70
STORED = tree.StoredHashes(tree.Frontier().store([leaf(b"%d" % number) for number in range(SIZE_MAX)]))


def test_every_proof_of_every_size_is_that_of_the_tree():
    for size in range(1, SIZE_MAX + 1):
        paths = SharedPaths(size, lambda position: STORED.read([position])[0])
        for index in range(size):
            assert paths.proof(index) == tree.inclusion_proof(index, size, STORED.read), (size, index)


def test_neighbouring_leaves_read_each_node_once():
    asked = []

    def read(position):
        asked.append(position)
        return STORED.read([position])[0]

    paths = SharedPaths(SIZE_MAX, read)
    for index in range(32, 64):
        paths.proof(index)
    assert len(asked) == len(set(asked)) < 70


def test_proofs_of_the_last_leaves_need_what_came_with_them_and_the_frontier():
    for size in range(1, SIZE_MAX + 1):
        for first in range(size):
            held = {
                *tree.frontier_positions(first),
                *range(tree.stored_count(first), tree.stored_count(size)),
            }

            def read(position, held=held):
                assert position in held
                return STORED.read([position])[0]

            paths = SharedPaths(size, read)
            for index in range(first, size):
                paths.proof(index)


@pytest.mark.parametrize("index", [-1, 5])
def test_a_leaf_beyond_the_tree_has_no_proof(index):
    with pytest.raises(InvalidProof, match="5 leaves"):
        SharedPaths(5, lambda position: STORED.read([position])[0]).proof(index)
