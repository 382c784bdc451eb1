"""The way in of a mirror: what is submitted goes on to the founder, whose own receipt is verified and handed back.

Nothing is queued here. A receipt that does not verify under the ledger key is no success, and the signed head
that each one carries is compared with what is held, like any other commitment of the ledger.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Any

import httpx
import orjson

from pseudoledger.errors import Finding, MalformedError, PseudoledgerError, VerificationError
from pseudoledger.ledger.receipt import SignedHead, VerifiedReceipt, decode_receipt, verify_receipt
from pseudoledger.ledger.transparent import detach
from pseudoledger.node.forks import Forks, Weighed
from pseudoledger.node.group import BATCH_MAX
from pseudoledger.node.reading import Reader, View
from pseudoledger.node.scrapi import COSE_SEQ
from pseudoledger.node.submission import Outcome, Overloaded, Receipted, Unavailable
from pseudoledger.node.upstream import REFUSED
from pseudoledger.registrar import Answer, Refused, Registered
from pseudoledger.statement.envelope import decode

TIMEOUT_S = 30.0
"""Longest wait for the founder's answer."""
_ANSWER_BYTES_MAX = BATCH_MAX * 16_384
_CONNECTIONS = 16
_TOO_MANY = 429


class Forwarder:
    """The `Submitter` of a mirror."""

    def __init__(self, url: str, reader: Reader, forks: Forks, *, token: str = "") -> None:
        """Forward to the founder's node at `url`; `token` is a write token that it gave this mirror."""
        self._url, self._reader, self._forks = f"{url.rstrip('/')}/api/v1/batch", reader, forks
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=_CONNECTIONS),
            headers={"authorization": f"Bearer {token}"} if token else None,
        )

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def submit(self, statements: Sequence[bytes]) -> list[Outcome]:
        """Forward statements; see `Submitter`."""
        await asyncio.to_thread(self._not_held)
        prepared = [_prepared(raw) for raw in statements]
        bare = [item for item in prepared if isinstance(item, bytes)]
        answers = await self._send(self._url, bare)
        outcomes = iter(await asyncio.to_thread(self._outcomes, bare, answers))
        return [next(outcomes) if isinstance(item, bytes) else item for item in prepared]

    async def try_out(self, statements: Sequence[bytes]) -> list[Answer]:
        """Ask the founder what it would answer; see `Submitter`."""
        answers = await self._send(f"{self._url}?dry_run=1", statements)
        try:
            return [
                refused
                if (refused := _refused(answer))
                else Registered(id=str(answer["id"]), index=int(answer["index"]), known=bool(answer["known"]))
                for answer in answers
            ]
        except (KeyError, TypeError, ValueError) as error:
            raise _senseless() from error

    def _not_held(self) -> None:
        if self._forks.undecided():
            raise Unavailable(
                "the ledger has shown two histories: this mirror forwards nothing until its operator decides"
            )

    async def _send(self, url: str, statements: Sequence[bytes]) -> list[dict[str, Any]]:
        if not statements:
            return []
        body, headers = b"".join(statements), {"content-type": COSE_SEQ}
        try:
            async with self._client.stream("POST", url, content=body, headers=headers) as response:
                raw = await _bounded(response)
        except REFUSED as error:
            raise Unavailable(
                f"the founder's node is out of reach ({str(error) or type(error).__name__}); nothing was queued",
                hint="send it again later",
            ) from error
        if response.status_code == _TOO_MANY:
            wait = response.headers.get("retry-after", "")
            raise Overloaded(
                "the founder's node takes no more at the moment",
                retry_after_s=int(wait) if wait.isascii() and wait.isdigit() and len(wait) < 5 else 1,
            )
        if not response.is_success:
            raise Unavailable(
                f"the founder's node answered {response.status_code}; nothing was queued",
                hint="try again later",
            )
        try:
            answers = orjson.loads(raw)
        except orjson.JSONDecodeError as error:
            raise _senseless() from error
        if not isinstance(answers, list) or len(answers) != len(statements):
            raise _senseless()
        return answers

    def _outcomes(self, statements: Sequence[bytes], answers: Sequence[dict[str, Any]]) -> list[Outcome]:
        with self._reader.view() as view:
            try:
                return [
                    _refused(answer) or self._receipted(view, raw, answer)
                    for raw, answer in zip(statements, answers, strict=True)
                ]
            except (KeyError, TypeError, ValueError, binascii.Error) as error:
                raise _senseless() from error
            except (MalformedError, VerificationError) as error:
                raise Unavailable(
                    f"the founder's receipt does not verify: {error.message}",
                    hint="send it again once this mirror has caught up; registering twice is safe",
                ) from error

    def _receipted(self, view: View, raw: bytes, answer: dict[str, Any]) -> Receipted:
        receipt = base64.b64decode(answer["receipt"], validate=True)
        state = view.state
        proved = verify_receipt(receipt, raw, state.ledger_key, state.origin)
        self._weigh(view, receipt, proved)
        return Receipted(
            id=decode(raw).id, index=proved.leaf_index, known=bool(answer["known"]), receipt=receipt
        )

    def _weigh(self, view: View, receipt: bytes, proved: VerifiedReceipt) -> None:
        """Compare the signed head of a receipt with what is held, now or when the tree has grown."""
        said = decode_receipt(receipt)
        head = SignedHead(
            ledger=said.ledger,
            origin=said.origin,
            tree_size=said.tree_size,
            root=proved.root,
            signature=said.signature,
        )
        weighed, name = self._forks.weigh(head, view.store, view.state)
        if weighed in (Weighed.FORK, Weighed.CONTRADICTS):
            raise Unavailable(
                "the founder's receipt is of another history than the one held here"
                + (f": {name}" if name else "")
            )


def _prepared(raw: bytes) -> bytes | Refused:
    """Take off the receipts that came along; refuse here what is no statement at all."""
    try:
        bare = detach(raw).statement
        decode(bare)
    except MalformedError as error:
        return Refused(id=None, findings=error.findings)
    return bare


async def _bounded(response: httpx.Response) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > _ANSWER_BYTES_MAX:
            raise _senseless()
        parts.append(part)
    return b"".join(parts)


def _refused(answer: dict[str, Any]) -> Refused | None:
    """Read a refusal as the founder gave it; None if it is none."""
    if "findings" not in answer:
        return None
    findings = tuple(
        Finding(
            code=str(one["code"]),
            message=str(one["message"]),
            field=str(one.get("field") or ""),
            entry=None if one.get("entry") is None else int(one["entry"]),
        )
        for one in answer["findings"]
    )
    stored = answer.get("stored")
    return Refused(id=answer.get("id"), findings=findings, stored=None if stored is None else int(stored))


def _registered(answer: dict[str, Any]) -> Registered:
    return Registered(id=str(answer["id"]), index=int(answer["index"]), known=bool(answer["known"]))


def _senseless() -> PseudoledgerError:
    return Unavailable(
        "the founder's node gave an answer that makes no sense", hint="check the URL that this mirror follows"
    )
