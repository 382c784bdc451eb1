"""Checking a report: its citations against the tree it names, that tree against the ledger's signature, and all anew.

What is checked here needs the report alone, with the checkpoint in it; `reproduced` needs the ledger too, and
`reproduced_table` the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pseudoledger.audit.review.reading import Progress
from pseudoledger.audit.trace.foreign import whole_digest
from pseudoledger.audit.trace.report.cite import broken_citations
from pseudoledger.audit.trace.report.run import Asked, trace_ledger, trace_table
from pseudoledger.audit.trace.report.values import TraceReport, to_json
from pseudoledger.audit.trace.sheet import digest_of
from pseudoledger.audit.trace.vantage import parse_vantage
from pseudoledger.errors import MalformedError, VerificationError
from pseudoledger.identity.keys import key_from_did
from pseudoledger.ledger.checkpoint import log_key, verify_checkpoint


def broken(report: TraceReport, *, ledger_key: str | None = None) -> Iterator[str]:
    """Yield every reason why a report does not stand; one of a table proves nothing, and may claim nothing.

    `ledger_key` is the did of the ledger key from a source that is trusted; without it the one in the report counts.
    """
    if not report.vantages:
        yield "it names no vantage point"
    if report.looked.kind == "table":
        if report.entries or report.looked.checkpoint or report.looked.ledger_key or report.looked.verified:
            yield "it is of a table, and claims entries, a checkpoint, a ledger key or a verification"
        yield from _reading(report)
        return
    if report.looked.table is not None:
        yield "it is of a ledger, and says how a table was read"
    for one in report.vantages:
        try:
            parse_vantage(one.vantage)
        except MalformedError as error:
            yield f"its vantage point: {error.message}"
    if not report.looked.verified:
        yield "the ledger was not verified when it was traced"
    if report.looked.checkpoint:
        yield from _checkpoint(report, ledger_key)
    elif ledger_key is not None:
        yield f"there is no checkpoint in it, so that {ledger_key} has signed nothing of it"
    try:
        yield from broken_citations(report)
    except ValueError:
        yield "the root of the tree is no hex"


def _reading(report: TraceReport) -> Iterator[str]:
    was = report.looked.table
    if was is None:
        yield "it is of a table, and does not say how that was read"
        return
    files = (was.digest, *(() if was.edges is None else (was.edges.digest,)))
    if report.looked.digest != whole_digest(files):
        yield "its digest is not that of the files it names"


def _checkpoint(report: TraceReport, ledger_key: str | None) -> Iterator[str]:
    looked = report.looked
    try:
        key = log_key(looked.name, key_from_did(ledger_key or looked.ledger_key))
        said = verify_checkpoint(looked.checkpoint.encode(), looked.name, [key]).checkpoint
    except (VerificationError, MalformedError) as error:
        yield f"the checkpoint in it: {error.message}"
        return
    if (said.size, said.root.hex()) != (looked.entries, looked.digest):
        yield f"the checkpoint in it is of {said.size} entries and another root than was traced"


def reproduced(
    report: TraceReport,
    directory: Path,
    *,
    disclosures: Mapping[str, tuple[str, ...]],
    progress: Progress | None = None,
) -> str:
    """Trace the ledger again as the report was made; return "" for the same bytes, or what differs.

    Raises what `run.trace_ledger` does, MalformedError too for a report of which nothing can be traced again.
    """
    if report.looked.kind != "ledger" or not report.vantages:
        raise MalformedError("there is no ledger, or no vantage point, that this report is of")
    asked = replace(
        _asked(report),
        vantages=tuple(parse_vantage(one.vantage) for one in report.vantages),
        disclosures=disclosures,
        weigh=report.weighed,
    )
    again = trace_ledger(
        directory,
        asked,
        verified=report.looked.verified,
        size=report.looked.entries,
        note=report.looked.checkpoint.encode() or None,
        progress=progress,
    )
    if again.looked.digest != report.looked.digest:
        return f"the ledger's tree of {report.looked.entries} entries is another one"
    return _difference(report, again)


def reproduced_table(report: TraceReport, path: Path, *, edges: Path | None = None) -> str:
    """Trace the table again as the report was made; return "" for the same bytes, or what differs.

    Raises what `run.trace_table` does, MalformedError too for a report of which nothing can be traced again.
    """
    was = report.looked.table
    if was is None or not report.vantages:
        raise MalformedError("there is no table that this report is of, or it does not say how that was read")
    if digest_of(path) != was.digest:
        return f"the table is another one: {path.name} has other bytes"
    if edges is not None and was.edges is not None and digest_of(edges) != was.edges.digest:
        return f"the edges are others: {edges.name} has other bytes"
    return _difference(report, trace_table(path, _asked(report), columns=was.columns, edges=edges))


def _asked(report: TraceReport) -> Asked:
    """Return what a report was asked for, but for vantage points and disclosures, which a table has not.

    Raise MalformedError for a seed that no trace takes.
    """
    if report.seed < 0:
        raise MalformedError(
            f"a seed of {report.seed} is below 0", code="trace.seed", hint="nobody traced with it"
        )
    return Asked(
        identities=report.asked,
        seed=report.seed,
        threshold_bits=report.vantages[-1].model.threshold_bits,
        cap=report.vantages[-1].hub_cap,
    )


def _difference(report: TraceReport, again: TraceReport) -> str:
    """Say in what a second report differs; "" for the same bytes."""
    if to_json(again) == to_json(report):
        return ""
    if again.versions != report.versions:
        changed = sorted(name for name, one in again.versions.items() if report.versions.get(name) != one)
        return f"another result, with other versions of {', '.join(changed)}"
    differing = [name for name in report.__struct_fields__ if getattr(again, name) != getattr(report, name)]
    return f"another result in: {', '.join(differing)}"
