"""Where a customer is established, by the claim that was made last about it and is in force."""

from __future__ import annotations

from pseudoledger.audit.review.facts import Cited, FactValue
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight
from pseudoledger.statement.kinds.claim import ClaimAttested, ClaimRevoked

KINDS = ("claim.attested", "claim.revoked")
"""What has to be shown to `note_country`."""


def note_country(entry: Read, sight: Sight) -> None:
    """Take note of a claim about somebody's country, or of one that is taken back."""
    match entry.payload:
        case ClaimRevoked(claim=ref):
            sight.notebook.put("country revoked", ref, 1)
        case ClaimAttested(claim="country", country=str(country), valid=valid):
            note = [country, valid.start_seconds, valid.until_seconds, entry.id, entry.index]
            sight.notebook.put("country", sight.root(entry.statement.sub), note)


def customer_facts(identity: str, at: int, sight: Sight) -> tuple[dict[str, FactValue], tuple[Cited, ...]]:
    """Return the country of a customer as a fact, and the claim that says so; nothing where none is in force."""
    held = sight.notebook.get("country", identity)
    if held is None:
        return {}, ()
    country, start, until, ref, index = held
    if not start <= at < until or sight.notebook.get("country revoked", ref) is not None:
        return {}, ()
    return {"customer_country": country}, (sight.cite(index, "claim"),)
