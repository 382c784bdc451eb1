"""Disclosures given to the review: what they open, and whether the value could have stood in the clear."""

from __future__ import annotations

from collections.abc import Iterator

from pseudoledger.audit.review.facts import Fact, FactValue, Observation, Opened, Sort, table
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited

DISCLOSED = table(
    "disclosed",
    "One sealed field that a disclosure opened.",
    reads=(),
    facts=(
        Fact(name="kind", sort=Sort.TEXT, says="Kind of the statement"),
        Fact(name="pointer", sort=Sort.TEXT, says="JSON Pointer of the field"),
        Fact(name="valid", sort=Sort.TRUTH, says="Whether the value would have been valid in the clear"),
        Fact(name="problem", sort=Sort.TEXT, says="What is wrong with it", missing="nothing is"),
    ),
)


def disclosed(entry: Read, opened: Opened, sight: Sight) -> Iterator[Observation]:
    """Yield the observation of one opened field."""
    facts: dict[str, FactValue] = {
        "kind": entry.kind,
        "pointer": opened.pointer,
        "valid": not opened.problem,
    }
    if opened.problem:
        facts["problem"] = opened.problem
    yield Observation(
        table=DISCLOSED,
        at=entry.at,
        subject=f"{entry.id}{opened.pointer}",
        facts=facts,
        cites=(cited(entry, "sealed field"),),
        parties=(("issuer", sight.root(entry.statement.iss)),),
    )
