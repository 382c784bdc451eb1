"""The founder's list of mirrors: asks each that its operator named for its checkpoint, and compares.

What is shown is what a mirror showed last, and whether the history that is held here contains it. A checkpoint
that the ledger signed and that contradicts it becomes a fork proof, as when a peer had sent it. A mirror that is
away is a line in the status and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import httpx

from pseudoledger.errors import PseudoledgerError
from pseudoledger.ledger.checkpoint import parse_checkpoint
from pseudoledger.ledger.note import NOTE_BYTES_MAX, parse_note
from pseudoledger.node.forks import Forks, Weighed
from pseudoledger.node.node import MirrorStanding
from pseudoledger.node.reading import Reader
from pseudoledger.node.upstream import REFUSED

ANSWER_SECONDS = 5.0
"""How long a mirror may take for its checkpoint."""
EVERY_SECONDS = 10.0
"""Time between two rounds: nothing waits for them."""

_log = logging.getLogger("pseudoledger.node")


class MirrorWatch:
    """Looks at the mirrors of one ledger. Used by one event loop; what it tells may be read by any thread."""

    def __init__(
        self, urls: Sequence[str], reader: Reader, forks: Path, client: httpx.AsyncClient | None = None
    ) -> None:
        """Ask the copies below `urls` about the ledger that `reader` reads; proofs go to `forks`."""
        self._reader, self._forks = reader, Forks(forks)
        self._client = client or httpx.AsyncClient(timeout=ANSWER_SECONDS)
        self._known = {url.rstrip("/"): MirrorStanding(url=url.rstrip("/")) for url in urls}

    @property
    def mirrors(self) -> tuple[MirrorStanding, ...]:
        """How each mirror stands, in the order in which they were named."""
        return tuple(self._known.values())

    async def run(self, *, every_seconds: float = EVERY_SECONDS) -> None:
        """Look for ever: until it is cancelled."""
        try:
            while True:
                await self.round()
                await asyncio.sleep(every_seconds)
        finally:
            await self._client.aclose()

    async def round(self) -> None:
        """Ask every mirror once."""
        for found in await asyncio.gather(*map(self._look, self._known)):
            if found.trouble and found.trouble != self._known[found.url].trouble:
                _log.warning("mirror", extra={"mirror": found.url, "reason": found.trouble})
            self._known[found.url] = found

    async def _look(self, url: str) -> MirrorStanding:
        """Ask one mirror; whatever goes wrong becomes its trouble, beside what it showed before."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                note = await self._fetch(url)
            return await asyncio.to_thread(self._compare, url, note)
        except TimeoutError:
            trouble = f"no answer within {ANSWER_SECONDS:g} s"
        except httpx.HTTPStatusError as error:
            trouble = f"answers with status {error.response.status_code}"
        except REFUSED as error:
            trouble = f"out of reach: {error or type(error).__name__}"
        except PseudoledgerError as error:
            trouble = f"its checkpoint is not believed: {error.message}"
        return replace(self._known[url], trouble=trouble)

    async def _fetch(self, url: str) -> bytes:
        """Return the checkpoint of a mirror, of which no more is read than a note may have."""
        body = bytearray()
        plain = {"accept-encoding": "identity"}
        async with self._client.stream("GET", f"{url}/checkpoint", headers=plain) as response:
            response.raise_for_status()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > NOTE_BYTES_MAX:
                    break
        return bytes(body)

    def _compare(self, url: str, note: bytes) -> MirrorStanding:
        """Weigh a checkpoint against what is held here. Raises VerificationError or MalformedError."""
        with self._reader.view() as view:
            weighed, _ = self._forks.weigh(note, view.store, view.state)
            held = view.store.size
        size = parse_checkpoint(parse_note(note).text).size
        return standing_of(url, size, weighed, held)


def standing_of(url: str, size: int, weighed: Weighed, held: int) -> MirrorStanding:
    """Say what a weighed checkpoint of a copy means, beside the `held` entries here."""
    match weighed:
        case Weighed.AGREES:
            return MirrorStanding(url=url, size=size, consistent=True)
        case Weighed.AHEAD:
            trouble = f"shows {size} entries, signed by this ledger; {held} are held here"
            return MirrorStanding(url=url, size=size, trouble=trouble)
        case Weighed.FORK | Weighed.CONTRADICTS:
            return MirrorStanding(url=url, size=size, consistent=False)
