"""The command line as a whole, and the one place where errors become lines and exit codes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from pseudoledger.cli.failure import DONE, INTERRUPTED, interrupted, report

SUMMARY = (
    "A ledger of compute leases between parties known only by their keys: signed, chained, proved, and"
    " verifiable offline by anybody."
)
MODULES = (
    "ledger",
    "identity",
    "statements",
    "pool",
    "offer",
    "demand",
    "broker",
    "bid",
    "lease",
    "lease_change",
    "lease_show",
    "delivery",
    "usage",
    "invoice",
    "invoice_show",
    "payment",
    "agenda",
    "receipts",
    "market",
    "demo",
    "bench",
)
"""Modules whose `APPS` make up the command line, in the order of the help; those not installed are left out."""


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
    for name in MODULES:
        if find_spec(f"pseudoledger.cli.{name}") is not None:
            for part in import_module(f"pseudoledger.cli.{name}").APPS:
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
    """Run one command and return its exit code; every error ends here as clear lines on stderr."""
    try:
        answer = get_command(build()).main(args=list(arguments), prog_name=program, standalone_mode=False)
    except TyperException as error:
        return report(error)
    except typer.Abort:
        return interrupted()
    except KeyboardInterrupt:
        return interrupted()
    except BrokenPipeError:
        return DONE
    except Exception as error:  # noqa: BLE001 - no traceback ever reaches a user
        return report(error)
    if answer == INTERRUPTED:
        return interrupted()
    return answer if isinstance(answer, int) else DONE


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:], program=Path(sys.argv[0]).name))
