"""What a disclosure has told: H of identities as it would be without it, all else the same.

All else is the model too: what likenesses are worth was learnt with the disclosures, and learning it anew would err
anew, by more than most disclosures tell. Only what is seen changes: features and evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pseudoledger.audit.trace.anonymity import measures, posterior, tally
from pseudoledger.audit.trace.features import features
from pseudoledger.audit.trace.hard import hard_links
from pseudoledger.audit.trace.observations import Observations
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import Traced


def entropies(observations: Observations, main: Traced, names: Sequence[str]) -> dict[str, float]:
    """Return H in bits, by name, of those of some identities that are seen in other observations, under one model."""
    found = features(observations)
    known = {item.name for item in found}
    model = replace(
        main.model, comparisons=tuple(one for one in main.model.comparisons if one.comparison.name in known)
    )
    scanner = Scanner(found, model, component=hard_links(observations, cap=main.hard.cap).component)
    place = {name: identity for identity, name in enumerate(observations.names())}
    return {
        name: measures(posterior(tally(scanner.scan(place[name]))), identities=scanner.count).entropy_bits
        for name in names
        if name in place
    }
