"""`trace`: how far identities can be traced, as a report in JSON and as pages, signed if wanted."""

from __future__ import annotations

import contextlib
import importlib.util
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.verifier import Verdict
from pseudoledger.cli import trace_options as options
from pseudoledger.cli.command import JsonOption, plain
from pseudoledger.cli.desk import Desk, read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import Column, Facts, Row, Sheet, errors, present, progress
from pseudoledger.cli.values import did
from pseudoledger.cli.verify import run_check, stop_unverified
from pseudoledger.errors import MalformedError, PeerUnreachable
from pseudoledger.identity.keys import Signer

if TYPE_CHECKING:
    from pseudoledger.audit.trace.engine import Engine
    from pseudoledger.audit.trace.report.card import Looker
    from pseudoledger.audit.trace.report.run import Asked
    from pseudoledger.audit.trace.report.values import TraceReport
    from pseudoledger.audit.trace.roles import Columns
    from pseudoledger.audit.trace.vantage import Vantage

app = typer.Typer()
APPS = (app,)
EXTRA = ("duckdb", "numpy", "pyarrow", "scipy", "splink")
SPARK = "pyspark"


@plain(
    app,
    "trace",
    examples=(
        "pl trace market --out trace",
        "pl trace market --vantage public --vantage auditor --disclosures kept/disclosures --out trace --as auditor",
        "pl trace --observations sales.parquet --token account --out trace",
    ),
)
def trace(
    directory: options.LedgerArgument = None,
    *,
    out: options.OutFolder,
    observations: options.ObservationsOption = None,
    identity: options.IdentityOption = None,
    vantage: options.VantageOption = None,
    disclosures: options.DisclosuresOption = None,
    weigh: options.WeighOption = None,
    unverified: options.UnverifiedOption = False,
    key: options.KeyOption = None,
    against: options.AgainstOption = None,
    name: options.SignerOption = None,
    seed: options.SeedOption = 1,
    threshold: options.ThresholdOption = 4.0,
    cap: options.CapOption = 6,
    memory: options.MemoryOption = "",
    engine: options.EngineOption = options.EngineName.DUCKDB,
    identity_column: options.IdentityColumn = "identity",
    time_column: options.TimeColumn = "time",
    group_column: options.GroupColumn = "group",
    token: options.TokenColumns = None,
    counterparty: options.CounterpartyColumns = None,
    text: options.TextColumns = None,
    ignore: options.IgnoredColumns = None,
    edges: options.EdgesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Trace: who else is probably the same party, on what evidence, how sure, and how well each is hidden.

    A ledger is verified first; one that is broken is not traced unless --unverified is given. A verdict speaks of
    evidence, never of guilt. The same ledger, seed and libraries give the same report, byte for byte,
    whichever engine works.
    """
    need_extra(engine)
    from pseudoledger.audit.trace.report.run import Asked
    from pseudoledger.audit.trace.roles import Columns

    asked = Asked(
        identities=tuple(dict.fromkeys(identity or ())),
        vantages=tuple(_vantage(one) for one in vantage or ()),
        disclosures=read_disclosures(disclosures or ()),
        seed=seed,
        threshold_bits=threshold,
        cap=cap,
        memory_limit=memory,
        weigh=weigh,
    )
    columns = Columns(
        identity=identity_column,
        time=time_column,
        group=group_column,
        token=tuple(token or ()),
        counterparty=tuple(counterparty or ()),
        text=tuple(text or ()),
        ignore=tuple(ignore or ()),
    )
    checks = unverified or key is not None or bool(against)
    _fits(directory, observations, table=columns != Columns() or edges is not None, checks=checks)
    signer = _signer(name)
    if directory is not None:
        report = _ledger(directory, asked, engine, unverified=unverified, key=key, against=against or [])
    else:
        report = _table(observations, asked, engine, columns, edges)
    present(_shown(report, _write(out, report, signer)), as_json=as_json)
    for one in report.disclosures:
        if not one.sound:
            errors(f"disclosure not used: {one.statement[:12]}: {one.problem}")


def _fits(directory: Path | None, observations: Path | None, *, table: bool, checks: bool) -> None:
    """Raise WrongUse unless one thing is named, without options that say nothing of it.

    `table` tells whether any of a table was given, `checks` whether any of how a ledger is verified.
    """
    if (directory is None) == (observations is None):
        raise WrongUse(
            "name a ledger's directory or --observations, one of them", hint="pl trace market --out trace"
        )
    if directory is not None and table:
        raise WrongUse(
            "a ledger has no columns to name and no edges beside it", hint="leave these options out"
        )
    if observations is not None and checks:
        raise WrongUse(
            "a table is not verified, so --unverified, --key and --against say nothing of it",
            hint="leave them out",
        )


def need_extra(engine: options.EngineName = options.EngineName.DUCKDB) -> None:
    """Raise WrongUse where the libraries of the extra, or what the engine needs, are not installed."""
    missing = [name for name in EXTRA if importlib.util.find_spec(name) is None]
    if missing:
        raise WrongUse(
            f"tracing needs {', '.join(missing)}, which this installation does not have",
            hint='pip install "pseudoledger[trace]"',
        )
    if engine is options.EngineName.SPARK:
        _need_spark()


def _need_spark() -> None:
    if importlib.util.find_spec(SPARK) is None:
        raise WrongUse(
            f"--engine spark needs {SPARK}, which this installation does not have",
            hint='pip install "pseudoledger[trace,spark]"; --engine duckdb gives the same result',
        )
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java" if home is None else str(Path(home) / "bin" / "java")) is None:
        raise WrongUse(
            f"--engine spark needs Java, and there is none {'on the PATH' if home is None else 'in JAVA_HOME'}",
            hint="install Java 17 or newer, or set JAVA_HOME; --engine duckdb gives the same result",
        )


@contextlib.contextmanager
def _running(engine: options.EngineName) -> Iterator[Engine]:
    """Start an engine, and stop it at the end."""
    if engine is options.EngineName.SPARK:
        from pseudoledger.audit.trace.spark import spark_engine

        with spark_engine() as started:
            yield started
    else:
        from pseudoledger.audit.trace.engine import DUCKDB

        yield DUCKDB


def _signer(name: str | None) -> Signer | None:
    if name is None:
        return None
    with contextlib.closing(Desk(None)) as desk:
        return desk.signer(name)


def _ledger(
    directory: Path,
    asked: Asked,
    engine: options.EngineName,
    *,
    unverified: bool,
    key: str | None,
    against: list[Path],
) -> TraceReport:
    from pseudoledger.audit.trace.report.run import trace_ledger

    if key is not None:
        did(key, "--key")
    kept = [read_file(path) for path in against]
    checked = None if unverified else run_check(directory, key=key, against=kept)
    if checked is not None and checked.verdict is not Verdict.VALID:
        stop_unverified(directory, checked, done="traced", does="traces")
    with progress("tracing", None) as meter, _running(engine) as running:
        return trace_ledger(
            directory,
            asked,
            engine=running,
            verified=checked is not None,
            size=None if checked is None else checked.entries,
            progress=meter.advance,
        )


def _vantage(text: str) -> Vantage:
    from pseudoledger.audit.trace.vantage import parse_vantage

    try:
        return parse_vantage(text)
    except MalformedError as error:
        raise WrongUse(f"--vantage: {error.message}", hint=error.hint) from None


def _table(
    path: Path | None, asked: Asked, engine: options.EngineName, columns: Columns, edges: Path | None
) -> TraceReport:
    from pseudoledger.audit.trace.report.run import trace_table

    assert path is not None, "the caller has looked"
    if asked.vantages or asked.disclosures or asked.weigh is not None:
        raise WrongUse("a table has no vantage points and no disclosures", hint="leave these options out")
    with progress("tracing", None), _running(engine) as running:
        return trace_table(path, asked, columns=columns, edges=edges, engine=running)


def _write(out: Path, report: TraceReport, signer: Signer | None) -> dict[str, Path]:
    """Write the report, its pages and its signature into a folder."""
    from pseudoledger.audit.trace.report.page import LANGUAGES, to_html
    from pseudoledger.audit.trace.report.signature import sign_report
    from pseudoledger.audit.trace.report.values import to_json

    raw = to_json(report)
    files = {"json": out / "trace.json"}
    contents = {"json": raw}
    for language in LANGUAGES:
        files[language] = out / f"trace.{language}.html"
        contents[language] = to_html(report, language)
    if signer is not None:
        files["signature"] = out / "trace.json.sig"
        contents["signature"] = sign_report(signer, raw, at=int(time.time()))
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, file in files.items():
            file.write_bytes(contents[name])
        if signer is None:
            # The signature of an earlier report would not fit this one.
            (out / "trace.json.sig").unlink(missing_ok=True)
    except OSError as error:
        raise PeerUnreachable(
            f"{error.filename or out}: {error.strerror}", hint="name a folder that you may write"
        ) from error
    return files


def _shown(report: TraceReport, files: dict[str, Path]) -> Facts:
    main = report.vantages[-1]
    hubs = len(main.hubs) + main.hubs_left_out
    rows: list[Row] = [
        {
            "identity": one.name,
            "label": one.label,
            "verdict": one.verdict,
            "says": one.says,
            "entropy_bits": one.measures.entropy_bits,
            "effective": one.measures.effective,
            "guess_1": one.measures.guess_1,
            "candidates": [candidate.name for candidate in one.candidates],
        }
        for one in report.identities
    ]
    value: dict[str, Any] = {
        "name": report.looked.name,
        "entries": report.looked.entries,
        "verified": report.looked.verified,
        "vantages": [one.vantage for one in report.vantages],
        "identities": main.identities,
        "verdicts": main.verdicts,
        "median_entropy_bits": main.median_entropy_bits,
        "deviation_bits": main.deviation_bits if main.estimated else None,
        "hub_cap": main.hub_cap,
        "hubs": hubs,
        "model": main.model.hash,
        "seed": report.seed,
        "shown": rows,
        "files": {name: str(path) for name, path in files.items()},
    }
    verdicts = ", ".join(f"{count:,} {name}" for name, count in main.verdicts.items() if count)
    facts = [
        ("read", f"{report.looked.entries:,} {'entries' if report.looked.kind == 'ledger' else 'records'}"),
        ("verified", report.looked.verification),
        ("seen from", ", then ".join(one.vantage for one in report.vantages)),
        ("identities", f"{main.identities:,}: {verdicts}"),
        (
            "median H",
            f"{main.median_entropy_bits:.2f} bits of {math.log2(main.identities):.2f}{_error(main)}",
        ),
        (
            "hub cap",
            f"{main.hub_cap}: {hubs:,} value{'' if hubs == 1 else 's'} of more holders join{'s' if hubs == 1 else ''} nobody",
        ),
        ("tracer itself", _self_test(report)),
        *((name, str(path)) for name, path in files.items()),
    ]
    sheet = Sheet(title="Traced furthest", columns=_COLUMNS, rows=rows)
    return Facts(title=f"Traced {report.looked.name}", facts=facts, value=value, sheets=(sheet,))


def _error(main: Looker) -> str:
    """Say how far off an estimated median is; nothing where all were scanned exactly."""
    return (
        f", estimated; off by {main.deviation_bits:.3f} bits (median of a sample)" if main.estimated else ""
    )


def _self_test(report: TraceReport) -> str:
    found = report.self_test
    if found is None:
        return "not tried: too few identities have records enough to be split in two"
    return f"found {found.found} of {found.planted} identities that were split in two, and {found.strangers} pairs of strangers"


_COLUMNS = (
    Column(title="identity", form=lambda row: str(row["label"] or row["identity"])),
    Column(title="verdict", form=lambda row: str(row["verdict"])),
    Column(title="H", form=lambda row: f"{row['entropy_bits']:.2f}", right=True),
    Column(title="hidden among", form=lambda row: f"{row['effective']:,.1f}", right=True),
    Column(title="best guess", form=lambda row: f"{row['guess_1']:.0%}", right=True),
)
