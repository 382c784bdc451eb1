import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pseudoledger.audit.trace.tree import Tie, strongest_tree
from pseudoledger.errors import MalformedError


def ties(*rows):
    return [Tie(a=a, b=b, bits=bits) for a, b, bits in rows]


def test_the_weakest_link_and_what_falls_apart_without_it():
    """Two triangles joined by two weak links, of which the better holds the cluster together."""
    links = ties(
        (1, 2, 9.0),
        (2, 3, 8.0),
        (1, 3, 7.0),
        (3, 7, 4.5),
        (1, 9, 4.0),
        (7, 8, 6.0),
        (8, 9, 5.0),
        (20, 21, 9.0),
    )
    tree = strongest_tree([9, 8, 7, 3, 2, 1], links)
    assert tree.members == (1, 2, 3, 7, 8, 9)
    assert [(tie.a, tie.b) for tie in tree.ties] == [(1, 2), (2, 3), (7, 8), (8, 9), (3, 7)]
    assert tree.weakest == links[3]
    assert tree.parts == ((1, 2, 3), (7, 8, 9))
    assert tree.others == 1


def test_a_hard_link_is_never_the_weakest_beside_a_behavioural_one():
    links = [Tie(a=0, b=1, bits=math.inf, kind="rotation"), Tie(a=1, b=2, bits=12.0)]
    tree = strongest_tree([0, 1, 2], links)
    assert tree.ties[0].kind == "rotation"
    assert tree.parts == ((0, 1), (2,))


def test_ties_go_by_id():
    tree = strongest_tree([0, 1, 2], ties((1, 2, 5.0), (0, 2, 5.0), (0, 1, 5.0)))
    assert [(tie.a, tie.b) for tie in tree.ties] == [(0, 1), (0, 2)]
    assert tree.parts == ((0, 1), (2,))


def test_one_member_has_no_weakest_link():
    tree = strongest_tree([4], [])
    assert (tree.members, tree.ties, tree.weakest, tree.parts) == ((4,), (), None, ((), ()))


def test_members_without_a_link_are_no_cluster():
    with pytest.raises(MalformedError, match="3 identities of a cluster are joined by 1 links"):
        strongest_tree([0, 1, 2], ties((0, 1, 5.0)))


@given(st.integers(2, 7), st.data())
def test_no_other_tree_is_stronger(size, data):
    pairs = list(itertools.combinations(range(size), 2))
    links = [Tie(a=a, b=b, bits=float(data.draw(st.integers(0, 5)))) for a, b in pairs]
    tree = strongest_tree(range(size), data.draw(st.permutations(links)))
    # The bottleneck of the best tree: the largest threshold at which the cluster still hangs together.
    at = tree.weakest.bits
    reached = {0}
    strong = [link for link in links if link.bits > at]
    while (
        more := {end for link in strong for end in (link.a, link.b) if {link.a, link.b} & reached} - reached
    ):
        reached |= more
    assert len(reached) < size
    assert sorted([*tree.parts[0], *tree.parts[1]]) == list(range(size))
    one = set(tree.parts[0])
    crossing = [link for link in links if (link.a in one) != (link.b in one)]
    assert max(link.bits for link in crossing) == at
    assert tree.others == len(crossing) - 1
