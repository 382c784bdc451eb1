"""Checking a report: its citations against the tree it names, that tree against the ledger's signature, and all anew.

What is checked here needs the report alone, with the checkpoint in it; `reproduced` needs the ledger too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pseudoledger.audit.review.reading import Progress
from pseudoledger.audit.trace.report.cite import broken_citations
from pseudoledger.audit.trace.report.run import Asked, trace_ledger
from pseudoledger.audit.trace.report.values import TraceReport, to_json
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
        return
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
    asked = Asked(
        identities=report.asked,
        vantages=tuple(parse_vantage(one.vantage) for one in report.vantages),
        disclosures=disclosures,
        seed=report.seed,
        threshold_bits=report.vantages[-1].model.threshold_bits,
        cap=report.vantages[-1].hub_cap,
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
    if to_json(again) == to_json(report):
        return ""
    if again.looked.digest != report.looked.digest:
        return f"the ledger's tree of {report.looked.entries} entries is another one"
    if again.versions != report.versions:
        changed = sorted(name for name, one in again.versions.items() if report.versions.get(name) != one)
        return f"another result, with other versions of {', '.join(changed)}"
    differing = [name for name in report.__struct_fields__ if getattr(again, name) != getattr(report, name)]
    return f"another result in: {', '.join(differing)}"
