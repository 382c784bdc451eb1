import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_tree import leaf, mth, path, proof

from pseudoledger.errors import InvalidProof, VerificationError
from pseudoledger.ledger import tree

SIZE_MAX = 64
LEAVES = [leaf(b"entry %d" % number) for number in range(SIZE_MAX + 1)]
ROOTS = [mth(LEAVES[:size]) for size in range(SIZE_MAX + 2)]


def stored(leaves):
    return tree.StoredHashes(tree.Frontier().store(leaves))


STORED = stored(LEAVES)


def read(positions):
    return STORED.read(positions)


def test_hashes_and_the_empty_tree_are_those_of_the_standard():
    assert tree.EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree.hash_leaf(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.hash_leaf(b"x") == leaf(b"x")
    assert tree.hash_node(LEAVES[0], LEAVES[1]) == ROOTS[2]
    assert tree.root(0, read) == tree.Frontier().root() == tree.EMPTY_ROOT


def test_positions_follow_the_order_of_completion():
    nodes = []
    for index in range(300):
        level = 0
        while (index + 1) % (1 << level) == 0:
            nodes.append((level, index >> level))
            level += 1
        assert tree.stored_count(index + 1) == len(nodes)
    for position, (level, index) in enumerate(nodes):
        assert tree.position_of(level, index) == position
        assert tree.node_at(position) == (level, index)


@given(st.integers(0, 40), st.integers(0, 2**40))
def test_positions_of_large_trees_round_trip(level, index):
    assert tree.node_at(tree.position_of(level, index)) == (level, index)


def test_one_leaf_at_a_time_stores_the_same_as_a_batch():
    sequence = []

    def read_sequence(positions):
        return [sequence[position] for position in positions]

    frontier = tree.Frontier()
    for index, leaf_hash in enumerate(LEAVES):
        sequence.extend(tree.hashes_for_leaf(index, leaf_hash, read_sequence))
        frontier.append(leaf_hash)
        assert frontier.size == index + 1
        assert frontier.root() == ROOTS[index + 1]
    assert sequence == STORED.read(range(len(STORED)))
    for first in range(len(LEAVES)):
        again = tree.Frontier.read(first, read)
        assert again.root() == ROOTS[first]
        assert again.store(LEAVES[first:]) == sequence[tree.stored_count(first) :]
        assert again.size == len(LEAVES)
        assert again.root() == ROOTS[len(LEAVES)]


def test_each_stored_node_is_the_root_of_its_leaves():
    for position in range(len(STORED)):
        level, index = tree.node_at(position)
        assert read([position]) == [mth(LEAVES[index << level : (index + 1) << level])]


def test_frontier_appends_many_and_shows_its_subtrees():
    frontier = tree.Frontier()
    frontier.extend(LEAVES[:11])
    assert list(frontier.subtrees) == read(tree.frontier_positions(11))
    assert tree.Frontier(11, frontier.subtrees).root() == ROOTS[11]
    for wrong in [(11, frontier.subtrees[:-1]), (10, frontier.subtrees), (1, [b"short"]), (0, [LEAVES[0]])]:
        with pytest.raises(InvalidProof):
            tree.Frontier(*wrong)


def test_stored_hashes_grow_in_place():
    hashes = tree.StoredHashes()
    frontier = tree.Frontier()
    for leaf_hash in LEAVES:
        hashes.extend(frontier.store([leaf_hash]))
    assert len(hashes) == len(STORED)
    assert hashes.read(range(len(hashes))) == STORED.read(range(len(STORED)))


def test_every_inclusion_proof_of_every_size():
    for size in range(1, SIZE_MAX + 1):
        assert tree.root(size, read) == ROOTS[size]
        for index in range(size):
            made = tree.inclusion_proof(index, size, read)
            assert list(made) == path(index, LEAVES[:size])
            tree.verify_inclusion(LEAVES[index], index, size, made, ROOTS[size])
            assert tree.root_from_inclusion(LEAVES[index], index, size, made) == ROOTS[size]


def test_every_consistency_proof_of_every_pair_of_sizes():
    for size2 in range(1, SIZE_MAX + 1):
        for size1 in range(1, size2 + 1):
            made = tree.consistency_proof(size1, size2, read)
            assert list(made) == proof(size1, LEAVES[:size2])
            tree.verify_consistency(size1, size2, made, ROOTS[size1], ROOTS[size2])
            if size1 < size2:
                nodes = made if size1 & (size1 - 1) else (ROOTS[size1], *made)
                assert tree.roots_from_nodes(size1, size2, nodes) == (ROOTS[size1], ROOTS[size2])


def test_a_proof_fits_one_index_and_one_size_only():
    for size in range(1, 33):
        for index in range(size):
            made = tree.inclusion_proof(index, size, read)
            for other in set(range(-1, 35)) - {index}:
                with pytest.raises(InvalidProof):
                    tree.verify_inclusion(LEAVES[index], other, size, made, ROOTS[size])


def test_a_consistency_proof_fits_one_pair_of_roots_only():
    for size2 in range(2, 33):
        for size1 in range(1, size2):
            made = tree.consistency_proof(size1, size2, read)
            for other in set(range(-1, 35)) - {size1}:
                with pytest.raises(InvalidProof):
                    tree.verify_consistency(size1, size2, made, ROOTS[max(other, 0)], ROOTS[size2])
            for other in set(range(-1, 35)) - {size2}:
                with pytest.raises(InvalidProof):
                    tree.verify_consistency(size1, size2, made, ROOTS[size1], ROOTS[max(other, 0)])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3), (4, 3), (0, -1)])
def test_there_is_no_proof_for_a_leaf_that_is_not_there(index, size):
    with pytest.raises(InvalidProof):
        tree.inclusion_proof(index, size, read)
    with pytest.raises(InvalidProof):
        tree.root_from_inclusion(LEAVES[0], index, size, ())


@pytest.mark.parametrize(("size1", "size2"), [(0, 0), (0, 5), (-1, 5), (6, 5)])
def test_there_is_no_proof_from_the_empty_tree_or_backwards(size1, size2):
    with pytest.raises(InvalidProof):
        tree.consistency_proof(size1, size2, read)
    with pytest.raises(InvalidProof):
        tree.verify_consistency(size1, size2, (), ROOTS[0], ROOTS[0])
    with pytest.raises(InvalidProof):
        tree.roots_from_nodes(size1, size2, ())


def test_equal_sizes_have_an_empty_proof_and_equal_roots():
    tree.verify_consistency(7, 7, (), ROOTS[7], ROOTS[7])
    for made, root1, root2 in [((), ROOTS[7], ROOTS[6]), ((ROOTS[7],), ROOTS[7], ROOTS[7]), ((), b"", b"")]:
        with pytest.raises(InvalidProof):
            tree.verify_consistency(7, 7, made, root1, root2)


@st.composite
def damaged(draw, made, others):
    """A sequence of hashes that differs from `made` by one kind of damage."""
    kinds = ["extra", "grown"] + (["bit", "drop", "short", "foreign"] if made else [])
    if len(set(made)) > 1:
        kinds.append("swap")
    hashes = list(made)
    at = draw(st.integers(0, max(len(hashes) - 1, 0)))
    match draw(st.sampled_from(kinds)):
        case "bit":
            bit = draw(st.integers(0, 255))
            hashes[at] = (int.from_bytes(hashes[at]) ^ (1 << bit)).to_bytes(32)
        case "drop":
            del hashes[at]
        case "short":
            hashes[at] = hashes[at][: draw(st.integers(0, 31))]
        case "grown" if hashes:
            hashes[at] += b"\0"
        case "foreign":
            hashes[at] = draw(st.sampled_from([other for other in others if other != hashes[at]]))
        case "swap":
            to = draw(st.sampled_from([n for n in range(len(hashes)) if hashes[n] != hashes[at]]))
            hashes[at], hashes[to] = hashes[to], hashes[at]
        case _:
            hashes.insert(at, draw(st.one_of(st.sampled_from(others), st.binary(max_size=40))))
    return hashes


@given(st.data(), st.integers(1, SIZE_MAX))
def test_a_damaged_inclusion_proof_is_refused(data, size):
    index = data.draw(st.integers(0, size - 1))
    bad = data.draw(damaged(tree.inclusion_proof(index, size, read), LEAVES[:size] + ROOTS[1:]))
    with pytest.raises(VerificationError):
        tree.verify_inclusion(LEAVES[index], index, size, bad, ROOTS[size])


@given(st.data(), st.integers(1, SIZE_MAX))
def test_a_damaged_consistency_proof_is_refused(data, size2):
    size1 = data.draw(st.integers(1, size2))
    bad = data.draw(damaged(tree.consistency_proof(size1, size2, read), LEAVES[:size2] + ROOTS[1:]))
    with pytest.raises(VerificationError):
        tree.verify_consistency(size1, size2, bad, ROOTS[size1], ROOTS[size2])


@given(st.integers(0, SIZE_MAX - 1), st.integers(0, 255))
def test_every_bit_of_leaf_and_roots_counts(index, bit):
    def flip(value):
        return (int.from_bytes(value) ^ (1 << bit)).to_bytes(32)

    made = tree.inclusion_proof(index, SIZE_MAX, read)
    older = tree.consistency_proof(index + 1, SIZE_MAX, read)
    for call in [
        lambda: tree.verify_inclusion(flip(LEAVES[index]), index, SIZE_MAX, made, ROOTS[SIZE_MAX]),
        lambda: tree.verify_inclusion(LEAVES[index], index, SIZE_MAX, made, flip(ROOTS[SIZE_MAX])),
        lambda: tree.verify_consistency(index + 1, SIZE_MAX, older, flip(ROOTS[index + 1]), ROOTS[SIZE_MAX]),
        lambda: tree.verify_consistency(index + 1, SIZE_MAX, older, ROOTS[index + 1], flip(ROOTS[SIZE_MAX])),
    ]:
        with pytest.raises(InvalidProof):
            call()


@given(
    st.integers(-(2**70), 2**70), st.integers(-(2**70), 2**70), st.lists(st.binary(max_size=34), max_size=70)
)
def test_nonsense_is_an_invalid_proof_and_nothing_else(first, second, hashes):
    with pytest.raises(InvalidProof):
        tree.verify_inclusion(bytes(32), first, second, hashes, bytes(32))
    if not (first == second >= 1 and not hashes):
        with pytest.raises(InvalidProof):
            tree.verify_consistency(first, second, hashes, bytes(32), bytes(32))


def test_hashes_of_a_wrong_length_are_refused_everywhere():
    short = bytes(31)
    with pytest.raises(InvalidProof):
        tree.verify_inclusion(short, 0, 1, (), short)
    with pytest.raises(InvalidProof):
        tree.verify_consistency(1, 1, (), short, short)
    with pytest.raises(InvalidProof):
        tree.verify_consistency(1, 2, (bytes(32),), short, bytes(32))


def test_proofs_of_a_large_tree_agree_with_a_frontier():
    count = 20_011
    leaves = [hashlib.sha256(number.to_bytes(4)).digest() for number in range(count)]
    hashes = stored(leaves)
    chance = random.Random(7)
    sizes = sorted(chance.sample(range(1, count + 1), 40))
    frontier, roots = tree.Frontier(), {}
    for leaf_hash in leaves:
        frontier.append(leaf_hash)
        if frontier.size in sizes:
            roots[frontier.size] = frontier.root()
    for size in sizes:
        assert tree.root(size, hashes.read) == roots[size]
        for _ in range(10):
            index = chance.randrange(size)
            made = tree.inclusion_proof(index, size, hashes.read)
            tree.verify_inclusion(leaves[index], index, size, made, roots[size])
        older = chance.choice(sizes[: sizes.index(size) + 1])
        made = tree.consistency_proof(older, size, hashes.read)
        tree.verify_consistency(older, size, made, roots[older], roots[size])


def test_a_proof_reads_once_and_each_position_once():
    for size in range(1, SIZE_MAX + 1):
        for index in range(size):
            calls = []

            def counting(positions, calls=calls):
                calls.append(list(positions))
                return read(positions)

            tree.inclusion_proof(index, size, counting)
            tree.consistency_proof(index + 1, size, counting)
            tree.root(size, counting)
            assert len(calls) <= 3
            for positions in calls:
                assert positions
                assert len(set(positions)) == len(positions)
                assert max(positions) < tree.stored_count(size)
