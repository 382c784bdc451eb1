"""`bench`: measure the hot paths, each beside its goal and as a share of a limit taken in the same run."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from pseudoledger.bench.measure import Figure
from pseudoledger.bench.proofs import bench_proofs
from pseudoledger.bench.register import bench_register
from pseudoledger.bench.review import bench_review
from pseudoledger.bench.verify import bench_verify
from pseudoledger.cli.command import JsonOption, plain
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import Row, progress, say
from pseudoledger.identity.keys import cores

app = typer.Typer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One bench: what it does and how many entries it takes where nothing else is said."""

    run: Callable[..., Iterator[Figure]]
    entries: int
    watched: bool = False
    """Whether it says how far it is."""


def _bench_serve(directory: Path, *, entries: int) -> Iterator[Figure]:
    # The web framework takes half a second to import, which no other command should wait for.
    from pseudoledger.bench.serve import bench_serve

    return bench_serve(directory, entries=entries)


def _bench_sync(directory: Path, *, entries: int) -> Iterator[Figure]:
    from pseudoledger.bench.sync import bench_sync

    return bench_sync(directory, entries=entries)


def _bench_dispatch(directory: Path, *, entries: int) -> Iterator[Figure]:
    # So does the solver.
    from pseudoledger.bench.dispatch import bench_dispatch

    return bench_dispatch(directory, entries=entries)


def _bench_trace(directory: Path, *, entries: int) -> Iterator[Figure]:
    # And so do the libraries of the extra, which need not be there.
    from pseudoledger.cli.trace import need_extra

    need_extra()
    from pseudoledger.bench.trace import bench_trace

    return bench_trace(directory, entries=entries)


BENCHES = {
    "register": Bench(run=bench_register, entries=20_000),
    "verify": Bench(run=bench_verify, entries=100_000),
    "review": Bench(run=bench_review, entries=100_000, watched=True),
    "proofs": Bench(run=bench_proofs, entries=1_000_000),
    "serve": Bench(run=_bench_serve, entries=40_000),
    "sync": Bench(run=_bench_sync, entries=60_000),
    "dispatch": Bench(run=_bench_dispatch, entries=10_000),
    "trace": Bench(run=_bench_trace, entries=10_000),
}


@plain(
    app, "bench", examples=("pl bench", "pl bench register proofs --json", "pl bench proofs --entries 100000")
)
def bench(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Which: {', '.join(BENCHES)}; all without.")
    ] = None,
    *,
    entries: Annotated[
        int | None,
        typer.Option(
            "--entries",
            min=1_000,
            help="How many entries (of dispatch: demands; of trace: pseudonyms), instead of each bench's own.",
        ),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--in", help="Measure on the disk of this directory; it is left empty.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure the hot paths of this machine: medians of several runs, beside a limit taken in the same run.

    Figures are printed as they come, so that a bench which fails leaves those before it; with --json they are
    the elements of one array.

    Rates depend on the machine and on what else it does; compare the shares of the limit.
    """
    chosen = names or list(BENCHES)
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        raise WrongUse(f"there is no bench {unknown[0]!r}", hint=f"choose from: {', '.join(BENCHES)}")
    with _printed(as_json=as_json) as tell:
        for name in chosen:
            one = BENCHES[name]
            with (
                progress(name, None) as meter,
                tempfile.TemporaryDirectory(dir=directory, prefix="pl-bench-") as place,
            ):
                more = {"progress": meter.advance} if one.watched else {}
                for figure in one.run(Path(place), entries=entries or one.entries, **more):
                    tell(_row(name, figure))


@contextmanager
def _printed(*, as_json: bool) -> Iterator[Callable[[Row], None]]:
    """Print each figure as it comes; what was measured stands there, as valid JSON too, whatever fails later."""
    if as_json:
        opening = "[\n"

        def tell(row: Row) -> None:
            nonlocal opening
            sys.stdout.write(f"{opening} {json.dumps(row, ensure_ascii=False)}")
            sys.stdout.flush()
            opening = ",\n"

        try:
            yield tell
        finally:
            sys.stdout.write("[]\n" if opening == "[\n" else "\n]\n")
        return
    say(_line([title for title, _, _ in _COLUMNS]), style="bold")
    yield lambda row: say(_line([form(row) for _, form, _ in _COLUMNS]))
    say(
        f"{cores()} cores, {datetime.now(tz=UTC):%Y-%m-%d}; share = figure / limit of the same run",
        style="dim",
    )


def _line(texts: Sequence[str]) -> str:
    cells = [
        text.rjust(abs(width)) if width < 0 else text.ljust(width)
        for text, (_, _, width) in zip(texts, _COLUMNS, strict=True)
    ]
    return "  ".join(cells).rstrip()


def _row(bench_name: str, figure: Figure) -> Row:
    return {
        "bench": bench_name,
        "name": figure.name,
        "value": round(figure.value, 3),
        "unit": figure.unit,
        "goal": figure.goal,
        "met": figure.met,
        "limit": figure.limit,
        "limit_value": figure.limit_value,
        "share": None if figure.share is None else round(figure.share, 3),
    }


def _share(row: Row) -> str:
    return "" if row["share"] is None else f"{row['share']:.2f} of {row['limit']}"


_COLUMNS: tuple[tuple[str, Callable[[Row], str], int], ...] = (
    ("what", lambda row: str(row["name"]), 56),
    ("figure", lambda row: f"{row['value']:,.6g}", -9),
    ("unit", lambda row: str(row["unit"]), 16),
    ("goal", lambda row: str(row["goal"]), -8),
    ("met", lambda row: {True: "yes", False: "no", None: ""}[row["met"]], 3),
    ("share of the limit", _share, 18),
)
"""Title, form and width of what stands in a line; a negative width keeps to the right."""

APPS = (app,)
