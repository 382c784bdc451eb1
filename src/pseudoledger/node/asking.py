"""Asking a node over HTTP: bounded answers, retries where they are safe, errors in our own words.

Everything that is asked is idempotent (reading, and registering the same bytes), so a request that failed on
its way is sent again; what the node answered with a decision is not.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from pseudoledger.errors import Finding, MalformedError, PeerError, PeerUnreachable, RegistrationRefused

T = TypeVar("T")
Query: TypeAlias = Mapping[str, str | int | None]

ATTEMPTS = 5
"""Times that one request is sent, with growing pauses between."""
PAUSE_S = 0.2
PAUSE_MAX_S = 30.0
"""Longest pause, whatever Retry-After says."""
ANSWER_MAX = 64 * 1024 * 1024
"""Largest answer that is read."""

_PASSING = {429, 502, 503, 504}


class _FindingMade(msgspec.Struct, frozen=True):
    code: str
    message: str
    field: str = ""
    entry: int | None = None


class _Problem(msgspec.Struct, frozen=True):
    title: str = ""
    detail: str = ""
    findings: tuple[_FindingMade, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What a node answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def pause_s(self) -> float | None:
        """After how many seconds to come again, where the node says so."""
        said = self.headers.get("retry-after", "")
        return min(float(said), PAUSE_MAX_S) if said.isdecimal() and len(said) < 10 else None

    def elsewhere(self) -> str | None:
        """Return the URL of Location, if it is one of the same node; raise PeerError if it is of another."""
        said = self.headers.get("location")
        if said is None:
            return None
        try:
            url = urljoin(self.url, said)
            same = urlsplit(url)[:2] == urlsplit(self.url)[:2]
        except ValueError as error:
            raise PeerError(f"{self.url}: the node sends us to what is no address ({error})") from error
        if not same:
            raise PeerError(f"{self.url}: the node sends us to another, {url}")
        return url


class Asking:
    """A connection to one node. One thread at a time uses it."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout_s: float = 30.0,
        certificates: Path | None = None,
        attempts: int = ATTEMPTS,
        http: httpx.Client | None = None,
    ) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
            raise MalformedError(
                f"{url!r} is no URL of a node", code="node.url", hint="http(s)://host[:port]"
            )
        self.url = url.rstrip("/")
        self._attempts = attempts
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            trusted = ssl.create_default_context(cafile=certificates)
        except (OSError, ssl.SSLError) as error:
            raise PeerUnreachable(f"{certificates}: not a file of certificates ({error})") from error
        self._http = http or httpx.Client(timeout=timeout_s, verify=trusted, follow_redirects=False)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def get(self, path: str, query: Query | None = None, *, accept: str = "application/json") -> Answered:
        """Get something, by a path below the node's URL or a whole URL of the node; None leaves a parameter out."""
        said = {name: str(value) for name, value in (query or {}).items() if value is not None}
        return self._ask("GET", path, accept=accept, query=said)

    def post(
        self, path: str, body: bytes, *, sends: str, accept: str, query: Mapping[str, str] | None = None
    ) -> Answered:
        """Send something whose repetition changes nothing."""
        return self._ask("POST", path, accept=accept, query=query or {}, body=body, sends=sends)

    def json(self, kind: type[T], path: str, query: Query | None = None) -> T:
        """Get JSON of one form; raise PeerError if it is of another, or if there is nothing there."""
        answer = self.get(path, query)
        if answer.status != 200:
            raise self.refusal(answer)
        return self.decoded(kind, answer)

    def decoded(self, kind: type[T], answer: Answered) -> T:
        """Return the JSON of an answer; raise PeerError if it is of another form."""
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise PeerError(f"{answer.url}: not an answer of a node ({error})") from error

    def refusal(self, answer: Answered) -> Exception:
        """Return what an answer that is no success means, as one of our errors."""
        try:
            problem = msgspec.json.decode(answer.body, type=_Problem)
        except (msgspec.DecodeError, RecursionError):
            problem = _Problem()
        said = problem.detail or problem.title or f"status {answer.status}"
        where = f"{answer.url}: {said[:2000]}"
        if answer.status == 400 and problem.findings:
            return RegistrationRefused(
                [
                    Finding(code=item.code, message=item.message, field=item.field, entry=item.entry)
                    for item in problem.findings
                ]
            )
        if answer.status in {401, 403}:
            return PeerError(where, hint="the node's operator gives out write tokens")
        if answer.status in {400, 413, 415, 422}:
            return MalformedError(where, code="node.refused")
        if answer.status in _PASSING:
            return PeerUnreachable(where, hint="send it again later: nothing is registered twice")
        return PeerError(where)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        accept: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        sends: str = "",
    ) -> Answered:
        url = path if path.startswith(("http://", "https://")) else f"{self.url}{path}"
        headers = {"Accept": accept, **({"Content-Type": sends} if sends else {})}
        if method == "POST":
            headers |= self._headers
        try:
            request = self._http.build_request(
                method, url, params=query or None, content=body, headers=headers
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise PeerUnreachable(
                f"{url[:200]!r} cannot be asked for ({error})", hint="check the URL"
            ) from error
        pause = PAUSE_S
        for attempt in range(1, self._attempts + 1):
            last = attempt == self._attempts
            try:
                answer = self._send(request)
            except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
                # What is no trouble on the way comes again: an address of a redirection that is none, for one.
                passing = isinstance(error, httpx.TransportError)
                if last or not passing or isinstance(error, httpx.UnsupportedProtocol):
                    raise PeerUnreachable(
                        f"{self.url}: the node cannot be reached ({type(error).__name__}: {error})",
                        hint="is the URL right, and does the node run? sending again is safe",
                    ) from error
                wait = pause
            else:
                if answer.status not in _PASSING or last:
                    return answer
                wait = pause if answer.pause_s is None else answer.pause_s
            time.sleep(wait)
            pause = min(pause * 2, PAUSE_MAX_S)
        raise AssertionError("the last attempt returns or raises")

    def _send(self, request: httpx.Request) -> Answered:
        response = self._http.send(request, stream=True)
        try:
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > ANSWER_MAX:
                    raise PeerError(f"{request.url}: the answer is larger than {ANSWER_MAX} bytes")
        finally:
            response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answered(status=response.status_code, headers=headers, body=bytes(body), url=str(request.url))
