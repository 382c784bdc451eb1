"""The self-test: it links around what was planted alone, and says what a trace of everything says."""

import numpy as np
import pytest

from pseudoledger.audit.trace.evaluate import planted
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.tracing import trace


@pytest.fixture(scope="module")
def seen():
    with generate(World(seed=11, identities=600), Seat.AUDITOR) as observations:
        yield observations


@pytest.mark.parametrize("threshold", [4.0, -2.0])
def test_what_is_linked_around_the_planted_decides_as_all_links_do(seen, threshold):
    """With a low threshold clusters are large and chains long, so that a link too few would show."""
    chosen = planted._chosen(seen, 3)
    with planted._copy(seen, chosen) as copy:
        halves = planted._halves(copy, chosen)
        whole = trace(copy, seed=3, threshold_bits=threshold)
        said = planted._score(whole, halves)
        label, scored = whole.clusters.label.copy(), whole.links.scored
    with planted._copy(seen, chosen) as copy:
        near = trace(copy, seed=3, threshold_bits=threshold, around=halves.ravel())
        assert planted._score(near, halves) == said
        assert near.clusters.label[halves].tolist() == label[halves].tolist()
        mine = np.isin(label, label[halves])
        assert near.clusters.label[mine].tolist() == label[mine].tolist()
        assert near.links.scored < scored or threshold < 0
    assert said.found


def test_scans_on_all_cores_are_those_of_one(seen):
    traced = trace(seen, seed=1)
    from pseudoledger.audit.trace.beside import scanner_of

    scanner = scanner_of(traced)
    asked = [5, 3, 3, 599, *range(20, 60)]
    found = list(scanner.scans(asked))
    assert len(found) == len(asked)
    for identity, bits in zip(asked, found, strict=True):
        assert bits.tobytes() == scanner.scan(identity).tobytes()
