"""Review: what the statements of a ledger amount to, asked by dated rule packs.

`review` reads a ledger directory once and makes a `Dossier`: questions with their margins, the version of the
rule that counted at that time, evidence for and against, and what is not known. Packs are data
(`contracts/packs`, docs/reference/packs.md); observers are what they may ask about.
"""

from pseudoledger.audit.review.dossier import Dossier, to_json
from pseudoledger.audit.review.engine import Chosen
from pseudoledger.audit.review.run import Asked, review

__all__ = ["Asked", "Chosen", "Dossier", "review", "to_json"]
