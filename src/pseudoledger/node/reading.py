"""Reading one ledger directory from many threads: each answer sees one state of it, whole blocks only."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.contract.book import Book
from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import StoreError
from pseudoledger.ledger.query import data_version
from pseudoledger.ledger.store import Store


@dataclass(frozen=True, slots=True)
class View:
    """The ledger as of one block. Valid inside the `with` that made it, and in its thread."""

    store: Store
    book: Book

    @property
    def state(self) -> LedgerState:
        """The ledger's own state; raise StoreError if it was never founded."""
        state = self.book.ledger
        if state is None:
            raise StoreError(f"{self.store.path}: the ledger was never founded")
        return state


class Reader:
    """Gives views of one ledger directory, to any number of threads."""

    def __init__(self, directory: Path) -> None:
        """Open it once, so that what cannot be read is said at the start. Raises as Store.open_reader does."""
        self.directory = directory
        self._idle: queue.LifoQueue[Store] = queue.LifoQueue()
        self._idle.put(Store.open_reader(directory))
        self._closed = False
        self._watching = Store.open_reader(directory)
        self._version: int | None = None
        self._newest: bytes | None = None

    @contextmanager
    def view(self) -> Iterator[View]:
        """Look at the ledger as it stands now; what is written meanwhile is not seen."""
        try:
            store = self._idle.get_nowait()
        except queue.Empty:
            store = Store.open_reader(self.directory)
        try:
            with store.snapshot():
                yield View(store, Book(store))
        finally:
            if self._closed:
                store.close()
            else:
                self._idle.put(store)

    def checkpoint(self) -> bytes | None:
        """Return the newest published checkpoint; for one thread, the event loop's.

        It is kept until the database changes, so that any number may ask for it at almost no cost.
        """
        version = data_version(self._watching)
        if version != self._version:
            self._newest = self._watching.checkpoint()
            self._version = version
        return self._newest

    def close(self) -> None:
        """Close what is idle; views in use are closed when they end."""
        self._closed = True
        self._watching.close()
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
