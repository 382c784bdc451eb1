"""How commands fail: one clear line on stderr for each reason, what to do next, and the exit code.

0 done · 1 a check failed or a statement was refused · 2 wrong use · 3 a peer or file could not be reached.
130 is an interruption, as shells expect it.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import traceback

from typer.exceptions import TyperException

from pseudoledger.cli.show import errors
from pseudoledger.errors import (
    MalformedError,
    PeerError,
    PseudoledgerError,
    RegistrationRefused,
    SplitView,
    StoreCorrupt,
    StoreError,
)

DONE, CHECK_FAILED, WRONG_USE, UNREACHABLE, INTERRUPTED = 0, 1, 2, 3, 130


class WrongUse(PseudoledgerError):
    """The command line itself is wrong: an argument that cannot be read, or names nothing."""


def exit_code(error: Exception) -> int:
    """Return the exit code of an error."""
    match error:
        case WrongUse():
            return WRONG_USE
        case StoreCorrupt() | SplitView():
            return CHECK_FAILED
        case StoreError() | PeerError() | OSError() | sqlite3.Error():
            return UNREACHABLE
        case TyperException():
            return int(error.exit_code)
        case _:
            return CHECK_FAILED


def report(error: Exception) -> int:
    """Print an error as its reasons, one per line, and return the exit code."""
    if os.environ.get("PSEUDOLEDGER_DEBUG") == "1":
        traceback.print_exception(error)
    for line in _lines(error):
        errors(line)
    return exit_code(error)


def _lines(error: Exception) -> list[str]:
    match error:
        case RegistrationRefused(findings=findings):
            return [f"refused: {finding}" for finding in findings]
        case MalformedError(findings=findings) if len(findings) > 1 or error.field:
            return [*(f"error: {_one_line(str(item))}" for item in findings), *_hint(error.hint)]
        case PseudoledgerError():
            word = "wrong use" if isinstance(error, WrongUse) else "error"
            return [f"{word}: {_one_line(error.message)}", *_hint(error.hint)]
        case TyperException():
            return _usage_lines(error)
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return [f"error: {where}{error.strerror or error}"]
        case sqlite3.Error():
            return [f"error: the ledger's database could not be used: {_one_line(str(error))}"]
        case _:
            return [
                f"error: a fault in pseudoledger itself ({type(error).__name__}: {_one_line(str(error))[:200]})",
                *_hint("please report it with the trace that PSEUDOLEDGER_DEBUG=1 prints"),
            ]


def _usage_lines(error: TyperException) -> list[str]:
    if type(error).__name__ == "NoArgsIsHelpError":
        return []
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "pl"
    return [f"wrong use: {_one_line(error.format_message())}", *_hint(f"{path} --help")]


def _hint(text: str) -> list[str]:
    return [f"  hint: {_one_line(text)}"] if text else []


def _one_line(text: str) -> str:
    return " ".join(text.split())


def interrupted() -> int:
    """Say that the command was interrupted, and return the exit code."""
    print("interrupted", file=sys.stderr)  # noqa: T201 - the console may be what was interrupted
    return INTERRUPTED
