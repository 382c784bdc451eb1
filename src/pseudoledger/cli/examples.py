"""Payloads to start from: one for each kind, filled from the data dictionary itself.

Every required field stands with a value of the right form, so that the draft can be read and changed; whether
a rule would accept it is another matter. Optional fields that may be sealed stand too.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter, ValidationError

from pseudoledger.contract.templates import WHOLE_PPM
from pseudoledger.statement.kinds import Kind
from pseudoledger.statement.values import Value, is_sealable

_TEXTS = {
    "chip": "nvidia-h100-sxm5-80gb",
    "until": "2026-03-31T00:00:00Z",
    "valid_to": "2026-02-28T00:00:00Z",
    "length_max": "P30D",
    "data_set": "training-data",
    "tx": "0x" + "0" * 64,
    "scheme": "SEPA",
    "amount": "1000000",
    "paid": "1000000",
    "sha256": "0" * 64,
}
"""Texts where the field says more than its form."""
_DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
_FORMS = (
    "...",
    "X-1",
    "l1",
    "USD",
    "DE",
    "DE-HE",
    _DID,
    "0" * 64,
    "eip155:1",
    "1000000",
    "application/pdf",
    "eip155:1/slip44:60",
    "eip155:1:0xab16a96d359ec26a11e2c2b3d8f8b8942d5bfcdb",
    "P3D",
    "2026-03-01T00:00:00Z",
    "2026-04-30",
    "A" * 43,
)
"""Texts of every form that payloads know; the first that a field accepts stands for it."""
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
    "reserved",
    "subject_group",
    "share_bps",
}
"""Optional fields without which the usual variant is not whole."""


def example(kind: Kind) -> dict[str, Any]:
    """Return a payload of a kind, in the clear."""
    return {"type": kind.name, "v": kind.v} | _object(kind.model)


def _object(model: type[Value]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        alias = info.alias or name
        optional = alias in _ALWAYS or is_sealable(info)
        if alias not in {"_sd", "_sd_alg"} and (info.is_required() or (optional and alias not in _LEFT_OUT)):
            found[alias] = _value(alias, tuple(info.metadata), info.annotation)
    return found


def _value(name: str, marks: tuple[Any, ...], annotation: Any) -> Any:
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(name, parts[1:], parts[0])
    if origin in {Union, UnionType}:
        return _value(name, marks, next(part for part in reversed(parts) if part is not NoneType))
    if origin is Literal:
        return parts[0]
    if origin is tuple:
        return [_value(name, (), parts[0])]
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return _object(annotation)
    if annotation is bool:
        return False
    if annotation is int:
        least = [bound for mark in marks if (bound := getattr(mark, "ge", None)) is not None]
        return WHOLE_PPM if name == "equivalence_ppm" else max(1, *least, 1)
    texts = [_TEXTS[name]] if name in _TEXTS else _FORMS
    accepts = TypeAdapter(Annotated[(str, *marks)]) if marks else TypeAdapter(str)
    return next(text for text in texts if _accepted(accepts, text))


def _accepted(accepts: TypeAdapter[str], text: str) -> bool:
    try:
        accepts.validate_python(text)
    except ValidationError:
        return False
    return True
