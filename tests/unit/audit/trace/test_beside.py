"""Vantage points beside each other are held to the account of the one that sees most."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from pseudoledger.audit.trace import beside
from pseudoledger.audit.trace.beside import scanner_beside, scanner_of
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import trace

COUNT = 800


@pytest.fixture(scope="module")
def seen():
    with ExitStack() as held:
        yield [
            trace(held.enter_context(generate(World(seed=4, identities=COUNT), seat)), seed=1, cap=3)
            for seat in (Seat.PUBLIC, Seat.AUDITOR)
        ]


def chances(scanner):
    return np.array([1 / (1 + np.exp2(-scanner.scan(identity))) for identity in range(COUNT)])


def test_who_sees_most_keeps_its_own_account(seen):
    _, auditor = seen
    for identity in (0, 7, 200):
        held = scanner_beside(auditor, auditor, seed=1).scan(identity)
        assert held.tolist() == scanner_of(auditor).scan(identity).tolist()


def test_pairs_of_a_sum_are_as_often_one_party_as_who_sees_most_says(seen, monkeypatch):
    monkeypatch.setattr(beside, "SAMPLE", COUNT)
    public, auditor = seen
    assert public.model.learnt
    scanner = scanner_beside(public, auditor, seed=1)
    told, known = chances(scanner), chances(scanner_of(auditor))
    apart = public.hard.component[:, None] != public.hard.component[None, :]
    # All pairs are in the sample, so the means agree but for the width of the bins and the prior.
    for low, high in ((0, 0.01), (0.01, 0.05), (0.05, 1)):
        some = apart & (told >= low) & (told < high)
        if some.sum() > 200:
            assert told[some].mean() == pytest.approx(known[some].mean(), rel=0.5), (low, high)
    prior = auditor.model.prior
    assert told[apart].mean() == pytest.approx(prior, rel=0.3)


def test_who_sees_less_keeps_the_order_of_its_own_likenesses(seen):
    public, auditor = seen
    scanner = scanner_beside(public, auditor, seed=1)
    sums, bits = scanner.sums(5), scanner.scan(5)
    free = np.flatnonzero(public.hard.component != public.hard.component[5])
    order = free[np.argsort(sums[free], kind="stable")]
    assert (np.diff(bits[order]) >= -2e-6).all()
    assert (sums == scanner_of(public).sums(5)).all()


def test_identities_are_matched_by_name_and_those_nobody_else_sees_are_left_out(seen):
    public, auditor = seen
    first = scanner_beside(public, auditor, seed=1).scan(3)

    class Renamed:
        def names(self):
            return tuple(f"other{place}" for place in range(COUNT))

    stranger = replace(auditor, observations=Renamed())
    alone = scanner_beside(public, stranger, seed=1).scan(3)
    under = Scanner(
        public.features, public.model, component=public.hard.component, prior=auditor.model.prior
    ).scan(3)
    assert alone.tolist() == under.tolist() != first.tolist()


def test_where_nothing_was_learnt_only_the_prior_is_shared(seen):
    public, auditor = seen
    blank = replace(
        auditor, model=replace(auditor.model, curve=replace(auditor.model.curve, knots=(), values=()))
    )
    scanner = scanner_beside(public, blank, seed=1)
    under = Scanner(public.features, public.model, component=public.hard.component, prior=auditor.model.prior)
    assert scanner.scan(3).tolist() == under.scan(3).tolist()
