"""Findings, bounded: the first of every rule, version and state in ledger order, and a count of the rest."""

from __future__ import annotations

from dataclasses import dataclass

from pseudoledger.audit.review.dossier import Count, Finding, State
from pseudoledger.audit.review.engine import Found
from pseudoledger.audit.review.notebook import Notebook

MOST = 100
"""Findings that are listed for one rule of one version in one state, where nothing else is asked for."""


@dataclass(slots=True)
class _Tally:
    """What one rule of one version came to in one state."""

    found: int = 0
    listed: int = 0


class Collection:
    """Takes findings in ledger order."""

    def __init__(self, notebook: Notebook, most: int) -> None:
        self._notebook, self._most = notebook, most
        self._listed: list[Found] = []
        self._again: dict[int, int] = {}
        self._matters: dict[str, int] = {}
        """Where the first finding of a matter is listed."""
        self._tallies: dict[tuple[str, str, str, State, str], _Tally] = {}
        self.by_version: dict[tuple[str, str], int] = {}

    def take(self, found: Found) -> None:
        """Take one finding: list it, or count it, or count it as the same matter again."""
        rule = found.rule.text
        version = (found.pack.name, found.version.name)
        matter = "\0".join((*version, rule.rule, found.state, found.matter))
        if rule.once_per and self._notebook.seen("matter", matter):
            if matter in self._matters:
                self._again[self._matters[matter]] += 1
            return
        tally = self._tallies.setdefault((*version, rule.rule, found.state, found.severity.value), _Tally())
        tally.found += 1
        self.by_version[version] = self.by_version.get(version, 0) + 1
        if tally.listed < self._most:
            tally.listed += 1
            place = len(self._listed)
            self._listed.append(found)
            self._again[place] = 0
            if rule.once_per:
                self._matters[matter] = place

    def findings(self) -> tuple[Finding, ...]:
        """Return the listed findings in their fixed order."""
        written = [found.write(self._again[place]) for place, found in enumerate(self._listed)]
        return tuple(sorted(written, key=_order))

    def counts(self) -> tuple[Count, ...]:
        """Return how often each rule spoke."""
        return tuple(
            Count(
                pack=pack,
                version=version,
                rule=rule,
                state=state,
                severity=severity,  # type: ignore[arg-type]
                found=tally.found,
                listed=tally.listed,
            )
            for (pack, version, rule, state, severity), tally in sorted(self._tallies.items())
        )


def _order(finding: Finding) -> tuple[int, str, str, str, str]:
    last = max((entry.index for entry in finding.entries), default=-1)
    return (last, finding.pack, finding.version, finding.rule, finding.subject)
