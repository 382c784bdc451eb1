"""Errors over HTTP: problem details (RFC 9457) as JSON, or concise ones (RFC 9290) for CBOR clients.

A refusal is 400 "Rejected" with every reason (formats §8).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cbor2
import orjson
from starlette.responses import Response

from pseudoledger.errors import Finding

PROBLEM_JSON = "application/problem+json"
PROBLEM_CBOR = "application/concise-problem-details+cbor"
COSE = "application/cose"

REJECTED = "Rejected"


def wants_cbor(accept: str, content_type: str = "") -> bool:
    """Tell whether a client reads CBOR: it says so, or it sends COSE and says nothing else."""
    accept = accept.lower()
    if "cbor" in accept or "cose" in accept:
        return "problem+json" not in accept
    return accept.strip() in {"", "*/*"} and content_type.lower().startswith(COSE)


def problem(
    status: int,
    title: str,
    detail: str,
    *,
    cbor: bool = False,
    findings: Sequence[Finding] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Build the answer to a request that failed."""
    if cbor:
        body = cbor2.dumps({-1: title, -2: detail})
        return Response(body, status, headers, PROBLEM_CBOR)
    value = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    if findings:
        value["findings"] = [
            {
                name: part
                for name, part in (
                    ("code", one.code),
                    ("message", one.message),
                    ("field", one.field),
                    ("entry", one.entry),
                )
                if part is not None and part != ""
            }
            for one in findings
        ]
    return Response(orjson.dumps(value), status, headers, PROBLEM_JSON)
