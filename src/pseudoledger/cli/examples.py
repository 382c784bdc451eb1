"""Payloads to start from: one for each kind, filled from the data dictionary itself.

Every required field stands with a value of the right form, so that the draft can be read and changed; whether
a rule would accept it is another matter. Optional fields that may be sealed stand too.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from pseudoledger.statement.kinds import Kind
from pseudoledger.statement.values import Value, is_sealable

_REF = "0" * 64
_DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
_TEXTS = {
    "sha256": _REF,
    "chip": "nvidia-h100-sxm5-80gb",
    "currency": "USD",
    "country": "DE",
    "subdivision": "DE-HE",
    "number": "X-1",
    "data_set": "training-data",
    "from": "2026-03-01T00:00:00Z",
    "until": "2026-03-31T00:00:00Z",
    "valid_to": "2026-02-28T00:00:00Z",
    "effective_from": "2026-03-15T00:00:00Z",
    "effective_at": "2026-03-15T00:00:00Z",
    "due_date": "2026-04-30",
    "length_min": "P1D",
    "length_max": "P30D",
    "media_type": "application/pdf",
    "scheme": "SEPA",
    "tx": "0x" + "0" * 64,
    "chain": "eip155:1",
    "amount": "1000000",
    "paid": "1000000",
}
_LENGTHS = {"length", "notice", "delivery", "usage", "invoice", "dispute_within", "final_within"} | {
    "answer_within",
    "decide_within",
}
_LINES = {"id", "line", "pool_line", "offer_line", "demand_line", "lease_line", "invoice_line", "head_line"}
_DIDS = {"broker", "lessor", "lessee", "payee", "to", "arbiter", "recovery"}
_LEFT_OUT = {"head_lease", "head_line", "fee_minor", "asset", "amount", "rate", "part", "lease", "commission"}
"""Optional fields of the less usual variant of an object."""
_ALWAYS = {
    "chip",
    "price_micro",
    "reports",
    "lease_line",
    "offer",
    "offer_line",
    "invoice",
    "currency",
    "amount_minor",
}
"""Optional fields without which the usual variant is not whole."""


def example(kind: Kind) -> dict[str, Any]:
    """Return a payload of a kind, in the clear."""
    return _object(kind.model) | {"type": kind.name, "v": kind.v}


def _object(model: type[Value]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if alias in {"_sd", "_sd_alg"}:
            continue
        wanted = info.is_required() or is_sealable(info) or (alias in _ALWAYS and alias not in _LEFT_OUT)
        if wanted and not (alias in _LEFT_OUT and not info.is_required()):
            found[alias] = _value(alias, info, info.annotation)
    return found


def _value(name: str, info: FieldInfo, annotation: Any) -> Any:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(name, info, parts[0])
    if origin in {Union, UnionType}:
        chosen = [part for part in parts if part is not NoneType]
        return _value(name, info, chosen[-1])
    if origin is Literal:
        return parts[0]
    if origin is tuple:
        return [_value(name, info, parts[0])]
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return _object(annotation)
    if annotation is bool:
        return False
    if annotation is int:
        return 1
    return _text(name, info)


def _text(name: str, info: FieldInfo) -> str:
    if name in _TEXTS:
        return _TEXTS[name]
    if name in _LENGTHS:
        return "P3D"
    if name in _LINES:
        return "l1"
    if name in _DIDS:
        return _DID
    if is_sealable(info) or name == "label":
        return "..."
    return _REF
