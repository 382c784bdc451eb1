"""Reading one ledger directory from many threads: each answer sees one state of it, whole blocks only."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pseudoledger.contract.book import Book
from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import StoreCorrupt, StoreError
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
        with ExitStack() as held:
            store = self._begin(held)
            yield View(store, Book(store))

    def _begin(self, held: ExitStack) -> Store:
        """Begin a snapshot on an idle connection, or on a new one.

        A connection that cannot read on may only be too old: another program has given the database a table of
        its own, as Litestream does, and this connection reads no schema that changes under it. A new one does.
        """
        with suppress(queue.Empty, StoreCorrupt):
            return self._enter(self._idle.get_nowait(), held)
        return self._enter(Store.open_reader(self.directory), held)

    def _enter(self, store: Store, held: ExitStack) -> Store:
        snapshot = store.snapshot()
        try:
            snapshot.__enter__()
        except BaseException:
            store.close()
            raise
        held.callback(self._let_go, store)
        held.push(snapshot)
        return store

    def _let_go(self, store: Store) -> None:
        if self._closed:
            store.close()
        else:
            self._idle.put(store)

    def checkpoint(self) -> bytes | None:
        """Return the newest published checkpoint; for one thread, the event loop's.

        It is kept until the database changes, so that any number may ask for it at almost no cost.
        """
        try:
            return self._look()
        except StoreCorrupt:
            # Only too old, maybe, as in `_begin`.
            self._watching.close()
            self._watching, self._version = Store.open_reader(self.directory), None
            return self._look()

    def _look(self) -> bytes | None:
        version = data_version(self._watching)
        if version != self._version:
            self._newest, self._version = self._watching.checkpoint(), version
        return self._newest

    def close(self) -> None:
        """Close what is idle; views in use are closed when they end."""
        self._closed = True
        self._watching.close()
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
