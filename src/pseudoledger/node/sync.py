"""Catching up with a node, or with any static copy of its tiles: fetch, verify, believe, in this order.

The tiles must hash to the root of the checkpoint and contain the tree that is held already, each bundle must
hash to its tile, and everything in it passes `belief`. The checkpoint itself is published when the ledger key
in force at its size, by the ledger's own statements, has signed it. A sync that ends early, however that
happens, has stored whole blocks, and the next one goes on behind them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from pseudoledger.errors import (
    InconsistentCheckpoint,
    InvalidSignature,
    MalformedError,
    PeerUnreachable,
    VerificationError,
)
from pseudoledger.ledger.checkpoint import Checkpoint, parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.tiles import (
    TILE_WIDTH,
    Bundle,
    Tile,
    TileHashes,
    bundles_of,
    format_path,
    parse_bundle,
    verify_bundle,
)
from pseudoledger.ledger.tree import Frontier, ReadHashes, hash_leaf, position_of, root
from pseudoledger.node.belief import Believer, Disbelieved, Part, last_block
from pseudoledger.node.ledger_keys import key_at, signed_by
from pseudoledger.statement.envelope import decode
from pseudoledger.statement.kinds.ledger import LedgerFounded
from pseudoledger.statement.payload import parse

GROUP = 8
"""Bundles that are judged and stored in one transaction, where blocks end in them."""
GROUPS_AHEAD = 3
"""Groups that are on their way at a time."""
WAITING_MAX = 262_144
"""Most entries that may wait for the block that seals them."""
WAITING_BYTES_MAX = 256 * 1024 * 1024
"""Their bytes, together."""

Progress = Callable[[int, int], None]
"""Told how many entries of how many are believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    """Where a mirror stands after a sync."""

    origin: str
    size: int
    """Entries held."""
    since: int
    """Entries held before."""
    offered: int
    """Size of the tree that was offered: smaller than `size` where an old checkpoint is shown."""


class Source(Protocol):
    """Where a sync reads from. Nothing that it says is believed."""

    def checkpoint(self) -> bytes:
        """Return the newest checkpoint. Raises PeerUnreachable."""

    def receipt(self, statement_id: str, /) -> bytes:
        """Return the receipt of an entry. Raises PeerUnreachable, also where there are none."""

    def prefetch(self, resources: Sequence[Tile | Bundle], /) -> None:
        """Begin to fetch what will be asked for soon."""

    def fetch(self, resources: Sequence[Tile | Bundle], /) -> Sequence[bytes]:
        """Return tiles or bundles, in the order asked. Raises PeerUnreachable."""

    def forget(self) -> None:
        """Drop what was fetched ahead and never asked for."""


class Contradicted(VerificationError):
    """A checkpoint signed by the ledger contradicts what is held. `read` reads its tree."""

    def __init__(self, note: bytes, said: Checkpoint, read: ReadHashes) -> None:
        super().__init__(
            f"a checkpoint of {said.size} entries, signed by the ledger, contradicts what is held here",
            hint="the ledger has shown two histories",
        )
        self.note, self.said, self.read = note, said, read


class Sync:
    """Catches up from one upstream. One thread at a time uses it."""

    def __init__(
        self,
        upstream: Source,
        believer: Believer,
        *,
        key: str | None = None,
        accepted: Checkpoint | None = None,
    ) -> None:
        """Follow `upstream`.

        `key` is the did:key of the ledger key from a source that is trusted, `accepted` a checkpoint that every
        tree followed has to contain.
        """
        self._upstream, self._believer = upstream, believer
        self._key, self._accepted = key, accepted

    def run(self, progress: Progress | None = None) -> Synced:
        """Catch up with what is offered now.

        Raises PeerUnreachable, MalformedError or a VerificationError: Contradicted where the ledger itself
        signed what contradicts the mirror, anything else where the upstream may be to blame.
        """
        since = self._believer.size
        note = self._upstream.checkpoint()
        said = parse_checkpoint(parse_note(note).text)
        try:
            self._follow(note, said, progress)
        finally:
            self._upstream.forget()
        state = self._believer.state
        assert state is not None, "a tree of one entry or more was believed"
        if self._key is not None and self._key not in (state.ledger_key, *(key for key, _ in state.retired)):
            raise InvalidSignature(
                f"the ledger key is {state.ledger_key}, never {self._key}", hint="check --key, or the URL"
            )
        return Synced(origin=said.origin, size=self._believer.size, since=since, offered=said.size)

    def _follow(self, note: bytes, said: Checkpoint, progress: Progress | None) -> None:
        believer, state = self._believer, self._believer.state
        if state is not None and said.origin != state.origin:
            raise InconsistentCheckpoint(
                f"the checkpoint is of {said.origin}, this directory mirrors {state.origin}",
                hint="mirror another ledger into another directory",
            )
        if said.size == 0:
            raise InconsistentCheckpoint("the checkpoint is of an empty tree: a ledger has its founding")
        signed = state is not None and signed_by(note, state.origin, key_at(state, said.size))
        if state is not None and said.size <= believer.size:
            if not signed:
                raise _unsigned(said)
            if believer.root_at(said.size) != said.root:
                raise Contradicted(note, said, TileHashes(said.size, said.root, self._upstream.fetch).read)
        else:
            hashes = TileHashes(said.size, said.root, self._upstream.fetch)
            self._compare(note, said, hashes, signed=signed)
            if state is None:
                self._meet(note, said, hashes)
            self._entries(said, hashes, progress)
            signed = False
        if said.size == believer.size:
            self._publish(note, said, signed=signed)

    def _compare(self, note: bytes, said: Checkpoint, hashes: TileHashes, *, signed: bool) -> None:
        """Check that a larger tree contains what is held, and what the operator accepted."""
        believer = self._believer
        if believer.size and root(believer.size, hashes.read) != believer.root():
            if signed:
                raise Contradicted(note, said, hashes.read)
            raise InconsistentCheckpoint(
                f"the tree of {said.size} entries that is offered does not contain what is held here, and is not"
                " signed by the ledger key in force"
            )
        accepted = self._accepted
        if accepted is None or accepted.size <= believer.size:
            return
        if said.size < accepted.size or root(accepted.size, hashes.read) != accepted.root:
            raise InconsistentCheckpoint(
                f"what is offered does not contain the accepted checkpoint of {accepted.size} entries"
            )

    def _meet(self, note: bytes, said: Checkpoint, hashes: TileHashes) -> None:
        """Compare what stands at the beginning with the key that the operator named, before anything else."""
        (raw,) = self._verified([Bundle(0, min(said.size, TILE_WIDTH))], hashes)
        try:
            founding = parse(decode(raw[0][0]).payload)
        except MalformedError as error:
            raise Disbelieved(f"entry 0: {error.message}", entry=0) from error
        if not isinstance(founding, LedgerFounded) or founding.origin != said.origin:
            raise Disbelieved(f"entry 0 does not found {said.origin}", entry=0)
        key = self._key or founding.ledger_key
        if key != founding.ledger_key and not signed_by(note, said.origin, key):
            raise InvalidSignature(f"the checkpoint is not signed by {key}", hint="check --key, or the URL")

    def _entries(self, said: Checkpoint, hashes: TileHashes, progress: Progress | None) -> None:
        """Fetch, verify and believe the entries up to the size of a checkpoint."""
        for size in self._believer.believe_all(self._parts(said, hashes)):
            if progress is not None:
                progress(size, said.size)

    def _parts(self, said: Checkpoint, hashes: TileHashes) -> Iterator[Part]:
        """Fetch entries, compare them with the tiles, and yield them as far as a block ends in them."""
        at = self._believer.size
        skip = at % TILE_WIDTH
        raws: list[bytes] = []
        leaves: list[bytes] = []
        for group in self._groups(bundles_of(said.size, at)):
            for entries, leaf_hashes in self._verified(group, hashes):
                raws += entries[skip:]
                leaves += leaf_hashes[skip:]
                skip = 0
            cut = last_block(raws)
            if cut:
                yield Part(raws[:cut], leaves[:cut])
                at += cut
                del raws[:cut], leaves[:cut]
            if len(raws) > WAITING_MAX or sum(map(len, raws)) > WAITING_BYTES_MAX:
                raise Disbelieved(
                    f"no block within {len(raws)} entries", entry=at, hint="this is not our ledger"
                )
        if raws:
            raise Disbelieved(f"the tree of {said.size} entries does not end in a block", entry=at)

    def _groups(self, bundles: Iterator[Bundle]) -> Iterator[list[Bundle]]:
        """Yield bundles some at a time, while the next ones are on their way."""
        ahead: deque[list[Bundle]] = deque()
        while True:
            while len(ahead) < GROUPS_AHEAD and (group := list(islice(bundles, GROUP))):
                self._upstream.prefetch(group)
                ahead.append(group)
            if not ahead:
                return
            yield ahead.popleft()

    def _verified(
        self, bundles: Sequence[Bundle], hashes: TileHashes
    ) -> list[tuple[tuple[bytes, ...], list[bytes]]]:
        """Return the entries of bundles with their leaf hashes, compared with the tiles.

        The 256 entries of a full bundle hash to one hash of a tile of level 1, so that the tiles of level 0 are
        needed for the right edge only.
        """
        full = [bundle for bundle in bundles if bundle.width == TILE_WIDTH]
        expected = iter(hashes.read([position_of(8, bundle.index) for bundle in full]))
        verified = []
        for bundle, raw in zip(bundles, self._upstream.fetch(bundles), strict=True):
            if bundle.width < TILE_WIDTH:
                leaf_hashes = hashes.leaf_hashes(bundle)
                verified.append((verify_bundle(bundle, raw, leaf_hashes), leaf_hashes))
                continue
            entries = parse_bundle(bundle, raw)
            leaf_hashes = list(map(hash_leaf, entries))
            if Frontier().store(leaf_hashes)[-1] != next(expected):
                raise InconsistentCheckpoint(f"{format_path(bundle)} does not hash to its tile")
            verified.append((entries, leaf_hashes))
        return verified

    def _publish(self, note: bytes, said: Checkpoint, *, signed: bool) -> None:
        """Publish a checkpoint of what is held, and ask for the head from which receipts are made."""
        believer, state = self._believer, self._believer.state
        assert state is not None, "there are entries"
        if not signed and not signed_by(note, state.origin, state.ledger_key):
            raise _unsigned(said)
        if believer.store.checkpoint() == note:
            return
        believer.publish(note)
        block = believer.store.last_block()
        assert block is not None, "what is believed ends in a block"
        entry = believer.store.entry(block.index)
        if block.signature or entry is None:
            return
        try:
            believer.keep_head(self._upstream.receipt(entry.id))
        except (PeerUnreachable, MalformedError, VerificationError):
            # Static files have none, and one that does not verify is none: receipts are for the founder to give.
            return


def _unsigned(said: Checkpoint) -> InvalidSignature:
    return InvalidSignature(
        f"the checkpoint of {said.size} entries is not signed by the ledger key in force at that size",
        hint="check the URL; the key is the one of the ledger's own statements",
    )
