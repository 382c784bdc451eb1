"""The founder's side of witnessing: asks the witnesses of a policy to cosign the newest checkpoint.

All are asked at once, each with a consistency proof from the size that it cosigned last; one that knows another
size says so (409) and is asked again. As soon as the quorum is met the rest have a moment more, then the
checkpoint is handed on with every cosignature there is. A witness that is away, slow or wrong is a line in the
status: it is asked again later, less and less often, and never keeps anything from being registered.

Nothing that a witness answers is believed: a cosignature is verified by the key in the policy.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx

from pseudoledger.errors import PseudoledgerError, VerificationError
from pseudoledger.ledger.checkpoint import add_signatures, parse_checkpoint
from pseudoledger.ledger.note import (
    NOTE_BYTES_MAX,
    NoteSignature,
    SignedNote,
    format_note,
    parse_note,
    parse_signatures,
    verify_note,
)
from pseudoledger.ledger.policy import NO_QUORUM, PolicyWitness, TrustPolicy
from pseudoledger.ledger.tree import consistency_proof
from pseudoledger.node.add_checkpoint import Submission, format_submission
from pseudoledger.node.node import WitnessStanding
from pseudoledger.node.reading import Reader
from pseudoledger.node.upstream import REFUSED

ANSWER_SECONDS = 5.0
"""How long a witness may take for one checkpoint."""
GRACE_SECONDS = 0.5
"""How long the rest may still take once the quorum is met."""
REFRESH_SECONDS = 600
"""Age at which a cosignature is asked for anew, so that its time shows that the ledger has not stopped."""
WAIT_SECONDS_MAX = 60.0
"""Longest time after which a witness that failed is asked again."""
TRIES = 3
"""Requests to one witness for one checkpoint: it may correct the size, and grow meanwhile."""

_SIZE = re.compile(rb"(0|[1-9][0-9]{0,18})\n")
_log = logging.getLogger("pseudoledger.node")

Publish = Callable[[bytes], Awaitable[bool]]
"""Takes a cosigned checkpoint and stores it durably; tells whether it is the newest one still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Head:
    """The newest published checkpoint."""

    note: SignedNote
    size: int


class _Witness:
    """What is known about one witness."""

    def __init__(self, policy: PolicyWitness) -> None:
        self.policy = policy
        self.size = 0
        """Size that it is believed to have cosigned last."""
        self.cosigned: int | None = None
        """Largest size that it is known to have cosigned."""
        self.text = b""
        """What `line` signs."""
        self.line: NoteSignature | None = None
        self.answered_at = 0
        """When it answered, by our clock; its own is not ours to trust."""
        self.trouble = "" if policy.url else "the policy names no URL for it"
        self.failures = 0
        self.not_before = 0.0

    def took(self, head: _Head, line: NoteSignature, at: int) -> None:
        self.text, self.line, self.answered_at = head.note.text, line, at
        self.size = self.cosigned = head.size
        self.trouble, self.failures, self.not_before = "", 0, 0.0

    def failed(self, trouble: str, now: float) -> None:
        self.trouble = trouble
        self.failures += 1
        self.not_before = now + min(WAIT_SECONDS_MAX, 2.0 ** min(self.failures, 10))

    def has(self, head: _Head) -> bool:
        return self.line is not None and self.text == head.note.text


class Cosigner:
    """Collects the cosignatures of one ledger. Used by one event loop; what it tells may be read by any thread."""

    def __init__(
        self,
        *,
        policy: TrustPolicy,
        reader: Reader,
        publish: Publish,
        client: httpx.AsyncClient | None = None,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        """Ask the witnesses of `policy` about the ledger that `reader` reads; `clock` tells seconds since 1970."""
        self._policy, self._reader, self._publish, self._clock = policy, reader, publish, clock
        self._client = client or httpx.AsyncClient(timeout=ANSWER_SECONDS)
        self._witnesses = [_Witness(witness) for witness in policy.witnesses]
        self._met: bool | None = None
        self._published = b""

    @property
    def witnesses(self) -> tuple[WitnessStanding, ...]:
        """How each witness of the policy stands."""
        return tuple(
            WitnessStanding(
                name=item.policy.name, url=item.policy.url, cosigned_size=item.cosigned, trouble=item.trouble
            )
            for item in self._witnesses
        )

    @property
    def quorum_met(self) -> bool | None:
        """Whether the newest checkpoint looked at carries enough cosignatures; None where none is asked for."""
        return self._met

    async def run(self, *, every_seconds: float = 1.0) -> None:
        """Collect for ever: until it is cancelled. Witnesses that failed are left in peace for a while."""
        try:
            while True:
                now = asyncio.get_running_loop().time()
                try:
                    await self._round([item for item in self._witnesses if item.not_before <= now])
                except PseudoledgerError as error:
                    _log.error("no cosignatures were collected", extra={"reason": error.message})
                await asyncio.sleep(every_seconds)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections to the witnesses. Idempotent; `run` does it by itself."""
        await self._client.aclose()

    async def round(self) -> bool:
        """Ask every witness that has not cosigned the newest checkpoint; tell whether the quorum is met.

        Raises StoreError if the ledger cannot be read or written; never because of a witness.
        """
        return await self._round(self._witnesses)

    async def _round(self, asked: Sequence[_Witness]) -> bool:
        head = await asyncio.to_thread(self._head)
        if head is None:
            return self._policy.quorum == NO_QUORUM
        old = self._clock() - REFRESH_SECONDS
        waiting = {
            asyncio.create_task(self._ask(item, head))
            for item in asked
            if item.policy.url and not (item.has(head) and item.answered_at > old)
        }
        try:
            while waiting:
                timeout = GRACE_SECONDS if self._is_met(head) else None
                done, waiting = await asyncio.wait(
                    waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
                )
                for task in done:
                    task.result()
                if not done:
                    break
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        met = self._is_met(head)
        self._met = None if self._policy.quorum == NO_QUORUM else met
        if met:
            await self._hand_on(head)
        return met

    def _head(self) -> _Head | None:
        """Read the newest checkpoint, without the cosignatures that it may have; and who cosigned one before."""
        with self._reader.view() as view:
            raw = view.store.checkpoint()
        if raw is None:
            return None
        note = parse_note(raw)
        names = {(item.policy.key.name, item.policy.key.key_id) for item in self._witnesses}
        bare = tuple(line for line in note.signatures if (line.name, line.key_id) not in names)
        return _Head(note=SignedNote(text=note.text, signatures=bare), size=parse_checkpoint(note.text).size)

    def _is_met(self, head: _Head) -> bool:
        return self._policy.is_met([item.policy.name for item in self._witnesses if item.has(head)])

    async def _hand_on(self, head: _Head) -> None:
        lines = [item.line for item in self._witnesses if item.line is not None and item.has(head)]
        cosigned = format_note(add_signatures(head.note, lines))
        if lines and cosigned != self._published:
            await self._publish(cosigned)
            self._published = cosigned

    async def _ask(self, witness: _Witness, head: _Head) -> None:
        """Ask one witness; whatever goes wrong becomes its trouble."""
        loop = asyncio.get_running_loop()
        trouble = "answers too slowly"
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                trouble = await self._converse(witness, head)
        except TimeoutError:
            trouble = f"no answer within {ANSWER_SECONDS:g} s"
        except REFUSED as error:
            trouble = f"out of reach: {error or type(error).__name__}"
        except VerificationError as error:
            trouble = f"its cosignature is wrong: {error.message}"
        except PseudoledgerError as error:
            trouble = f"its answer cannot be read: {error.message}"
        finally:
            if trouble:
                witness.failed(trouble, loop.time())

    async def _converse(self, witness: _Witness, head: _Head) -> str:
        """Ask until there is a cosignature; return "" or the trouble."""
        for _ in range(TRIES):
            if witness.size > head.size:
                return (
                    f"has cosigned {witness.size} entries, this ledger has published {head.size}:"
                    " is this a restored backup?"
                )
            request = await asyncio.to_thread(self._request, witness.size, head)
            status, body = await self._post(witness.policy.url, request)
            if status == 200:
                return self._take(witness, head, body)
            match = _SIZE.fullmatch(body)
            if status != 409 or match is None:
                said = body[:200].decode("utf-8", "replace").strip()
                return f"refuses with status {status}: {said}"
            witness.size = int(match[1])
        return "names another size each time"

    def _request(self, old: int, head: _Head) -> bytes:
        with self._reader.view() as view:
            proof = consistency_proof(old, head.size, view.store.hashes) if old else ()
        return format_submission(Submission(old=old, proof=proof, note=head.note))

    async def _post(self, url: str, request: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body, of which no more is read than a note may have."""
        body = bytearray()
        address = f"{url.rstrip('/')}/add-checkpoint"
        plain = {"accept-encoding": "identity", "content-type": "text/plain; charset=utf-8"}
        async with self._client.stream("POST", address, content=request, headers=plain) as response:
            async for part in response.aiter_bytes():
                body += part
                if len(body) > NOTE_BYTES_MAX:
                    break
        return response.status_code, bytes(body)

    def _take(self, witness: _Witness, head: _Head, body: bytes) -> str:
        key = witness.policy.key
        lines = tuple(
            line for line in parse_signatures(body) if (line.name, line.key_id) == (key.name, key.key_id)
        )
        if not lines:
            return f"answers without a cosignature of {key.name}"
        verify_note(SignedNote(text=head.note.text, signatures=lines), [key])
        witness.took(head, lines[0], self._clock())
        return ""
