"""Long lists in pages: how much is read, and which part of it is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from pseudoledger.contract.things import Thing
from pseudoledger.node.pages.site import Ask
from pseudoledger.node.reading import View

PER_PAGE = 25
"""Rows of one page of a list."""
READ_MAX = 20_000
"""Most things of one class that a page reads; where there are more, the page says that it saw only these."""

R = TypeVar("R")
T = TypeVar("T", bound=Thing)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed(Generic[R]):
    """One page of a list."""

    rows: Sequence[R]
    page: int
    pages: int
    total: int
    cut: bool = False
    """Whether the list was made from the first `READ_MAX` things alone."""

    @property
    def read_max(self) -> int:
        """How many things were looked at where the list is cut."""
        return READ_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Read(Generic[T]):
    """Things of one class, by key, as far as a page reads them."""

    things: Sequence[tuple[str, T]]
    cut: bool


def read_all(view: View, cls: type[T]) -> Read[T]:
    """Read the things of a class, at most `READ_MAX`."""
    found = list(islice(view.book.all(cls), READ_MAX + 1))
    return Read(things=found[:READ_MAX], cut=len(found) > READ_MAX)


def paged(rows: Iterable[R], ask: Ask, *, cut: bool = False) -> Listed[R]:
    """Return the page of a list that `?page=` asks for, the nearest there is."""
    everything = list(rows)
    return window(len(everything), ask, lambda first, count: everything[first : first + count], cut=cut)


def window(total: int, ask: Ask, read: Callable[[int, int], Sequence[R]], *, cut: bool = False) -> Listed[R]:
    """Return a page of a list of known length, reading that part alone: `read(first, count)`."""
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(1, ask.integer("page", 1)), pages)
    return Listed(rows=read((page - 1) * PER_PAGE, PER_PAGE), page=page, pages=pages, total=total, cut=cut)
