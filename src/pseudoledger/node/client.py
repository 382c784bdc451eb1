"""A small client of a node: hand statements in, and believe only what its receipts prove.

Submitting is safe to repeat, as the same bytes get the same answer; so whatever fails on its way is sent
again, within bounds. Success is reported once the receipt was verified with the ledger's key: the one that
the caller pins, or the one that the node names at first contact, which then is all that is known.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from pseudoledger.errors import (
    Finding,
    InvalidSignature,
    MalformedError,
    PeerError,
    PeerUnreachable,
    VerificationError,
)
from pseudoledger.identity.keys import key_from_did
from pseudoledger.ledger.checkpoint import VerifiedCheckpoint, log_key, verify_checkpoint
from pseudoledger.ledger.export import COSIGNED
from pseudoledger.ledger.receipt import RECEIPT_BYTES_MAX, decode_receipt, verify_receipt
from pseudoledger.ledger.transparent import detach
from pseudoledger.node.asking import ATTEMPTS, PAUSE_S, Answered, Asking, Query
from pseudoledger.node.known import Brought, KeyHistory, KnownLedger, read_history
from pseudoledger.node.spoken import NodeStatus, Page, Said, Thing, ThingsPage
from pseudoledger.registrar.answers import Answer, Refused, Registered
from pseudoledger.statement import envelope

BATCH_MAX = 1_000
BATCH_BYTES_MAX = 8 * 1024 * 1024
"""What goes into one request at most; more is sent in several."""
POLLS_MAX = 60
"""How often a node that is still sealing is asked."""
KEYS_MAX = 256
"""Changes of the ledger key that are followed."""
COSE = "application/cose"
_ERRORS = "application/problem+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """A statement that stands on the ledger: `receipt` was verified before this was made."""

    id: str
    index: int
    receipt: bytes
    known: bool | None
    """Whether it stood there before; None where the node does not say."""


class NodeClient:
    """A client of one node. One thread at a time uses it; close it, or use it as a context.

    Without `ledger_key` and `known`, the key that the node names is believed at first contact: compare
    `known` then with a source you trust, or keep it and give it the next time.
    """

    def __init__(
        self,
        url: str,
        *,
        ledger_key: str | None = None,
        known: KnownLedger | None = None,
        token: str | None = None,
        timeout_s: float = 30.0,
        certificates: Path | None = None,
        attempts: int = ATTEMPTS,
        http: httpx.Client | None = None,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            url: http(s)://host[:port][/path] of the node.
            ledger_key: did:key of the ledger, from a source you trust.
            known: what was learnt at an earlier contact.
            token: write token, where the node asks for one.
            timeout_s: seconds that connecting, sending or waiting for data may each take.
            certificates: PEM file of authorities to trust instead of the system's; TLS is always verified.
            attempts: times that a request is sent when it fails on its way or the node is busy.
            http: your own client, for a proxy or another transport; it is closed with this one.

        Raises:
            MalformedError: the URL or the key is none.
        """
        if ledger_key is not None:
            key_from_did(ledger_key)
        self._asking = Asking(
            url, token=token, timeout_s=timeout_s, certificates=certificates, attempts=attempts, http=http
        )
        self._pinned, self._known = ledger_key, known
        self._met: KnownLedger | None = None
        self._history: KeyHistory | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._asking.close()

    @property
    def url(self) -> str:
        """URL of the node."""
        return self._asking.url

    @property
    def asking(self) -> Asking:
        """The connection, for other questions to the same node."""
        return self._asking

    # The ledger

    @property
    def known(self) -> KnownLedger:
        """The ledger that this client talks about, met at need; keep it for the next time.

        Raises VerificationError if it is not the one that was pinned, and its own statements do not explain
        how the pinned key became the present one.
        """
        if self._met is None:
            self._met = self._meet()
        return self._met

    def status(self) -> NodeStatus:
        """Return what the node says of its ledger and itself."""
        return self._asking.json(NodeStatus, "/api/v1/status")

    def checkpoint(self) -> VerifiedCheckpoint:
        """Return the newest checkpoint, its signature by the ledger's key verified."""
        answer = self._asking.get("/checkpoint", accept="text/plain")
        if answer.status != 200:
            raise self._asking.refusal(answer)
        known = self.known
        return verify_checkpoint(
            answer.body, known.origin, [log_key(known.origin, key_from_did(known.ledger_key))]
        )

    def cosigned_checkpoint(self) -> VerifiedCheckpoint | None:
        """Return the newest checkpoint that witnesses cosigned, its signature by the ledger's key verified.

        None where the node has none, or one of an earlier ledger key. The cosignatures are for a policy to judge.
        """
        answer = self._asking.get(f"/{COSIGNED}", accept="text/plain")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._asking.refusal(answer)
        known = self.known
        key = log_key(known.origin, key_from_did(known.ledger_key))
        try:
            return verify_checkpoint(answer.body, known.origin, [key])
        except InvalidSignature:
            return None

    def _meet(self) -> KnownLedger:
        said = self.status()
        met = KnownLedger(origin=said.origin, ledger=said.ledger, ledger_key=said.ledger_key)
        if self._known is not None and (met.ledger, met.origin) != (self._known.ledger, self._known.origin):
            raise VerificationError(
                f"{self.url} serves another ledger than before: {met.origin} {met.ledger}, not"
                f" {self._known.origin} {self._known.ledger}",
                hint="ask its operator; a ledger never changes its id",
            )
        before = {self._known.ledger_key if self._known else None, self._pinned} - {None}
        # A key alone names no ledger: whoever repeats it may name another one, and statements would be signed for that.
        bound = self._known is not None or self._pinned is None
        if bound and before <= {met.ledger_key}:
            return met
        history = self._read_history(met.ledger)
        explained = before <= set(history.keys) and history.keys[-1] == met.ledger_key
        if not explained or history.origin != met.origin:
            raise VerificationError(
                f"{self.url} names the ledger key {met.ledger_key}, and no statement of the founder leads there"
                f" from {', '.join(sorted(filter(None, before)))}",
                hint="do not go on before the ledger's operator has explained this",
            )
        self._history = history
        return met

    def _read_history(self, ledger: str) -> KeyHistory:
        """Fetch what brought the ledger its keys, and check it."""
        cursor, changes = None, list[Brought]()
        while True:
            page = self._asking.json(
                Page, "/api/v1/statements", {"kind": "ledger.key_changed", "sort": "entry", "cursor": cursor}
            )
            changes += [self._brought(item.id) for item in page.items]
            cursor = page.next
            if cursor is None:
                return read_history(ledger, self._brought(ledger), changes)
            if len(changes) > KEYS_MAX or not page.items:
                raise PeerError(f"{self.url}: more than {KEYS_MAX} changes of the ledger key")

    def _brought(self, statement_id: str) -> Brought:
        return Brought(self.statement(statement_id), self._receipt(statement_id))

    # Statements in

    def submit(self, statement: bytes) -> Stands:
        """Register one signed statement and return where it stands, its receipt verified.

        Raises:
            RegistrationRefused: the ledger refused it; `findings` holds every reason.
            VerificationError: the node answered with a receipt that proves nothing of the kind.
            PeerUnreachable: the node cannot be reached, or is busy for too long; sending again is safe.
            MalformedError: the bytes are no signed statement.
        """
        bare = detach(statement).statement
        known = self.known
        answer = self._asking.post("/entries", bare, sends=COSE, accept=f"{COSE}, {_ERRORS}")
        if answer.status not in {200, 201}:
            answer = self._sealed(answer)
        return self._stands(bare, answer.body, known, said=None)

    def submit_many(self, statements: Sequence[bytes]) -> list[Stands | Refused]:
        """Register signed statements in order; return for each where it stands, or why it was refused.

        Raises as `submit` does, but for RegistrationRefused. After an error some may stand: send all again.
        """
        bare = [detach(raw).statement for raw in statements]
        known = self.known
        found: list[Stands | Refused] = []
        for raw, said in self._batches(bare, dry_run=False):
            refused = _refused(said)
            found.append(refused or self._stands(raw, self._bytes(said.receipt), known, said=said))
        return found

    def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Ask what submitting would answer; nothing is registered, and nothing of the answer is proved."""
        bare = [detach(raw).statement for raw in statements]
        answers: list[Answer] = []
        for raw, said in self._batches(bare, dry_run=True):
            refused = _refused(said)
            if refused is None and said.index is None:
                raise PeerError(f"{self.url}: an answer without an index")
            answers.append(
                refused or Registered(id=envelope.decode(raw).id, index=said.index or 0, known=said.known)
            )
        return answers

    def _batches(self, statements: Sequence[bytes], *, dry_run: bool) -> Iterator[tuple[bytes, Said]]:
        for batch in _cut(statements):
            answer = self._asking.post(
                "/api/v1/batch",
                b"".join(batch),
                sends="application/cose-seq",
                accept="application/json",
                query={"dry_run": "1"} if dry_run else {},
            )
            if answer.status != 200:
                raise self._asking.refusal(answer)
            said = self._asking.decoded(list[Said], answer)
            if len(said) != len(batch):
                raise PeerError(f"{self.url}: {len(said)} answers to {len(batch)} statements")
            yield from zip(batch, said, strict=True)

    def _sealed(self, answer: Answered) -> Answered:
        """Follow a registration that is still running (SCRAPI: 202, 302 or 303) to its receipt."""
        url = None
        for _ in range(POLLS_MAX):
            if answer.status not in {202, 302, 303}:
                break
            url = answer.elsewhere() or url
            if url is None:
                raise PeerError(f"{self.url}: registration runs, and the node does not say where to ask")
            time.sleep(PAUSE_S if answer.pause_s is None else answer.pause_s)
            answer = self._asking.get(url, accept=f"{COSE}, {_ERRORS}")
        if answer.status in {200, 201}:
            return answer
        if answer.status in {202, 302, 303}:
            raise PeerUnreachable(f"{self.url}: the node is still sealing", hint="send it again later")
        raise self._asking.refusal(answer)

    def _stands(self, raw: bytes, receipt: bytes, known: KnownLedger, *, said: Said | None) -> Stands:
        """Verify a receipt of what was sent; raise VerificationError if it proves something else."""
        statement = envelope.decode(raw)
        try:
            index = self._index(receipt, raw, known)
        except MalformedError as error:
            raise VerificationError(f"{self.url} answered with no receipt: {error.message}") from error
        if said is not None and (said.index, said.id) != (index, statement.id):
            raise VerificationError(
                f"{self.url} names entry {said.index}, statement {said.id}; its receipt proves entry {index},"
                f" statement {statement.id}"
            )
        return Stands(
            id=statement.id, index=index, receipt=receipt, known=None if said is None else said.known
        )

    def _index(self, receipt: bytes, raw: bytes, known: KnownLedger) -> int:
        """Verify a receipt under the present key or, as far as it counts, an earlier one."""
        if decode_receipt(receipt).ledger == known.ledger_key:
            return verify_receipt(receipt, raw, known.ledger_key, known.origin).leaf_index
        if self._history is None:
            history = self._read_history(known.ledger)
            if history.origin != known.origin or history.keys[-1] != known.ledger_key:
                raise VerificationError(f"{self.url}: its key changes do not lead to {known.ledger_key}")
            self._history = history
        return self._history.check(receipt, raw).leaf_index

    # What stands there

    def statement(self, statement_id: str) -> bytes:
        """Return a signed statement, checked to be the one with this id; raise PeerError if it is not there."""
        answer = self._asking.get(
            f"/api/v1/statements/{quote(statement_id, safe='')}/raw", accept=f"{COSE}, {_ERRORS}"
        )
        if answer.status != 200:
            raise self._asking.refusal(answer)
        statement = envelope.decode(answer.body)
        if statement.id != statement_id:
            raise VerificationError(f"{self.url} gave statement {statement.id} for {statement_id}")
        statement.verify()
        return answer.body

    def receipt(self, statement_id: str) -> Stands:
        """Return where a statement stands, its receipt verified; raise PeerError if it is not there."""
        raw = self.statement(statement_id)
        return self._stands(raw, self._receipt(statement_id), self.known, said=None)

    def _receipt(self, statement_id: str) -> bytes:
        answer = self._asking.get(f"/entries/{quote(statement_id, safe='')}", accept=f"{COSE}, {_ERRORS}")
        if answer.status != 200:
            raise self._asking.refusal(answer)
        return answer.body

    def thing(self, sort: str, key: str) -> bytes | None:
        """Return the stored JSON of one thing of the book, None if there is none; nothing of it is proved."""
        answer = self._asking.get(f"/api/v1/things/{quote(sort, safe='')}/{quote(key, safe='/:')}")
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self._asking.refusal(answer)
        return bytes(self._asking.decoded(Thing, answer).value)

    def things(self, sort: str, *, begins: str = "", page: int = 500) -> Iterator[tuple[str, bytes]]:
        """Yield (key, JSON) of the things of one sort by key; nothing of it is proved."""
        cursor: str | None = None
        while True:
            found = self._things(sort, {"begins": begins, "cursor": cursor, "limit": page})
            for item in found.items:
                yield item.key, bytes(item.value)
            if found.next is None or not found.items:
                return
            cursor = found.next

    def things_page(self, sort: str) -> tuple[dict[str, bytes], bool]:
        """Return the first things of one sort, and whether these are all."""
        found = self._things(sort, {"limit": 500})
        return {item.key: bytes(item.value) for item in found.items}, found.next is None

    def _things(self, sort: str, asked: Query) -> ThingsPage:
        return self._asking.json(ThingsPage, f"/api/v1/things/{quote(sort, safe='')}", asked)

    def _bytes(self, text: str) -> bytes:
        try:
            return base64.b64decode(text[: 2 * RECEIPT_BYTES_MAX], validate=True)
        except ValueError as error:
            raise VerificationError(f"{self.url} answered with no receipt: {error}") from error


def _refused(said: Said) -> Refused | None:
    if not said.findings:
        return None
    findings = tuple(
        Finding(code=item.code, message=item.message, field=item.field, entry=item.entry)
        for item in said.findings
    )
    return Refused(id=said.id, findings=findings, stored=said.stored)


def _cut(statements: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Cut statements into batches that a node takes."""
    batch: list[bytes] = []
    size = 0
    for raw in statements:
        if batch and (len(batch) == BATCH_MAX or size + len(raw) > BATCH_BYTES_MAX):
            yield batch
            batch, size = [], 0
        batch.append(raw)
        size += len(raw)
    if batch:
        yield batch
