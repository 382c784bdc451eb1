"""A mirror: follows a node or its static files, believes only what it has verified, and serves that on.

One thread follows: it polls the upstream, then exchanges checkpoints and fork proofs with the peers. A split
view ends the following until the operator decides; whatever was verified before is served all the while.
"""

from __future__ import annotations

import json
import logging
import re
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import SystemRandom
from types import FrameType
from typing import NoReturn

import anyio.to_thread
from fastapi import FastAPI

from pseudoledger.contract.things import LedgerState
from pseudoledger.errors import (
    ConflictError,
    InconsistentCheckpoint,
    MalformedError,
    PseudoledgerError,
    SplitView,
    StoreError,
)
from pseudoledger.identity.files import sync_directory
from pseudoledger.ledger.checkpoint import Checkpoint, parse_checkpoint
from pseudoledger.ledger.database import DATABASE
from pseudoledger.ledger.description import DESCRIPTION
from pseudoledger.ledger.export import COSIGNED
from pseudoledger.ledger.fork import PROOF_BYTES_MAX, parse_fork
from pseudoledger.ledger.note import NOTE_BYTES_MAX, parse_note
from pseudoledger.ledger.tiles import TileHashes
from pseudoledger.node.app import create_app
from pseudoledger.node.belief import Believer, Clock
from pseudoledger.node.forks import PROOFS_MAX, Forks, Weighed, check_commitment
from pseudoledger.node.forward import Forwarder
from pseudoledger.node.founder import now_of
from pseudoledger.node.front import Front
from pseudoledger.node.limits import Buckets
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.node import MirrorStanding, Node, Role, Standing
from pseudoledger.node.reading import Reader
from pseudoledger.node.scrapi import Gate
from pseudoledger.node.serving import Listening, serve, set_up_logging
from pseudoledger.node.sync import Contradicted, Progress, Sync, Synced
from pseudoledger.node.upstream import Upstream
from pseudoledger.node.watching import standing_of

POLL_S = 1.0
"""Time between two looks at the upstream, which publishes at most once a second."""
BACKOFF_MAX_S = 60.0
"""Longest time between two looks while something is wrong."""
COSIGNED_S = 10.0
"""Shortest time between two looks at the last cosigned checkpoint."""
JITTER = 0.25
_LIST_BYTES_MAX = 128 * PROOFS_MAX
_ANSWER_BYTES_MAX = 4096

_PROOF = re.compile(r"[0-9a-f]{64}\.json", re.ASCII)
_log = logging.getLogger("pseudoledger.node.mirror")


def system_clock() -> int:
    """Return the time in milliseconds since 1970."""
    return int(time.time() * 1000)


class Mirror:
    """The follower of one upstream and the writer of one directory. One thread at a time calls it."""

    def __init__(
        self,
        url: str,
        directory: Path,
        *,
        key: str | None = None,
        peers: Sequence[str] = (),
        clock: Clock = system_clock,
    ) -> None:
        """Open the directory, or make it; nothing is fetched yet.

        `key` is the did:key of the ledger key from a source that is trusted. Raises StoreBusy if another process
        writes the directory, PeerUnreachable if a URL is none.
        """
        self.directory, self.url, self._key = directory, url, key
        self.forks = Forks(directory / "forks")
        with ExitStack() as held:
            self._upstream = Upstream(url)
            held.callback(self._upstream.close)
            self._peers = [Upstream(peer) for peer in peers]
            for peer in self._peers:
                held.callback(peer.close)
            self._believer = Believer(directory, clock)
            self._held = held.pop_all()
        self._posted: dict[str, bytes] = {}
        self._heard = {peer.url: MirrorStanding(url=peer.url) for peer in self._peers}
        self._behind = ""
        self._ask_cosigned_at = 0.0

    def close(self) -> None:
        """Let directory and connections go. Idempotent."""
        self._held.close()
        self._believer.close()

    @property
    def state(self) -> LedgerState | None:
        """The ledger's own state; None as long as nothing is believed."""
        return self._believer.state

    def standing(self) -> Standing:
        """Return how the mirror stands; any thread may ask."""
        names = self.forks.undecided()
        held = (
            f"the ledger has shown two histories (fork proof {names[0]}); this is the last state that was verified"
            " before, until the operator decides"
            if names
            else ""
        )
        return Standing(
            upstream=self.url, behind=self._behind, held=held, mirrors=tuple(self._heard.values())
        )

    def once(self, progress: Progress | None = None) -> Synced:
        """Catch up with the upstream, and hear the peers.

        Raises SplitView while a fork proof waits for the operator's decision, else as `Sync.run`.
        """
        self._check_held()
        try:
            synced = Sync(
                self._upstream, self._believer, key=self._key, accepted=self.forks.decided().accepted
            ).run(progress)
        except Contradicted as error:
            self._weigh(error)
        except PseudoledgerError as error:
            self._behind = error.message
            raise
        self._keep_cosigned()
        ahead = max([self._claims(), *map(self._hear, self._peers)])
        self._check_held()
        if synced.offered < synced.size:
            self._behind = (
                f"{self.url} shows an older checkpoint, of {synced.offered} entries; {synced.size} are held"
            )
        elif ahead > synced.size:
            self._behind = f"a checkpoint of {ahead} entries is known, signed by the ledger, which {self.url} does not show"
        else:
            self._behind = ""
        return synced

    def follow(self, stop: threading.Event) -> None:
        """Catch up again and again until told to stop; what goes wrong is said by `standing`."""
        try:
            self._follow(stop)
        finally:
            if not stop.is_set():
                self._behind = "this mirror has stopped following, by a fault of its own: see its log"

    def _follow(self, stop: threading.Event) -> None:
        wait, said = POLL_S, ""
        while not stop.wait(wait * SystemRandom().uniform(1 - JITTER, 1 + JITTER)):
            try:
                self.once()
            except PseudoledgerError as error:
                trouble = error.message
                wait = min(2 * wait, BACKOFF_MAX_S)
            else:
                trouble, wait = self._behind, POLL_S
            if trouble and trouble != said:
                _log.warning("not up to date", extra={"reason": trouble})
            said = trouble

    def interrupt(self) -> None:
        """Let whatever is being fetched fail soon, so that the following can stop."""
        for upstream in (self._upstream, *self._peers):
            upstream.interrupt()

    def _check_held(self) -> None:
        names = self.forks.undecided()
        if names:
            raise self._split(names[0])

    def _split(self, name: str) -> SplitView:
        proof = json.loads(self.forks.read(name) or b"{}")
        first, second = (json.dumps(proof.get(one)).encode() for one in ("first", "second"))
        return SplitView(
            f"the ledger has shown two histories; the proof is {self.forks.directory / name}",
            first=first,
            second=second,
            hint=f"ask others what they hold, then: pl fork accept {self.directory} CHECKPOINT",
        )

    def _weigh(self, error: Contradicted) -> NoReturn:
        """Keep the proof that the upstream's checkpoint gives; raises SplitView or InconsistentCheckpoint."""
        state = self._believer.state
        assert state is not None, "it contradicts what is held"
        weighed, name = self.forks.weigh(error.note, self._believer.store, state, error.read)
        if weighed is Weighed.FORK:
            raise self._split(name)
        self._behind = f"{self.url} shows another history than the one held here"
        raise InconsistentCheckpoint(
            self._behind,
            hint=f"if it is the accepted one: pl fork accept {self.directory} CHECKPOINT --start-over",
        )

    def _keep_cosigned(self) -> None:
        """Keep the last checkpoint with cosignatures that the upstream has: proofs are made from it."""
        now = time.monotonic()
        if now < self._ask_cosigned_at:
            return
        self._ask_cosigned_at = now + COSIGNED_S
        store, state = self._believer.store, self._believer.state
        assert state is not None, "a sync has ended well"
        try:
            note = self._upstream.get(COSIGNED, NOTE_BYTES_MAX)
            if note != store.cosigned() and self.forks.weigh(note, store, state)[0] is Weighed.AGREES:
                store.keep_cosigned(note)
        except StoreError:
            raise
        except PseudoledgerError:
            # Whoever mirrors relies on no cosignature; static files and other programs may have no such file.
            return

    def _claims(self) -> int:
        state = self._believer.state
        return 0 if state is None else self.forks.weigh_claims(self._believer.store, state)

    def _hear(self, peer: Upstream) -> int:
        """Exchange checkpoints and proofs with a peer; return the size that it shows if all is well with it."""
        store, state = self._believer.store, self._believer.state
        assert state is not None, "a sync has ended well"
        try:
            note = peer.checkpoint()
            said = check_commitment(note, state)
            read = TileHashes(said.size, said.root, peer.fetch).read if said.size > store.size else None
            weighed, _ = self.forks.weigh(note, store, state, read)
            self._heard[peer.url] = standing_of(peer.url, said.size, weighed, store.size)
            self._pull_proofs(peer, state)
            own = store.checkpoint()
            if own is not None and self._posted.get(peer.url) != own:
                peer.post("peer/checkpoint", own, "text/plain; charset=utf-8", _ANSWER_BYTES_MAX)
                self._posted[peer.url] = own
        except StoreError:
            raise
        except PseudoledgerError as error:
            # What a peer says counts only as far as it is signed by the ledger: anything else is its own trouble.
            _log.warning("peer", extra={"peer": peer.url, "reason": error.message})
            self._heard[peer.url] = replace(self._heard[peer.url], trouble=error.message)
            return 0
        finally:
            peer.forget()
        return said.size

    def _pull_proofs(self, peer: Upstream, state: LedgerState) -> None:
        """Fetch and keep the proofs that a peer has and this mirror has not."""
        try:
            listed = json.loads(peer.get("forks", _LIST_BYTES_MAX))
            names = [name for name in map(str, listed["forks"][:PROOFS_MAX]) if _PROOF.fullmatch(name)]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise MalformedError(f"{peer.url} lists its fork proofs in another form") from error
        known = set(self.forks.names())
        for name in names:
            if name not in known:
                self.forks.keep(parse_fork(peer.get(f"forks/{name}", PROOF_BYTES_MAX)), state)


def accept(directory: Path, checkpoint: bytes, *, start_over: bool = False) -> Checkpoint:
    """Take the operator's decision for a history: the one that contains this checkpoint.

    With `start_over` the copy held is put aside, to mirror the accepted history from its beginning. Raises
    ConflictError if the copy held contradicts the checkpoint, InvalidSignature if the ledger did not sign it.
    """
    believer = Believer(directory, system_clock)
    try:
        state = believer.state
        if state is None:
            raise StoreError(f"{directory} holds no ledger yet", hint="mirror one into it first")
        check_commitment(checkpoint, state)
        said = parse_checkpoint(parse_note(checkpoint).text)
        differs = said.size <= believer.size and believer.root_at(said.size) != said.root
        if differs and not start_over:
            raise ConflictError(
                f"{directory} holds another history than this checkpoint's",
                hint="--start-over puts the copy aside and mirrors the accepted history from its beginning",
            )
        Forks(directory / "forks").decide(checkpoint)
        size = believer.size
    finally:
        believer.close()
    if start_over:
        _put_aside(directory, size)
    return said


def _put_aside(directory: Path, size: int) -> None:
    """Move database and description into a folder of their own."""
    aside = directory / f"aside-{size}"
    try:
        aside.mkdir(exist_ok=True)
        for name in (f"{DATABASE}-wal", f"{DATABASE}-shm", DATABASE, DESCRIPTION):
            if (directory / name).exists():
                (directory / name).replace(aside / name)
        sync_directory(directory)
    except OSError as error:
        raise StoreError(f"{aside}: {error.strerror}", hint="move the files by hand") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What the operator of a serving mirror decided."""

    listening: Listening = field(default_factory=Listening)
    token: str = ""
    """Write token that the founder's node gave this mirror."""
    rate: float = 100
    """Statements a second that one address may send."""
    burst: float = 1_000
    cors_origins: tuple[str, ...] = ()
    log_requests: bool = False


def follow(mirror: Mirror) -> None:
    """Follow without serving, until SIGTERM or SIGINT."""
    stop = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        mirror.interrupt()

    set_up_logging(requests=False)
    _on_signals(end)
    mirror.follow(stop)


def serve_mirror(mirror: Mirror, serving: Serving) -> None:
    """Follow and serve, until SIGTERM or SIGINT. Raises StoreError if the port cannot be had."""
    set_up_logging(requests=serving.log_requests)
    state = mirror.state
    assert state is not None, "it has caught up once"
    # The server stops by itself, then raises the signal once more for whoever handled it before: nobody.
    _on_signals(lambda _number, _frame: None)
    serve(mirror_app(mirror, serving), serving.listening, f"serving {state.origin}")


def _on_signals(handler: Callable[[int, FrameType | None], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)


def mirror_app(mirror: Mirror, serving: Serving) -> Front:
    """Build the application of a mirror that has caught up once; it follows on while it serves."""
    metrics, reader, stop = Metrics(), Reader(mirror.directory), threading.Event()
    forwarder = Forwarder(mirror.url, reader, mirror.forks, token=serving.token)
    follower = threading.Thread(target=mirror.follow, args=(stop,), name="mirror")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        """Follow while it serves; whatever is stored is whole when it ends."""
        follower.start()
        try:
            yield
        finally:
            stop.set()
            mirror.interrupt()
            await anyio.to_thread.run_sync(follower.join)
            await forwarder.close()
            reader.close()

    def size() -> int:
        with reader.view() as view:
            return view.store.size

    metrics.size.set_function(size)
    node = Node(
        reader=reader,
        submitter=forwarder,
        role=Role.MIRROR,
        now=now_of(reader, _clock_of(mirror)),
        forks=mirror.forks.directory,
        standing=mirror.standing,
    )
    gate = Gate(buckets=Buckets(serving.rate, serving.burst))
    return create_app(node, gate=gate, metrics=metrics, origins=serving.cors_origins, lifespan=lifespan)


def _clock_of(mirror: Mirror) -> Callable[[], int]:
    """Return the clock of the ledger: a simulated one stands still between its blocks."""
    state = mirror.state
    simulated = state is not None and state.pins.read_policy().clock == "simulated"
    return (lambda: 0) if simulated else system_clock
