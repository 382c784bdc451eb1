"""The command line as a whole, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import io
import os
import sqlite3
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from pseudoledger.cli import (
    agenda,
    asset,
    bench,
    bid,
    broker,
    bundle,
    claim,
    delivery,
    delivery_times,
    demand,
    demo,
    disclosure,
    dispute,
    export,
    gate,
    govern,
    identity,
    identity_acts,
    invoice,
    invoice_ageing,
    invoice_export,
    invoice_show,
    lease,
    lease_change,
    lease_report,
    lease_show,
    ledger,
    market,
    market_board,
    market_dispatch,
    market_match,
    mirror,
    offer,
    pack,
    payment,
    policy,
    pool,
    quota,
    receipts,
    reports,
    review,
    serve,
    stake,
    statements,
    trace,
    usage,
    verify,
    voucher,
    voucher_office,
    voucher_show,
    witness,
    world,
)
from pseudoledger.cli.failure import DONE, INTERRUPTED, interrupted, report
from pseudoledger.errors import PseudoledgerError

SUMMARY = (
    "A ledger of compute leases between parties known only by their keys: signed, chained, proved, and"
    " verifiable offline by anybody."
)
PARTS = (
    ledger,
    serve,
    mirror,
    verify,
    govern,
    identity,
    identity_acts,
    claim,
    gate,
    disclosure,
    statements,
    pool,
    stake,
    quota,
    offer,
    demand,
    broker,
    bid,
    lease,
    lease_change,
    lease_show,
    lease_report,
    delivery,
    delivery_times,
    asset,
    usage,
    invoice,
    invoice_ageing,
    invoice_export,
    invoice_show,
    voucher,
    voucher_office,
    voucher_show,
    payment,
    dispute,
    agenda,
    receipts,
    bundle,
    policy,
    witness,
    market,
    market_board,
    market_dispatch,
    market_match,
    review,
    pack,
    trace,
    reports,
    world,
    demo,
    export,
    bench,
)
"""Modules whose `APPS` make up the command line, in the order of the help."""


def build() -> typer.Typer:
    """Put the whole command line together."""
    app = typer.Typer(
        name="pl",
        help=SUMMARY,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for module in PARTS:
        for part in module.APPS:
            app.add_typer(part)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        print(f"pseudoledger {version('pseudoledger')}")  # noqa: T201 - the answer itself
        raise typer.Exit


def _root(
    *,
    _: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


_root.__doc__ = SUMMARY


def run(arguments: Sequence[str], *, program: str = "pl") -> int:
    """Run one command and return its exit code; every error made on purpose ends here as clear lines."""
    try:
        answer = get_command(build()).main(args=list(arguments), prog_name=program, standalone_mode=False)
    except BrokenPipeError:
        return DONE
    except (TyperException, PseudoledgerError, OSError, sqlite3.Error) as error:
        return report(error)
    except (typer.Abort, KeyboardInterrupt):
        return interrupted()
    if answer == INTERRUPTED:
        return interrupted()
    return answer if isinstance(answer, int) else DONE


def last_resort(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Stand in for Python's own trace: one line that asks for a report. The exit code is 1 all the same."""
    if isinstance(error, Exception):
        report(error)
    else:
        sys.__excepthook__(kind, error, trace)


def _open_outputs() -> None:
    """Let every text be written: to nowhere where an output was closed, spelled out where its encoding lacks signs."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - to the end
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line of this process."""
    sys.excepthook = last_resort
    _open_outputs()
    name = Path(sys.argv[0]).name
    sys.exit(run(sys.argv[1:], program="pseudoledger" if name == "__main__.py" else name))
