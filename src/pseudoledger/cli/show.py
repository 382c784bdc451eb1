"""What commands print: tables and short facts for people, JSON for machines, from the same values.

Ids are whole in JSON and shortened in tables. Colour and progress appear on a terminal alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from rich import box
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from pseudoledger.statement.values import format_instant

ID_SHOWN = 12
"""Hex digits of an id in a table; enough to name it on the command line."""
WIDE_MIN = 26
"""Columns of the terminal that a column of free text gets at least."""
PIPED_WIDTH = 1_000
"""Columns when the output is no terminal: nothing is cut or folded."""

Row: TypeAlias = Mapping[str, Any]
"""One thing as it is printed in JSON."""


def console(*, stderr: bool = False) -> Console:
    """Return a console on the present stdout or stderr; plain and wide where that is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPED_WIDTH
    return Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=False, width=width)


def emit(renderable: RenderableType) -> None:
    """Print a table or grid; where that is no terminal, without the spaces that fill its last column."""
    screen = console()
    if screen.is_terminal:
        screen.print(renderable)
        return
    with screen.capture() as captured:
        screen.print(renderable)
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in captured.get().splitlines()))


def say(text: str, style: str = "") -> None:
    """Print one line for people."""
    console().print(Text(_clean(text), style=style), soft_wrap=True)


def errors(text: str) -> None:
    """Print one line on stderr."""
    style = "red" if text.startswith(("error", "refused", "wrong use")) else ""
    console(stderr=True).print(Text(_clean(text), style=style), soft_wrap=True)


def _clean(text: str) -> str:
    """Leave out what steers a terminal: a part of the text may come from a node."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


def print_json(value: Any) -> None:
    """Print a JSON value, indented, with the names in the order they were given."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table: its title and how a row is written in it."""

    title: str
    form: Callable[[Row], str]
    right: bool = False
    wide: bool = False
    """Whether it may be folded where the table is wider than the terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """Rows that print as a table for people and as a list for machines; `note` stands below the table."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    note: str = ""
    empty: str = "nothing"

    def data(self) -> Any:
        """Return the JSON value."""
        return list(self.rows)

    def print(self) -> None:
        """Print the table: rather a name on two lines than one that is cut off, and rather a list than bits."""
        if not self.rows:
            say(f"{self.title}: {self.empty}")
        else:
            cells = [[column.form(row) for row in self.rows] for column in self.columns]
            natural = [
                max(cell_len(line) for text in (column.title, *texts) for line in text.split("\n"))
                for column, texts in zip(self.columns, cells, strict=True)
            ]
            least = [
                min(width, WIDE_MIN) if column.wide else width
                for column, width in zip(self.columns, natural, strict=True)
            ]
            room = console().width - 2 * len(natural)
            if sum(min(width, ID_SHOWN) for width in natural) > room:
                self._print_stacked(cells)
            else:
                emit(self._table(cells, natural, fold=sum(least) > room))
        if self.note:
            say(self.note, style="dim")

    def _print_stacked(self, cells: list[list[str]]) -> None:
        """Print one row below the other, a line for each column that says something: for narrow terminals."""
        say(self.title, style="bold")
        for row in zip(*cells, strict=True):
            grid = Table.grid(padding=(0, 2))
            grid.add_column(style="dim", no_wrap=True)
            grid.add_column(overflow="fold")
            for column, cell in zip(self.columns, row, strict=True):
                if cell:
                    grid.add_row(Text(f"  {column.title}"), Text(cell))
            say("")
            emit(grid)

    def _table(self, cells: list[list[str]], natural: list[int], *, fold: bool) -> Table:
        """Make the table; `fold` lets columns be folded that are longer than an id or a date."""
        table = Table(
            title=self.title,
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            collapse_padding=True,
        )
        for column, width in zip(self.columns, natural, strict=True):
            kept = width <= ID_SHOWN if fold else not column.wide
            table.add_column(
                column.title,
                justify="right" if column.right else "left",
                no_wrap=kept,
                min_width=width if kept else ID_SHOWN if fold else min(width, WIDE_MIN),
                overflow="fold",
            )
        for row in zip(*cells, strict=True):
            table.add_row(*(Text(cell) for cell in row))
        return table


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Named facts: a two-column list for people, one object for machines; sheets may follow."""

    title: str
    facts: Sequence[tuple[str, str]]
    value: Row
    sheets: Sequence[Sheet] = ()
    note: str = ""
    style: str = "bold"

    def data(self) -> Any:
        """Return the JSON value."""
        return dict(self.value)

    def print(self) -> None:
        """Print the list."""
        say(self.title, style=self.style)
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, fact in self.facts:
            grid.add_row(Text(f"  {name}"), Text(fact))
        emit(grid)
        for sheet in self.sheets:
            sheet.print()
        if self.note:
            say(self.note, style="dim")


Shown: TypeAlias = Sheet | Facts
"""What a reading command returns."""


def present(shown: Shown, *, as_json: bool) -> None:
    """Print a result in the way asked for."""
    if as_json:
        print_json(shown.data())
    else:
        shown.print()


def short(text: str) -> str:
    """Shorten an id for a table."""
    return text[:ID_SHOWN]


def short_did(did: str) -> str:
    """Shorten a did:key so that its beginning can still be used as a name."""
    return did.removeprefix("did:key:")[:14] + "…"


def when(seconds: int | None) -> str:
    """Write a time for people, UTC: a date alone for its midnight, seconds only where it has any."""
    if seconds is None:
        return "-"
    text = format_instant(seconds)
    if seconds % 86_400 == 0:
        return text[:10]
    return f"{text[:10]} {text[11:16] if text[17:19] == '00' else text[11:19]}"


def money(minor: int, currency: str, exponents: Mapping[str, int]) -> str:
    """Write an amount of minor units with its currency, e.g. 12873.60 USD."""
    exponent = exponents.get(currency, 0)
    sign, digits = ("-" if minor < 0 else ""), str(abs(minor)).rjust(exponent + 1, "0")
    whole = digits if exponent == 0 else f"{digits[:-exponent]}.{digits[-exponent:]}"
    return f"{sign}{whole} {currency}"


def price(micro: int, currency: str) -> str:
    """Write a price per unit and hour, with at least two decimals."""
    whole, rest = divmod(micro, 1_000_000)
    return f"{whole}.{f'{rest:06}'.rstrip('0').ljust(2, '0')} {currency}/h"


def hours(unit_seconds: int) -> str:
    """Write unit-seconds as unit-hours, with two decimals, cut off; the exact seconds stand in JSON."""
    return f"{unit_seconds // 3600}.{unit_seconds % 3600 * 100 // 3600:02} h"


@dataclass(slots=True)
class Meter:
    """Progress of a long task; silent where stderr is no terminal."""

    advance: Callable[[int, int | None], None] = field(default=lambda _done, _total: None)
    """Told how much is done, and of how much where that became known."""


@contextmanager
def progress(what: str, total: int | None) -> Iterator[Meter]:
    """Show progress on stderr while the block runs, if that is a terminal."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield Meter()
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=screen, transient=True) as bars:
        task = bars.add_task(what, total=total)
        yield Meter(advance=lambda done, of: bars.update(task, completed=done, total=of))


def listed(items: Iterable[str]) -> str:
    """Join names for a sentence; a dash for none."""
    return ", ".join(items) or "-"
