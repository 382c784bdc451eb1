"""What the JSON API answers when it cannot answer: problem details (RFC 9457), each documented.

Every error of a request ends here, also those that FastAPI finds, so that an answer is what the OpenAPI
document says, whichever application the router is mounted in.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from pseudoledger.errors import Finding, PeerError, PseudoledgerError, StoreError
from pseudoledger.node.problems import problem, wants_cbor

_log = logging.getLogger("pseudoledger.node")
RETRY_AFTER_S = 2
"""When to come again after something that passes."""

_UNREADABLE = "the ledger cannot be read or written at the moment; try again"

_FINDING: dict[str, Any] = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "string", "description": "Stable code of the reason."},
        "message": {"type": "string", "description": "The reason in words."},
        "field": {"type": "string", "description": "Name of the parameter, or JSON Pointer into a payload."},
        "entry": {"type": "integer", "description": "Index of the entry it conflicts with."},
    },
}
_PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "about:blank: the title says what it is."},
        "title": {"type": "string", "description": "What went wrong, in short."},
        "status": {"type": "integer", "description": "The status code again."},
        "detail": {"type": "string", "description": "What went wrong here, and what to do next."},
        "findings": {
            "type": "array",
            "items": _FINDING,
            "description": "Every reason, where there are several.",
        },
    },
}
_CBOR = {"schema": {"type": "string", "format": "binary"}}
"""Concise problem details (RFC 9290), for clients that accept them."""


def _described(description: str, status: int, title: str, detail: str, **more: Any) -> dict[str, Any]:
    example = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    content = {
        "application/problem+json": {"schema": _PROBLEM, "example": example},
        "application/concise-problem-details+cbor": _CBOR,
    }
    return {"description": description, "content": content}


Responses: TypeAlias = Mapping[int | str, dict[str, Any]]

BAD_PARAMETERS: Responses = MappingProxyType(
    {
        422: _described(
            "A parameter is not of its form, or there is none of this name; the findings name it.",
            422,
            "Bad parameter",
            "limit: Input should be greater than or equal to 1",
            findings=[
                {
                    "code": "parameter.form",
                    "message": "Input should be greater than or equal to 1",
                    "field": "limit",
                }
            ],
        ),
        503: _described(
            "The ledger cannot be read at the moment; come again after Retry-After.",
            503,
            "Service Unavailable",
            _UNREADABLE,
        ),
    }
)
"""Responses that every route documents."""

NOT_FOUND: Responses = MappingProxyType(
    {
        **BAD_PARAMETERS,
        404: _described(
            "There is nothing by this name on the ledger.",
            404,
            "Not Found",
            "there is no statement 9999 on this ledger",
        ),
    }
)
"""Responses of routes that name one thing."""


class Absent(PseudoledgerError):
    """What a path names is not on the ledger (404)."""


class BadParameter(PseudoledgerError):
    """A parameter is well-formed and makes no sense here (422); `field` names it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def _parameters(dependant: Dependant) -> frozenset[str]:
    """Return the names of the query parameters of a route, with those of what it depends on."""
    own = (field.alias for field in dependant.query_params)
    return frozenset(own).union(*(_parameters(one) for one in dependant.dependencies))


def _require_known(request: Request, known: frozenset[str]) -> None:
    """Raise BadParameter for a name that a route with parameters does not have.

    A filter that is spelled wrong would otherwise be none, and the whole list its answer.
    """
    for name in request.query_params:
        if known and name not in known:
            raise BadParameter(name, f"is no parameter here; there are {', '.join(sorted(known))}")


class ApiRoute(APIRoute):
    """A route whose failures are problem details."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the answer to every expected error."""
        inner = super().get_route_handler()
        known = _parameters(self.dependant)

        async def handle(request: Request) -> Response:
            """Answer a request, turning what went wrong into a problem."""
            try:
                _require_known(request, known)
                return await inner(request)
            except RequestValidationError as error:
                return _invalid(request, error)
            except BadParameter as error:
                finding = Finding(code="parameter.value", message=error.message, field=error.field)
                detail = f"{error.field}: {error.message}"
                return _answer(request, 422, "Bad parameter", detail, [finding])
            except Absent as error:
                return _answer(request, 404, "Not Found", error.message)
            except (StoreError, PeerError) as error:
                return unreadable(request, error)

        return handle


def unreadable(request: Request, error: PseudoledgerError) -> Response:
    """Say that something which passes stands in the way; what it is stands in the log, not in the answer."""
    _log.error("a request could not be answered", extra={"reason": error.message})
    response = _answer(request, 503, "Service Unavailable", _UNREADABLE)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _invalid(request: Request, error: RequestValidationError) -> Response:
    findings = [
        Finding(
            code="parameter.form",
            message=str(item.get("msg", "is not of its form")),
            field=".".join(str(part) for part in item.get("loc", ())[1:]),
        )
        for item in error.errors()
    ]
    detail = "; ".join(f"{item.field}: {item.message}" for item in findings)
    return _answer(request, 422, "Bad parameter", detail, findings)


def _answer(
    request: Request, status: int, title: str, detail: str, findings: Sequence[Finding] = ()
) -> Response:
    cbor = wants_cbor(request.headers.get("accept", ""))
    return problem(status, title, detail, cbor=cbor, findings=findings)
