"""Hard links: counted by hand, and components against a small union-find of the test's own."""

import random

import numpy as np
import pytest

from pseudoledger.audit.trace.hard import CAP, SHOWN_ONLY, hard_links
from pseudoledger.audit.trace.observations import Observations, Source
from pseudoledger.errors import MalformedError

SOURCE = Source(name="test", vantage="public", digest="0" * 64, verified=True)


def world(count, tokens=(), edges=()):
    found = Observations(fields=(), source=SOURCE)
    found.connection.executemany(
        "INSERT INTO identities VALUES (?, ?, NULL)", [(place, f"i{place:05}") for place in range(count)]
    )
    if tokens:
        found.connection.executemany("INSERT INTO tokens VALUES (?, ?, ?, ?)", list(tokens))
    if edges:
        found.connection.executemany("INSERT INTO edges VALUES (?, ?, ?, ?)", list(edges))
    return found


def test_two_holders_of_one_value_are_tied_with_the_entries_that_show_it():
    tokens = [(0, "site", "hall", 7), (0, "site", "hall", 4), (2, "site", "hall", 9), (1, "site", "mill", 5)]
    with world(4, [*tokens, (3, "serial", "hall", 1)]) as found:
        links = hard_links(found)
    (pair,) = links.pairs
    assert (pair.a, pair.b, pair.kind, pair.value, pair.refs, pair.joins) == (
        0,
        2,
        "site",
        "hall",
        (4, 9),
        True,
    )
    assert links.component.tolist() == [0, 1, 0, 2]
    assert links.members(2) == (0, 2)
    assert links.hubs == ()
    assert links.cap == CAP


def test_a_value_of_many_is_a_hub_is_listed_and_ties_nobody():
    tokens = [(place, "payment_account", "exchange", place) for place in range(4)]
    tokens += [(place, "payment_account", "own", place) for place in range(3)]
    with world(4, tokens) as found:
        links = hard_links(found, cap=3)
        wide = hard_links(found, cap=4)
    assert [(hub.kind, hub.value, hub.held_by) for hub in links.hubs] == [("payment_account", "exchange", 4)]
    assert {(pair.a, pair.b, pair.value) for pair in links.pairs} == {
        (0, 1, "own"),
        (0, 2, "own"),
        (1, 2, "own"),
    }
    assert links.component.tolist() == [0, 0, 0, 1]
    assert not wide.hubs
    assert wide.component.tolist() == [0, 0, 0, 0]


def test_an_identity_that_declares_ties_to_many_is_a_hub_but_rotations_are_none():
    spokes = [(0, place, "affiliate", place) for place in range(1, 5)]
    with world(9, edges=[*spokes, *((0, place, "rotation", place) for place in range(5, 9))]) as found:
        links = hard_links(found, cap=3)
    assert [(hub.kind, hub.value, hub.held_by) for hub in links.hubs] == [("affiliate", "i00000", 4)]
    assert [pair.joins for pair in links.pairs] == [False] * 4 + [True] * 4
    assert links.members(0) == (0, 5, 6, 7, 8)


def test_ties_between_two_parties_are_shown_and_join_nothing():
    edges = [(0, 1, "lease", 3), (0, 1, "lease", 5), (1, 2, "stake", 4)]
    with world(3, [(0, "label", "acme", 1), (2, "label", "acme", 2)], edges) as found:
        links = hard_links(found)
        joined = hard_links(found, shown_only=SHOWN_ONLY - {"stake"})
    assert [(pair.a, pair.b, pair.kind, pair.refs, pair.joins) for pair in links.pairs] == [
        (0, 1, "lease", (3, 5), False),
        (0, 2, "label", (1, 2), False),
        (1, 2, "stake", (4,), False),
    ]
    assert links.component.tolist() == [0, 1, 2]
    assert joined.component.tolist() == [0, 1, 1]


def test_a_machine_that_changed_hands_is_explained_also_along_a_chain():
    held = [(place, "serial", "m", place) for place in range(4)]
    with world(4, held, [(0, 1, "custody", 8), (1, 2, "lease", 9)]) as found:
        links = hard_links(found)
    serial = {(pair.a, pair.b): pair for pair in links.pairs if pair.kind == "serial"}
    assert {ends: pair.joins for ends, pair in serial.items()} == {
        (0, 1): False,
        (0, 2): False,
        (1, 2): False,
        (0, 3): True,
        (1, 3): True,
        (2, 3): True,
    }
    assert serial[1, 2].explained_by == "lease"
    assert serial[0, 2].explained_by in {"custody", "lease"}


def test_a_path_is_the_shortest_and_among_equals_the_strongest():
    tokens = [(0, "site", "x", 1), (1, "site", "x", 2), (0, "contact", "c", 3), (1, "contact", "c", 4)]
    edges = [(1, 2, "affiliate", 5), (2, 3, "affiliate", 6), (1, 4, "rotation", 7), (3, 4, "rotation", 8)]
    with world(6, tokens, edges) as found:
        links = hard_links(found)
    assert [(pair.kind, pair.a, pair.b) for pair in links.path(0, 3)] == [
        ("contact", 0, 1),
        ("rotation", 1, 4),
        ("rotation", 3, 4),
    ]
    assert links.path(3, 0) == links.path(0, 3)[::-1]
    assert links.path(2, 2) == ()
    with pytest.raises(MalformedError, match="no hard link leads"):
        links.path(0, 5)


def test_a_cap_that_leaves_nothing_is_refused():
    with world(2) as found, pytest.raises(MalformedError, match="cap of 1"):
        hard_links(found, cap=1)


def test_nobody_is_tied_where_nothing_is_seen():
    with world(3) as found:
        links = hard_links(found)
    assert links.pairs == ()
    assert links.component.tolist() == [0, 1, 2]


class UnionFind:
    def __init__(self, count):
        self.up = list(range(count))

    def root(self, place):
        while self.up[place] != place:
            place = self.up[place]
        return place

    def join(self, a, b):
        a, b = sorted((self.root(a), self.root(b)))
        self.up[b] = a


@pytest.mark.parametrize("seed", range(6))
def test_components_and_paths_against_a_union_find(seed):
    chance = random.Random(seed)
    count, cap = 120, 4
    tokens = [
        (
            chance.randrange(count),
            chance.choice(["site", "contact", "label"]),
            f"v{chance.randrange(90)}",
            ref,
        )
        for ref in range(150)
    ]
    edges = []
    for ref in range(25):
        a, b = sorted(chance.sample(range(count), 2))
        edges.append((a, b, chance.choice(["rotation", "lease"]), ref))
    holders = {}
    for identity, kind, value, _ in tokens:
        holders.setdefault((kind, value), set()).add(identity)
    leases = {(a, b) for a, b, kind, _ in edges if kind == "lease"}
    mine = UnionFind(count)
    for (kind, value), ids in sorted(holders.items()):
        if kind == "label" or not 2 <= len(ids) <= cap:
            continue
        # Sites of a lessor and its lessee are explained, along chains of leases among the holders.
        explained = UnionFind(count)
        for a, b in leases:
            if kind == "site" and {a, b} <= ids:
                explained.join(a, b)
        for a in ids:
            for b in ids:
                if a < b and explained.root(a) != explained.root(b):
                    mine.join(a, b)
        assert value
    for a, b, kind, _ in edges:
        if kind == "rotation":
            mine.join(a, b)
    with world(count, tokens, edges) as found:
        links = hard_links(found, cap=cap)
        again = hard_links(found, cap=cap)
    roots = [mine.root(place) for place in range(count)]
    ranks = {root: rank for rank, root in enumerate(sorted(set(roots)))}
    assert links.component.tolist() == [ranks[root] for root in roots]
    assert links.pairs == again.pairs
    assert {(hub.kind, hub.value) for hub in links.hubs} == {
        key for key, ids in holders.items() if len(ids) > cap
    }
    for place in range(count):
        for other in links.members(place)[:3]:
            ends = [place]
            for pair in links.path(place, other):
                assert pair.joins
                assert ends[-1] in {pair.a, pair.b}
                ends.append(pair.a + pair.b - ends[-1])
            assert ends[-1] == other
    assert links.component.dtype == np.int32
