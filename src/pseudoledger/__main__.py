"""The way in: `pl`, `pseudoledger` and `python -m pseudoledger`.

The command line takes a moment to be imported. Whoever interrupts it meanwhile gets a word, not a trace.
"""

from __future__ import annotations

import sys

INTERRUPTED = 130
"""As in `cli.failure`, which is not imported yet where it is needed here."""


def main() -> None:
    """Import the command line and run it."""
    try:
        from pseudoledger.cli.main import main as run  # noqa: PLC0415 - what an interruption may hit
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(INTERRUPTED)
    run()


if __name__ == "__main__":
    main()
