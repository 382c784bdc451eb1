"""What all `list` commands share: which things, in which order, how many, and how a thing looks in JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from pydantic import BaseModel

from pseudoledger.cli.desk import Desk
from pseudoledger.cli.find import concerns, did_of, party_name
from pseudoledger.cli.show import Column, Row, Sheet, money, short, when
from pseudoledger.contract.things import Thing

T = TypeVar("T", bound=Thing)

DAY_SECONDS = 86_400
WEEK_SECONDS = 7 * DAY_SECONDS
"""How long a proposal or bid waits where nothing else is said."""

MineOption = Annotated[
    str | None,
    typer.Option(
        "--of", help="Only those that concern this party: key name, did or label.", show_default=False
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="Also those that are closed.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=1_000_000, help="Show at most so many.")]
LIMIT = 100


def things_of(
    desk: Desk,
    cls: type[T],
    *,
    of: str | None = None,
    keep: Callable[[str, T], bool] = lambda _key, _thing: True,
) -> Iterator[tuple[str, T]]:
    """Yield (id, thing) of a class, newest first, of one party where one is named."""
    party = desk.book.root_of(did_of(desk, of, "--of")) if of is not None else None
    found = [
        (key, thing)
        for key, thing in desk.book.all(cls)
        if keep(key, thing) and (party is None or concerns(desk, thing, party))
    ]
    yield from sorted(found, key=lambda item: getattr(item[1], "entry", 0), reverse=True)


def row_of(key: str, thing: Thing, **more: Any) -> dict[str, Any]:
    """Return a thing as JSON shows it: its id, what follows from it, and all that the book holds of it."""
    return {"id": key, **more, **{n: v for n, v in _plain(thing).items() if n not in more}}


def _plain(value: Any) -> Any:
    """Return a value of the book as JSON, defaults included: a field never comes and goes."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def cut(title: str, columns: tuple[Column, ...], rows: Sequence[Row], limit: int, *, empty: str) -> Sheet:
    """Make a sheet of the first rows, and say how many are left out."""
    left = len(rows) - limit
    note = f"{left} more; --limit {len(rows)} shows them" if left > 0 else ""
    return Sheet(title=title, columns=columns, rows=rows[:limit], note=note, empty=empty)


# Columns that several lists have


def id_column() -> Column:
    """The id, shortened so that it still names the thing."""
    return Column(title="id", form=lambda row: short(row["id"]))


def text(title: str, name: str) -> Column:
    """A field as it is."""
    return Column(title=title, form=lambda row: str(row.get(name, "") or "-"))


def party(desk: Desk, title: str) -> Column:
    """A party by its name; the field is named as the column."""
    return Column(title=title, form=lambda row: party_name(desk, row[title]) if row.get(title) else "-")


def time(title: str, name: str) -> Column:
    """A time in seconds."""
    return Column(title=title, form=lambda row: when(row.get(name)))


def last_day(title: str, name: str) -> Column:
    """A date that counts to its end: the day before the moment at which it is over."""
    return Column(title=title, form=lambda row: when(row[name] - DAY_SECONDS))


def amount(desk: Desk, title: str, name: str) -> Column:
    """An amount in minor units of the row's currency."""
    return Column(
        title=title,
        form=lambda row: money(row.get(name, 0), row["currency"], desk.tables.exponents),
        right=True,
    )


_HOST = MappingProxyType({"cpu_core": "cores", "memory_gib": "GiB memory", "storage_gib": "GiB storage"})


def lines_text(lines: Iterable[Row]) -> str:
    """Write resource lines in short: the chips one by one, cores, memory and storage added up."""
    chips, hosts = [], Counter[str]()
    for line in lines:
        options = line.get("alternatives") or [line]
        first = options[0].get("chip") or _HOST[options[0]["resource"]]
        if options[0].get("chip") is None:
            hosts[first] += line["count"]
        else:
            others = f" or {len(options) - 1} more" if len(options) > 1 else ""
            chips.append(f"{line['count']} x {first}{others}")
    return "\n".join(
        [*chips, *([", ".join(f"{count} {name}" for name, count in hosts.items())] if hosts else [])]
    )
