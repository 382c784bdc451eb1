"""The dossier as one HTML file for people: nothing in it asks for another file, and it prints.

The words around the values are English, like the packs. Template and style stand in `templates/`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pseudoledger.audit.review.dossier import STATES, ChipSeen, Count, Dossier, Finding, PackUsed
from pseudoledger.audit.review.pack_model import SEVERITY_SAYS, STATUS_SAYS, Severity, Status

SEVERITIES = (Severity.PRIORITY, Severity.QUESTION, Severity.NOTE)

TILE_SAYS = MappingProxyType({"unknown": "a fact is missing", "resolved": "answered by a disclosure"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The findings of one pack, as the page shows them."""

    pack: PackUsed
    findings: tuple[Finding, ...]
    unlisted: tuple[Count, ...]
    """Counts whose findings are not all listed."""


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pseudoledger.audit.review"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        severities=[(one.value, SEVERITY_SAYS[one]) for one in SEVERITIES],
        states=list(STATES.items()),
        statuses={one.value: says for one, says in STATUS_SAYS.items()},
        status_words={one.value: one.value.replace("_", " ") for one in Status},
    )
    return made


def to_html(dossier: Dossier) -> bytes:
    """Return the page of a dossier."""
    style = (files("pseudoledger.audit.review") / "templates" / "dossier.css").read_text(encoding="utf-8")
    page = _environment().get_template("dossier.html")
    text = page.render(
        dossier=dossier,
        groups=_groups(dossier),
        tiles=_tiles(dossier),
        chip_columns=_chip_columns(dossier.chips),
        style=Markup(style),  # noqa: S704 - our own file
    )
    return text.encode("utf-8")


def _tiles(dossier: Dossier) -> list[tuple[str, str, int]]:
    """Count what is open by severity, and what is unknown or resolved."""
    raised = {one.value: 0 for one in SEVERITIES}
    states = {"unknown": 0, "resolved": 0}
    for count in dossier.counts:
        if count.state == "raised":
            raised[count.severity] += count.found
        else:
            states[count.state] += count.found
    words = {one.value: SEVERITY_SAYS[one] for one in SEVERITIES} | TILE_SAYS
    return [(name, words[name], number) for name, number in (raised | states).items()]


def _groups(dossier: Dossier) -> list[Group]:
    """Put findings under their packs, the ones to ask first first."""
    rank = {one.value: number for number, one in enumerate(SEVERITIES)}
    order = list(STATES)
    found = []
    for pack in dossier.packs:
        mine = sorted(
            (finding for finding in dossier.findings if finding.pack == pack.pack),
            key=lambda finding: (order.index(finding.state), rank[finding.severity]),
        )
        unlisted = [
            count for count in dossier.counts if count.pack == pack.pack and count.found > count.listed
        ]
        if mine:
            found.append(Group(pack=pack, findings=tuple(mine), unlisted=tuple(unlisted)))
    return found


def _chip_columns(chips: tuple[ChipSeen, ...]) -> list[tuple[str, str]]:
    """List (version, answer) of every answer that some chip has."""
    return list(
        dict.fromkeys(
            (version, name) for chip in chips for version, given in chip.answers.items() for name in given
        )
    )
