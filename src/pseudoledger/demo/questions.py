"""What an auditor asks about the demo's ledger: reviewed from what stands on it, and with what was opened.

The second dossier differs only by the disclosures; what they answer is resolved there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.audit.review import Asked, Dossier, review, to_json
from pseudoledger.audit.review.page import to_html
from pseudoledger.audit.verifier import Report

SEVERITIES = ("priority", "question", "note")
"""As dossiers name them, heaviest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """One dossier, and the files it was written to."""

    dossier: Dossier
    json: Path
    html: Path

    def raised(self) -> dict[str, int]:
        """Return how many findings are open, by severity."""
        return {
            severity: sum(
                count.found
                for count in self.dossier.counts
                if count.severity == severity and count.state == "raised"
            )
            for severity in SEVERITIES
        }

    def resolved(self) -> int:
        """Return how many findings a disclosure answers."""
        return sum(count.found for count in self.dossier.counts if count.state == "resolved")

    def foremost(self) -> tuple[str, str]:
        """Return what the heaviest open finding says and asks."""
        open_ones = (one for one in self.dossier.findings if one.state == "raised")
        first = min(open_ones, key=lambda one: SEVERITIES.index(one.severity))
        return first.says, first.asks


def ask(
    ledger: Path, out: Path, handed: Mapping[str, tuple[str, ...]], *, report: Report
) -> tuple[Reviewed, Reviewed]:
    """Review a verified ledger without and with disclosures; write both dossiers as JSON and as a page."""
    without = review(ledger, Asked(), report=report)
    disclosed = review(ledger, Asked(disclosures=handed), report=report)
    return _written(without, out, "review"), _written(disclosed, out, "review-disclosed")


def _written(dossier: Dossier, out: Path, stem: str) -> Reviewed:
    files = (out / f"{stem}.json", out / f"{stem}.html")
    files[0].write_bytes(to_json(dossier))
    files[1].write_bytes(to_html(dossier))
    return Reviewed(dossier=dossier, json=files[0], html=files[1])
