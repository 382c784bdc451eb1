from contextlib import ExitStack
from itertools import pairwise

import numpy as np
import pytest
from seeded import COUNT, FIELDS, SOURCE, any_model, fill

from pseudoledger.audit.trace.anonymity import anonymity
from pseudoledger.audit.trace.beside import scanner_beside
from pseudoledger.audit.trace.compare import comparisons
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.features import features
from pseudoledger.audit.trace.matrix import View, vantage_matrix
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import trace
from pseudoledger.audit.trace.whole import exact_figures


@pytest.fixture(scope="module")
def scanners():
    with Observations(fields=FIELDS, source=SOURCE) as seen:
        fill(seen)
        found = features(seen)
        model = any_model(found, comparisons(found, seed=2))
        yield Scanner(found, any_model(found, ())), Scanner(found, model)


def test_each_row_is_that_vantage_point_alone(scanners):
    blind, seeing = scanners
    rows = vantage_matrix(
        [
            View(vantage="public", scanner=blind, identity=4),
            View(vantage="broker", scanner=seeing, identity=4),
        ]
    )
    assert [row.vantage for row in rows] == ["public", "broker"]
    for row, scanner in zip(rows, scanners, strict=True):
        alone = anonymity(4, scanner.scan(4), identities=COUNT)
        assert row.measures == alone.measures
        assert row.best == alone.leading[0]
    assert rows[0].told_bits == 0.0
    assert rows[1].told_bits == pytest.approx(rows[0].measures.entropy_bits - rows[1].measures.entropy_bits)


def test_ids_may_differ_between_vantage_points(scanners):
    _, seeing = scanners
    one, other = vantage_matrix(
        [View(vantage="a", scanner=seeing, identity=1), View(vantage="b", scanner=seeing, identity=2)]
    )
    assert one.best != other.best


def test_an_identity_alone_has_no_candidate():
    with Observations(fields=FIELDS, source=SOURCE) as seen:
        seen.connection.execute("INSERT INTO identities VALUES (0, 'a', NULL)")
        found = features(seen)
        rows = vantage_matrix(
            [View(vantage="public", scanner=Scanner(found, any_model(found, ())), identity=0)]
        )
    assert rows[0].best is None
    assert rows[0].measures.nobody == 1.0


@pytest.mark.long
def test_who_sees_more_has_less_left_to_find_out():
    """Medians over a world, held to one account: what seeing more adds is never more of not knowing."""
    with ExitStack() as held:
        traced = [
            trace(held.enter_context(generate(World(seed=3, identities=1_500), seat)), seed=1, cap=8)
            for seat in Seat
        ]
        medians = [
            float(
                np.median(
                    exact_figures(scanner_beside(one, traced[-1], seed=1), range(0, 1_500, 3)).entropy_bits
                )
            )
            for one in traced
        ]
    assert all(after <= before + 0.1 for before, after in pairwise(medians)), medians
