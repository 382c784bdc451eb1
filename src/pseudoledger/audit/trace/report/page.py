"""The report as one HTML file a language: nothing in it asks for another file, it needs no script, and it prints.

It shows the values of the report and computes nothing but where marks stand (`charts`). The house style is the
dossier's, with what only this page needs added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from importlib.resources import files
from math import log2

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pseudoledger.audit.trace.report import charts
from pseudoledger.audit.trace.report.card import Reading
from pseudoledger.audit.trace.report.values import Cluster, TraceReport
from pseudoledger.audit.trace.report.verdict import Verdict
from pseudoledger.audit.trace.report.words import WORDS
from pseudoledger.audit.trace.roles import GROUP

LANGUAGES = tuple(WORDS)
TONES = {
    Verdict.LINKED.value: "priority",
    Verdict.PROBABLE.value: "question",
    Verdict.POSSIBLE.value: "note",
    Verdict.HIDDEN.value: "resolved",
    Verdict.UNWEIGHED.value: "unknown",
}
"""Colours of the verdicts; the words beside them say the same."""


@lru_cache(maxsize=1)
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("pseudoledger.audit.trace.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(day=_day, moment=_moment, bits=_bits, percent=_percent, short=_short)
    made.globals.update(
        charts=charts,
        tones=TONES,
        verdicts=[one.value for one in Verdict],
        log2=log2,
        width=charts.WIDTH,
        numbered=_numbered,
        read_as=_read_as,
    )
    return made


def to_html(report: TraceReport, language: str = "en") -> bytes:
    """Return the page of a report in one of `LANGUAGES`."""
    style = "\n".join(
        (files(package) / "templates" / name).read_text(encoding="utf-8")
        for package, name in (
            ("pseudoledger.audit.review", "dossier.css"),
            ("pseudoledger.audit.trace.report", "trace.css"),
        )
    )
    page = _environment().get_template("trace.html")
    labels = {one.name: one.label for one in report.all} | {one.name: one.label for one in report.identities}
    text = page.render(
        labels=labels,
        called=lambda name: _called(name, labels.get(name, "")),
        report=report,
        main=report.vantages[-1],
        language=language,
        direction="rtl" if language == "ar" else "ltr",
        w=_speak(language, report),
        style=Markup(style),  # noqa: S704 - our own files
    )
    return text.encode("utf-8")


def _speak(language: str, report: TraceReport) -> Callable[..., str]:
    words = WORDS[language]

    def speak(name: str, /, **parts: object) -> str:
        return words[name].format(what=words[report.looked.kind], **parts)

    return speak


def _read_as(was: Reading, *, scored: bool) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each role of columns, as a word of the page, with its columns; a default that may be missing only if used."""
    columns = was.columns
    group = columns.group if scored or columns.group != GROUP else ""
    for role, names in (
        ("identity", (columns.identity,)),
        ("time", (columns.time,)),
        ("group", (group,)),
        ("numeric", columns.numeric),
        ("category", columns.category),
        ("text", columns.text),
        ("token", columns.token),
        ("counterparty", columns.counterparty),
        ("log", columns.log),
        ("ignore", columns.ignore),
        ("reveals", tuple(f"{name}: {word}" for name, word in columns.reveals)),
        ("edges", () if was.edges is None else (was.edges.name,)),
    ):
        if any(names):
            yield f"role_{role}", names


def _numbered(cluster: Cluster) -> str:
    """Write the parts of a cluster by the numbers of its members, from left to right in either language."""
    place = {name: str(number) for number, name in enumerate(cluster.members, 1)}
    parts = (", ".join(sorted((place[name] for name in part), key=int)) for part in cluster.parts)
    return "\u2066" + " + ".join(f"{{{part}}}" for part in parts) + "\u2069"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d")


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")


def _bits(value: float) -> str:
    return f"{value:+.2f}"


def _percent(value: float) -> str:
    if 0 < value < 0.001:
        return "< 0.1 %"
    return f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:.0f} %"


def _called(name: str, label: str) -> str:
    """Return what an identity calls itself, and its short name, both apart from the direction of words around them."""
    short = f"\u2066{_short(name)}\u2069"
    return f"\u2068{label}\u2069 {short}" if label else short


def _short(name: str) -> str:
    """Shorten a did to what people compare; other names stay."""
    return f"{name[8:20]}…" if name.startswith("did:key:") else name
