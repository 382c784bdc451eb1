"""Fetching from another node, or from any server of its static files, with a bound on everything.

Nothing that comes from here is believed: checkpoint, tiles and bundles are bytes until `sync` has verified them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx

from pseudoledger.errors import PeerUnreachable
from pseudoledger.ledger.note import NOTE_BYTES_MAX
from pseudoledger.ledger.receipt import RECEIPT_BYTES_MAX
from pseudoledger.ledger.tiles import ENTRY_BYTES_MAX, TILE_WIDTH, Bundle, Tile, format_path
from pseudoledger.ledger.tree import HASH_BYTES

CONNECTIONS = 4
"""Requests under way at a time."""
TIMEOUT_S = 10.0
"""Longest silence of the other side."""
BODY_S = 60.0
"""Longest time for one answer, however it trickles in."""
_NOT_FOUND = 404


REFUSED = (httpx.HTTPError, httpx.InvalidURL, ValueError)
"""What httpx raises for what another side says. It reads the address of a redirection that it does not follow, and for
one that is none raises what idna or urllib raises, which are ValueErrors."""


class NotThere(PeerUnreachable):
    """The other side answers, and has no such thing."""


class Upstream:
    """One server, by the URL below which `checkpoint` and `tile/` lie. Any thread may use it."""

    def __init__(self, url: str) -> None:
        """Take the URL; nothing is fetched yet. Raises PeerUnreachable if it is no http or https URL."""
        self.url = url.rstrip("/")
        if not self.url.startswith(("http://", "https://")):
            raise PeerUnreachable(f"{url} is no http or https URL", hint="give the URL of a node")
        self._client = httpx.Client(
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            headers={"accept-encoding": "identity"},
        )
        self._pool = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="upstream")
        self._ahead: dict[Tile | Bundle, Future[bytes]] = {}
        self._ended = threading.Event()

    def interrupt(self) -> None:
        """Let whatever is under way fail soon, and whatever comes."""
        self._ended.set()

    def close(self) -> None:
        """Let go of the connections. Idempotent."""
        self._ended.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def checkpoint(self) -> bytes:
        """Fetch the newest checkpoint. Raises PeerUnreachable."""
        return self.get("checkpoint", NOTE_BYTES_MAX)

    def receipt(self, statement_id: str) -> bytes:
        """Fetch the receipt of an entry. Raises NotThere, as static files have none, or PeerUnreachable."""
        return self.get(f"entries/{statement_id}", RECEIPT_BYTES_MAX)

    def prefetch(self, resources: Sequence[Tile | Bundle]) -> None:
        """Begin to fetch what will be asked for soon."""
        for resource in resources:
            if resource not in self._ahead:
                self._ahead[resource] = self._pool.submit(self._resource, resource)

    def forget(self) -> None:
        """Drop what was fetched ahead and never asked for."""
        for future in self._ahead.values():
            future.cancel()
        self._ahead.clear()

    def fetch(self, resources: Sequence[Tile | Bundle]) -> list[bytes]:
        """Fetch tiles or bundles, in the order asked (`tiles.FetchTiles`). Raises PeerUnreachable."""
        self.prefetch(resources)
        return [self._ahead.pop(resource).result() for resource in resources]

    def get(self, path: str, limit: int) -> bytes:
        """Fetch one body of at most `limit` bytes. Raises PeerUnreachable, for another status too."""
        return self._exchange("GET", path, limit)

    def post(self, path: str, body: bytes, content_type: str, limit: int) -> bytes:
        """Send a body and return the answer's. Raises PeerUnreachable."""
        return self._exchange("POST", path, limit, content=body, headers={"content-type": content_type})

    def _resource(self, resource: Tile | Bundle) -> bytes:
        return read_resource(resource, self.get)

    def _exchange(self, method: str, path: str, limit: int, **sent: Any) -> bytes:
        url = f"{self.url}/{path}"
        self._go_on(url)
        until = time.monotonic() + BODY_S
        try:
            with self._client.stream(method, url, **sent) as response:
                if response.status_code == _NOT_FOUND:
                    raise NotThere(f"{url}: not there (404)", hint="check the URL")
                if not response.is_success:
                    raise PeerUnreachable(f"{url}: answered {response.status_code}", hint="try again later")
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise PeerUnreachable(f"{url}: answered compressed, which was not asked for")
                return self._body(url, response, limit, until)
        except REFUSED as error:
            raise PeerUnreachable(
                f"{url}: {str(error) or type(error).__name__}", hint="check the URL, or try again later"
            ) from error

    def _go_on(self, url: str) -> None:
        if self._ended.is_set():
            raise PeerUnreachable(f"{url}: was left, as this program is stopping")

    def _body(self, url: str, response: httpx.Response, limit: int, until: float) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_raw():
            size += len(part)
            if size > limit:
                raise PeerUnreachable(f"{url}: answered more than {limit} bytes")
            if time.monotonic() > until:
                raise PeerUnreachable(f"{url}: took more than {BODY_S:.0f} s", hint="try again later")
            self._go_on(url)
            parts.append(part)
        return b"".join(parts)


def read_resource(resource: Tile | Bundle, get: Callable[[str, int], bytes]) -> bytes:
    """Read a tile or bundle by `get(path, limit)`, which raises NotThere where there is none."""
    width = resource.width
    each = HASH_BYTES if isinstance(resource, Tile) else ENTRY_BYTES_MAX + 2
    try:
        return get(format_path(resource), width * each)
    except NotThere:
        if width == TILE_WIDTH:
            raise
    # A partial tile may be gone once the full one is there, which then begins with the same bytes.
    whole = type(resource)(resource.level, resource.index) if isinstance(resource, Tile) else None
    if whole is not None:
        return get(format_path(whole), TILE_WIDTH * HASH_BYTES)[: width * HASH_BYTES]
    return _cut(get(format_path(Bundle(resource.index)), TILE_WIDTH * each), width)


def _cut(raw: bytes, width: int) -> bytes:
    """Cut a full bundle to its first entries; whatever does not fit is found out when it is parsed."""
    at = 0
    for _ in range(width):
        at += 2 + int.from_bytes(raw[at : at + 2])
    return raw[:at]
