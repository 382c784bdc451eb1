"""The reference page of what a node serves: the JSON API from its OpenAPI document, the rest from a list here."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from fastapi import FastAPI

from pseudoledger.node import api

HEAD = """# HTTP

What a node serves: a founder's (`pl serve`) and a mirror's (`pl mirror … --port N`) alike. The part on the JSON API is generated from the OpenAPI document, which a node serves at `/api/v1/openapi.json`.

Errors are problem details (RFC 9457) as `application/problem+json`, or concise ones (RFC 9290) for clients that send or accept COSE or CBOR. A refusal is 400 "Rejected" with every finding.

## Writing

| request | body | answers |
|---|---|---|
| `POST /entries` | one signed statement, `application/cose`, at most 81,919 bytes | 201 the receipt, and `Location: /entries/ID`, for a statement that stands already too; 400 rejected, with all reasons; 401 where a write token is needed; 408, 413, 415; 429 with `Retry-After`; 503 |
| `POST /api/v1/batch` | up to 1,000 signed statements one after another, `application/cose-seq` | 200 a JSON list with, for each statement, `id`, `index`, `known` and `receipt` in base64, or `findings` |
| `POST /api/v1/batch?dry_run=1` | the same | what would be answered; nothing is written |
| `POST /peer/checkpoint` | a signed checkpoint of this ledger that was seen elsewhere | whether it agrees, or the fork proof that it completes |

Sending the same bytes again is always safe and answers the same.

## Receipts, keys and the read path

| request | answer |
|---|---|
| `GET /entries/ID` | the receipt of a statement, `application/cose`; 404 |
| `GET /.well-known/scitt-keys`, `…/KID` | the ledger keys as COSE keys, retired ones too; the kid is the did:key |
| `GET /checkpoint` | the newest published checkpoint |
| `GET /tile/L/N[.p/W]`, `GET /tile/entries/N[.p/W]` | tiles and entry bundles (C2SP tlog-tiles) up to the published checkpoint |
| `GET /forks`, `GET /forks/NAME` | fork proofs that this node keeps |
| `GET /metrics` | metrics for Prometheus |
| `GET /`, `/statements/ID`, `/leases/ID`, … | pages for people |

## The JSON API

Lists are paged: `limit` says how many, the answer's `next` is the `cursor` of the page after. A cursor stays good while the ledger grows.

| request | what | parameters |
|---|---|---|
"""


def http_page() -> str:
    """Return docs/reference/http.md."""
    app = FastAPI()
    # No route is called: what the routes say of themselves is all that is read.
    app.include_router(api.router(SimpleNamespace()))  # type: ignore[arg-type]
    rows = [
        _row(method, path, operation)
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
    ]
    return HEAD + "\n".join(rows) + "\n"


def _row(method: str, path: str, operation: dict[str, Any]) -> str:
    """Return the line of one operation."""
    names = [
        f"`{parameter['name']}`" for parameter in operation.get("parameters", ()) if parameter["in"] != "path"
    ]
    return f"| `{method.upper()} {path}` | {operation['summary']} | {', '.join(names)} |"
