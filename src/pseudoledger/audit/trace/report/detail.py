"""One identity in full: its figures, candidates, links bar by bar, cluster, and how it looks from each vantage point.

Takes what the rooms below found and puts it into the report's values; it decides nothing but the verdict. Every
number is rounded here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pseudoledger.audit.trace import anonymity as anon
from pseudoledger.audit.trace.ask import next_disclosures, token_question
from pseudoledger.audit.trace.explain import Explainer
from pseudoledger.audit.trace.fields import PublishedFields, leak_table
from pseudoledger.audit.trace.hard import SHOWN_ONLY, HardPair
from pseudoledger.audit.trace.matrix import View, vantage_matrix
from pseudoledger.audit.trace.report import values
from pseudoledger.audit.trace.report.values import rounded
from pseudoledger.audit.trace.report.verdict import Verdict, verdict_of
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import Traced
from pseudoledger.audit.trace.tree import HARD, Tie, strongest_tree

LINKS = 3
"""Candidates whose link is shown bar by bar."""
MOMENTS = 60
"""Records shown on the timeline: the first of them."""
LEAKS = 20
ASKS = 6
PATHS = 20
BESIDE = 20
"""Ties that join nothing, of one identity: the first of them."""
GAIN_LEAST = 0.001
"""Bits below which a disclosure is not worth asking for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One vantage point, traced, with what asking about one identity needs."""

    vantage: str
    traced: Traced
    scanner: Scanner
    published: PublishedFields
    names: tuple[str, ...]
    labels: Mapping[int, str]
    """What identities call themselves, by id."""


class Details:
    """Describes identities from the last of some vantage points, beside the others."""

    def __init__(
        self, places: Sequence[Place], hidden: Sequence[tuple[str, Mapping[str, float]]] = ()
    ) -> None:
        """Keep the places; the identities are those of the last one.

        `hidden` has statements, each with H in bits of identities by name, as the last place would see them
        without what was opened of that statement.
        """
        self._places, self._hidden = tuple(places), tuple(hidden)
        self._main = self._places[-1]
        traced = self._main.traced
        self._explainer = Explainer(traced.observations, traced.features, traced.model)
        kinds = traced.observations.connection.execute(
            "SELECT DISTINCT kind FROM tokens ORDER BY kind"
        ).fetchall()
        tied = list(zip(*(part.tolist() for part in traced.hard_pairs), strict=True))
        self._questions = tuple(
            token_question(traced.observations, kind, tied=tied)
            for (kind,) in kinds
            # What joins nothing tells nothing about who is one party.
            if kind not in SHOWN_ONLY
        )

    def describe(self, name: str) -> values.Identity:
        """Return everything about one identity; raise MalformedError if it was not seen."""
        main = self._main
        identity = main.traced.observations.id_of(name)
        bits = main.scanner.scan(identity)
        found = anon.anonymity(identity, bits, identities=main.scanner.count)
        cluster = self._cluster(identity)
        paths = self._paths(identity)
        verdict = verdict_of(
            linked=bool(paths),
            clustered=cluster is not None,
            learnt=main.traced.model.learnt,
            guess_1=found.measures.guess_1,
        )
        candidates = self._candidates(identity, found)
        matrix = self._matrix(name)
        moments, left_out = self._timeline(identity)
        combination = main.published.combination(identity)
        beside = self._beside(identity)
        return values.Identity(
            name=name,
            label=main.labels.get(identity, ""),
            verdict=verdict.value,
            says=_says(verdict, cluster, candidates, found.measures, main.scanner.count),
            records=int(main.traced.features.seen[identity]),
            measures=measured(found.measures),
            low=measured(found.low),
            high=measured(found.high),
            candidates=candidates,
            paths=paths,
            beside=beside[:BESIDE],
            beside_left_out=max(0, len(beside) - BESIDE),
            cluster=cluster,
            links=self._links(identity, candidates, cluster),
            matrix=matrix,
            timeline=moments,
            records_left_out=left_out,
            leaks=self._leaks(name),
            k=combination.k,
            combination=tuple(
                values.Step(
                    field=step.field,
                    value=step.value,
                    k=step.k,
                    diversity=left.distinct,
                    diversity_effective=rounded(left.entropy),
                )
                for step, left in zip(combination.steps, combination.diversity, strict=True)
            ),
            asks=self._asks(identity, bits, candidates),
            revealed=self._revealed(name, found.measures.entropy_bits),
        )

    def _candidates(self, identity: int, found: anon.Anonymity) -> tuple[values.Candidate, ...]:
        """List the best candidates for whom there is any evidence."""
        traced = self._main.traced
        component = traced.hard.component
        return tuple(
            values.Candidate(
                name=self._main.names[one.id],
                bits=rounded(one.bits),
                chance=rounded(one.chance),
                share=rounded(one.share),
                hard=bool(component[one.id] == component[identity]),
            )
            for one in found.leading
            if one.bits > traced.model.prior_bits
        )

    def _paths(self, identity: int) -> tuple[values.Path, ...]:
        hard = self._main.traced.hard
        return tuple(
            values.Path(
                to=self._main.names[other],
                steps=tuple(self._evidence(pair) for pair in hard.path(identity, other)),
            )
            for other in hard.members(identity)[: PATHS + 1]
            if other != identity
        )

    def _evidence(self, pair: HardPair) -> values.Evidence:
        names = self._main.names
        return values.Evidence(
            a=names[pair.a], b=names[pair.b], kind=pair.kind, value=pair.value, refs=pair.refs
        )

    def _beside(self, identity: int) -> tuple[values.Beside, ...]:
        """List what ties the identity to others and joins nothing."""
        names = self._main.names
        return tuple(
            values.Beside(
                other=names[pair.b if pair.a == identity else pair.a],
                kind=pair.kind,
                value=pair.value,
                why="explained" if pair.explained_by else "shown" if pair.kind in SHOWN_ONLY else "hub",
                explained_by=pair.explained_by,
                refs=pair.refs,
            )
            for pair in self._main.traced.hard.pairs
            if not pair.joins and identity in {pair.a, pair.b}
        )

    def _cluster(self, identity: int) -> values.Cluster | None:
        traced, names = self._main.traced, self._main.names
        members = [int(one) for one in traced.clusters.members(int(traced.clusters.label[identity]))]
        if len(members) < 2:
            return None
        tree = strongest_tree(members, self._ties(members))

        def tie(one: Tie) -> values.Tie:
            bits = rounded(one.bits) if np.isfinite(one.bits) else None
            return values.Tie(a=names[one.a], b=names[one.b], kind=one.kind, bits=bits)

        return values.Cluster(
            members=tuple(names[one] for one in tree.members),
            ties=tuple(map(tie, tree.ties)),
            weakest=None if tree.weakest is None else tie(tree.weakest),
            parts=tuple(tuple(names[one] for one in part) for part in tree.parts),
            others=tree.others,
        )

    def _ties(self, members: Sequence[int]) -> list[Tie]:
        """Return all links inside a cluster: evidence, and the bits of every pair whether blocked or not."""
        traced = self._main.traced
        ties = [
            Tie(a=pair.a, b=pair.b, bits=np.inf, kind=pair.kind or HARD)
            for pair in traced.hard.pairs
            if pair.joins and pair.a in members and pair.b in members
        ]
        for place, a in enumerate(members):
            bits = self._main.scanner.scan(a)
            ties.extend(Tie(a=a, b=b, bits=float(bits[b])) for b in members[place + 1 :])
        return ties

    def _links(
        self, identity: int, candidates: Sequence[values.Candidate], cluster: values.Cluster | None
    ) -> tuple[values.Link, ...]:
        """Explain the links to the best candidates, and to those of the cluster, as far as behaviour was weighed."""
        if not self._main.traced.model.learnt:
            return ()
        best = [one.name for one in candidates]
        inside = [] if cluster is None else [one for one in best if one in cluster.members]
        chosen = list(dict.fromkeys([*inside, *best]))[:LINKS]
        return tuple(self._link(identity, name) for name in chosen)

    def _link(self, identity: int, name: str) -> values.Link:
        other = self._main.traced.observations.id_of(name)
        fall = self._explainer.explain(identity, other)
        first = fall.a == identity
        bars = tuple(
            values.Bar(
                label=bar.label,
                reveals=bar.reveals,
                words=bar.words,
                bits=rounded(bar.bits),
                after=rounded(bar.after),
                refs=bar.refs_a if first else bar.refs_b,
                others_refs=bar.refs_b if first else bar.refs_a,
            )
            for bar in fall.bars
            if bar.bits or not bar.reveals
        )
        against = tuple(
            values.Against(
                kind=one.kind,
                words=one.words,
                bits=rounded(one.bits),
                refs=tuple(dict.fromkeys((*one.refs_a, *one.refs_b))),
            )
            for one in self._explainer.against(identity, other)
        )
        return values.Link(other=name, bits=rounded(fall.bits), bars=bars, against=against)

    def _matrix(self, name: str) -> tuple[values.Seen, ...]:
        views = self._views(name)
        rows = vantage_matrix(
            [View(vantage=place.vantage, scanner=place.scanner, identity=at) for place, at in views]
        )
        return tuple(
            values.Seen(
                vantage=row.vantage,
                identities=row.identities,
                measures=measured(row.measures),
                best="" if row.best is None else place.names[row.best.id],
                told_bits=rounded(row.told_bits),
            )
            for row, (place, _) in zip(rows, views, strict=True)
        )

    def _views(self, name: str) -> list[tuple[Place, int]]:
        """Return the vantage points that have seen the identity, with its id there."""
        return [(place, place.names.index(name)) for place in self._places if name in place.names]

    def _timeline(self, identity: int) -> tuple[tuple[values.Moment, ...], int]:
        observations = self._main.traced.observations
        kind = "kind" if any(field.name == "kind" for field in observations.fields) else "''"
        rows = observations.connection.execute(
            f'SELECT DISTINCT "at", ref, {kind} FROM records WHERE id = ? AND "at" IS NOT NULL ORDER BY 1, 2, 3',
            [identity],
        ).fetchall()
        shown = tuple(values.Moment(at=at, ref=ref, kind=what or "") for at, ref, what in rows[:MOMENTS])
        return shown, max(0, len(rows) - MOMENTS)

    def _leaks(self, name: str) -> tuple[values.Leak, ...]:
        rows = leak_table([(place.published, at) for place, at in self._views(name)])
        return tuple(
            values.Leak(
                field=row.field,
                reveals=row.reveals,
                value=row.value,
                identities=row.identities,
                bits=rounded(row.bits),
                refs=row.refs,
                seen_by=row.seen_by,
            )
            for row in rows[:LEAKS]
        )

    def _revealed(self, name: str, with_bits: float) -> tuple[values.Revealed, ...]:
        """List the statements whose disclosures have told something of the identity, what told most first."""
        found = [
            values.Revealed(
                statement=statement, without_bits=rounded(bits[name]), with_bits=rounded(with_bits)
            )
            for statement, bits in self._hidden
            if name in bits
        ]
        told = [one for one in found if one.without_bits != one.with_bits]
        return tuple(sorted(told, key=lambda one: -abs(one.without_bits - one.with_bits)))

    def _asks(
        self, identity: int, bits: anon.Reals, candidates: Sequence[values.Candidate]
    ) -> tuple[values.Ask, ...]:
        """List what to ask for; together with the best candidate only where there is evidence for one."""
        found = [
            ask
            for ask in next_disclosures(identity, bits, self._questions)
            if ask.gain_bits >= GAIN_LEAST and (len(ask.of) == 1 or candidates)
        ]
        return tuple(
            values.Ask(
                kind=ask.kind,
                of=tuple(self._main.names[one] for one in ask.of),
                gain_bits=rounded(ask.gain_bits),
                known=ask.known,
            )
            for ask in found[:ASKS]
        )


def measured(found: anon.Measures) -> values.Measures:
    """Return the figures as the report keeps them."""
    return values.Measures(
        nobody=rounded(found.nobody),
        expected_siblings=rounded(found.expected_siblings),
        entropy_bits=rounded(found.entropy_bits),
        effective=rounded(found.effective),
        degree=rounded(found.degree),
        min_entropy_bits=rounded(found.min_entropy_bits),
        guess_1=rounded(found.guess_1),
        guess_10=rounded(found.guess_10),
        credible=found.credible,
        credible_held=rounded(found.credible_held),
        credible_last=rounded(found.credible_last),
    )


def _says(
    verdict: Verdict,
    cluster: values.Cluster | None,
    candidates: Sequence[values.Candidate],
    found: anon.Measures,
    count: int,
) -> str:
    """Write the verdict as a sentence."""
    others = 0 if cluster is None else len(cluster.members) - 1
    match verdict:
        case Verdict.LINKED:
            return f"evidence that one party alone can give joins it to {max(others, 1)} other identit{'y' if others <= 1 else 'ies'}"
        case Verdict.PROBABLE:
            return f"its behaviour is so like that of {others} other identit{'y' if others == 1 else 'ies'} that they are probably one party"
        case Verdict.POSSIBLE:
            best = candidates[0].chance if candidates else found.guess_1
            return f"its best candidate is the same party with a chance of {best:.0%}; that is too little to join them"
        case Verdict.HIDDEN:
            return f"it cannot be told apart: as good as hidden among {found.effective:,.0f} of {count:,} identities"
        case Verdict.UNWEIGHED:
            return "no evidence joins it to another, and there was nothing to learn from how much a likeness in behaviour means"
