"""Hard links: pairs of identities that share a token or are tied by an edge, and what they join together.

A token that more than `cap` identities hold is a hub (an account of an exchange, the site of a large hall): it
makes no pair and is listed instead, and so is an identity that edges of one kind tie to more than `cap` others.
Not every tie means one party: pairs of the kinds in `SHOWN_ONLY` are evidence to look at and join nothing, and
neither does a machine, site or document that a custody or lease between the holders explains. Kinds that are not
known here, from a table of observations, join.

Components are those of `scipy.sparse.csgraph.connected_components`; paths are the shortest by number of pairs, and
among those the ones of the stronger kinds (Dijkstra, `scipy.sparse.csgraph.dijkstra`). Nothing here weighs habits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, dijkstra

from pseudoledger.audit.trace.observations import Observations
from pseudoledger.errors import MalformedError

CAP = 6
"""Most identities that may hold one value, unless the caller says otherwise."""
REFS_MAX = 8
"""Most entries that one pair cites."""
_CLAIMED = ("subject_group", "name", "site", "affiliate", "parent", "beneficial_owner", "ultimate_parent")
_PROJECTS = ("research_project", "approved_model")
SHOWN_ONLY = frozenset(
    {
        *_PROJECTS,
        *(f"{kind}_name" for kind in (*_PROJECTS, "affiliate_of")),
        *(f"{kind}_declared" for kind in (*_CLAIMED, *_PROJECTS)),
        *(
            f"{kind}_name_declared"
            for kind in (*_PROJECTS, "affiliate_of", "beneficial_owner", "ultimate_parent")
        ),
        "custody",
        "document",
        "facility_operator",
        "facility_owner",
        "label",
        "lease",
        "payment_reference",
        "stake",
        "voucher_series",
    }
)
"""Kinds that are shown and join nothing: they tie two parties, can be copied at will, or are a mere word."""
EXPLAINED = frozenset({"serial", "site", "document"})
"""Kinds of token that change hands, or are shared, when a machine does."""
EXPLAINS = frozenset({"custody", "lease"})
"""Kinds of edge that explain them."""
STRENGTH = (
    "rotation",
    "recovery",
    "subject_group",
    "next_key",
    "payment_account",
    "bank_account",
    "transaction",
    "name",
    "contact",
    "recovery_key",
    "quota",
    "serial",
    "affiliate",
    "parent",
    "beneficial_owner",
    "ultimate_parent",
    "beneficial_owner_name",
    "ultimate_parent_name",
    "site",
)
"""Kinds from the strongest on; those not named here come after."""
_CERTAIN = frozenset({"rotation", "recovery"})
"""Both keys have signed for it: no number of them makes a hub."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardPair:
    """One piece of evidence between two identities, a < b."""

    a: int
    b: int
    kind: str
    value: str
    """The value that both hold, "" for an edge."""
    refs: tuple[int, ...]
    """Entries or rows that show it, at most `REFS_MAX`."""
    joins: bool
    explained_by: str = ""
    """Kind of edge that explains why both hold it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """A value, or an identity, that ties too many to mean one party."""

    kind: str
    value: str
    """The value, or the name of the identity whose edges these are."""
    held_by: int
    """Identities that it ties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardLinks:
    """All pairs, and the components that those which join make."""

    pairs: tuple[HardPair, ...]
    """Sorted by a, b, kind and value."""
    component: NDArray[np.int32]
    """Of every identity, numbered from 0 in the order of their smallest ids."""
    hubs: tuple[Hub, ...]
    cap: int
    graph: csr_array
    """Pairs that join, upper half: 1 and a little more for weaker kinds."""
    best: Mapping[tuple[int, int], int]
    """Place in `pairs` of the strongest pair that joins two identities."""

    def members(self, identity: int) -> tuple[int, ...]:
        """Return the component of an identity, itself included, in order."""
        return tuple(int(place) for place in np.flatnonzero(self.component == self.component[identity]))

    def path(self, a: int, b: int) -> tuple[HardPair, ...]:
        """Return the evidence that leads from one identity to another, pair by pair.

        Empty for an identity and itself. Raises MalformedError if nothing leads there.
        """
        if self.component[a] != self.component[b]:
            raise MalformedError(f"no hard link leads from identity {a} to {b}", code="trace.path")
        before = dijkstra(self.graph, directed=False, indices=a, return_predecessors=True)[1]
        steps: list[HardPair] = []
        here = b
        while here != a:
            last = int(before[here])
            steps.append(self.pairs[self.best[min(here, last), max(here, last)]])
            here = last
        return tuple(reversed(steps))


def hard_links(
    observations: Observations, *, cap: int = CAP, shown_only: frozenset[str] = SHOWN_ONLY
) -> HardLinks:
    """Return the hard links of what was seen; raise MalformedError for a cap below 2."""
    if cap < 2:
        raise MalformedError(
            f"a cap of {cap} leaves no link",
            code="trace.cap",
            hint="the cap is how many identities may hold one value: 2 or more",
        )
    edges, edge_hubs = _edge_pairs(observations, cap, shown_only)
    tokens, token_hubs = _token_pairs(observations, cap, shown_only)
    pairs = sorted(
        (*edges, *_explained(tokens, edges)), key=lambda pair: (pair.a, pair.b, pair.kind, pair.value)
    )
    best = _best(pairs)
    graph = _graph(observations.count, [pairs[place] for place in best.values()])
    return HardLinks(
        pairs=tuple(pairs),
        component=_components(graph),
        hubs=(*token_hubs, *edge_hubs),
        cap=cap,
        graph=graph,
        best=best,
    )


def _token_pairs(
    observations: Observations, cap: int, shown_only: frozenset[str]
) -> tuple[list[HardPair], list[Hub]]:
    run = observations.connection.execute
    run(
        "CREATE OR REPLACE TEMP TABLE held AS SELECT kind, value, id, min(ref) AS ref,"
        " count(*) OVER (PARTITION BY kind, value) AS holders FROM tokens GROUP BY kind, value, id"
    )
    hubs = run(
        "SELECT DISTINCT kind, value, holders FROM held WHERE holders > ? ORDER BY kind, value", [cap]
    ).fetchall()
    rows = run(
        "SELECT x.id, y.id, x.kind, x.value, x.ref, y.ref FROM held x JOIN held y"
        " ON x.kind = y.kind AND x.value = y.value AND x.id < y.id"
        " WHERE x.holders BETWEEN 2 AND ? ORDER BY ALL",
        [cap],
    ).fetchall()
    run("DROP TABLE held")
    pairs = [
        HardPair(
            a=a,
            b=b,
            kind=kind,
            value=value,
            refs=tuple(sorted({first, second})),
            joins=kind not in shown_only,
        )
        for a, b, kind, value, first, second in rows
    ]
    return pairs, [Hub(kind=kind, value=value, held_by=count) for kind, value, count in hubs]


def _edge_pairs(
    observations: Observations, cap: int, shown_only: frozenset[str]
) -> tuple[list[HardPair], list[Hub]]:
    run = observations.connection.execute
    ends = "(SELECT a AS id, b AS other, kind FROM edges UNION SELECT b, a, kind FROM edges)"
    degrees = run(
        f"SELECT e.kind, i.name, e.id, count(*) FROM {ends} e JOIN identities i USING (id)"
        " GROUP BY ALL HAVING count(*) > ? ORDER BY e.kind, i.name",
        [cap],
    ).fetchall()
    hubs = {
        (kind, identity): Hub(kind=kind, value=name, held_by=count)
        for kind, name, identity, count in degrees
        if kind not in _CERTAIN and kind not in shown_only
    }
    rows = run(
        "SELECT a, b, kind, list_slice(list(DISTINCT ref ORDER BY ref), 1, ?) FROM edges"
        " GROUP BY a, b, kind ORDER BY a, b, kind",
        [REFS_MAX],
    ).fetchall()
    pairs = [
        HardPair(
            a=a,
            b=b,
            kind=kind,
            value="",
            refs=tuple(refs),
            joins=kind not in shown_only and (kind, a) not in hubs and (kind, b) not in hubs,
        )
        for a, b, kind, refs in rows
    ]
    return pairs, list(hubs.values())


def _explained(tokens: Sequence[HardPair], edges: Iterable[HardPair]) -> list[HardPair]:
    """Mark pairs whose holders a chain of custody or leases among the holders of that value connects."""
    ties = {(edge.a, edge.b): edge.kind for edge in edges if edge.kind in EXPLAINS}
    groups: dict[tuple[str, str], list[HardPair]] = {}
    for pair in tokens:
        if pair.kind in EXPLAINED:
            groups.setdefault((pair.kind, pair.value), []).append(pair)
    why: dict[tuple[int, int, str, str], str] = {}
    for group in groups.values():
        known = [pair for pair in group if (pair.a, pair.b) in ties]
        if not known:
            continue
        ids = sorted({end for pair in group for end in (pair.a, pair.b)})
        place = {identity: number for number, identity in enumerate(ids)}
        labels = _components(_matrix(len(ids), [(place[pair.a], place[pair.b], 1.0) for pair in known]))
        for pair in group:
            if labels[place[pair.a]] == labels[place[pair.b]]:
                kind = ties.get((pair.a, pair.b)) or ties[known[0].a, known[0].b]
                why[pair.a, pair.b, pair.kind, pair.value] = kind
    return [
        pair
        if (reason := why.get((pair.a, pair.b, pair.kind, pair.value))) is None
        else HardPair(
            a=pair.a,
            b=pair.b,
            kind=pair.kind,
            value=pair.value,
            refs=pair.refs,
            joins=False,
            explained_by=reason,
        )
        for pair in tokens
    ]


def _weakness(kind: str) -> int:
    return STRENGTH.index(kind) if kind in STRENGTH else len(STRENGTH)


def _best(pairs: Sequence[HardPair]) -> dict[tuple[int, int], int]:
    best: dict[tuple[int, int], int] = {}
    for place, pair in enumerate(pairs):
        if not pair.joins:
            continue
        held = best.get((pair.a, pair.b))
        if held is None or _weakness(pair.kind) < _weakness(pairs[held].kind):
            best[pair.a, pair.b] = place
    return best


def _graph(count: int, pairs: Sequence[HardPair]) -> csr_array:
    # One link more always weighs more than any difference of kind along a path of a thousand links.
    return _matrix(count, [(pair.a, pair.b, 1 + _weakness(pair.kind) / 2**15) for pair in pairs])


def _matrix(count: int, links: Sequence[tuple[int, int, float]]) -> csr_array:
    ends = np.array([(a, b) for a, b, _ in links], dtype=np.int32).reshape(-1, 2)
    weights = np.array([weight for *_, weight in links], dtype=np.float64)
    return coo_array((weights, (ends[:, 0], ends[:, 1])), shape=(count, count)).tocsr()


def _components(graph: csr_array) -> NDArray[np.int32]:
    """Number the components in the order of their smallest members."""
    labels = connected_components(graph, directed=False)[1]
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first, kind="stable")] = np.arange(len(first), dtype=np.int32)
    numbered: NDArray[np.int32] = rank[inverse]
    return numbered
