"""A verified bundle as one HTML file for people: nothing in it asks for another file, and it prints.

The words around the values are English. Template and style stand in `templates/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pseudoledger.ledger.bundle_proof import VerifiedBundle, VerifiedStatement
from pseudoledger.market.bundling.words import Trusted, does_not_show, shows
from pseudoledger.statement.kinds.lease import AmendmentProposed, LeaseProposed
from pseudoledger.statement.values import format_block_time, format_instant

OF_THE_LEDGER = "ledger."
BEHIND = ("pool.", "offer.", "demand.", "broker.", "match.", "bid.")
ABOUT_PARTIES = ("identity.", "claim.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a payload, as the page shows it."""

    pointer: str
    text: str
    entry: int | None = None
    """Index of the statement of the bundle that it names."""
    missing: bool = False
    """Whether it names a statement that the bundle does not hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One statement, as the page shows it."""

    item: VerifiedStatement
    signer: str
    about: Field | None
    fields: tuple[Field, ...]
    sealed: int
    """Fields that stay sealed; some may hold nothing."""
    time: str
    issued: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Statements under one heading."""

    name: str
    title: str
    says: str
    cards: tuple[Card, ...]


def to_html(bundle: VerifiedBundle, trusted: Trusted) -> bytes:
    """Return the page of a verified bundle."""
    style = (files("pseudoledger.market.bundling") / "templates" / "bundle.css").read_text(encoding="utf-8")
    simulated = bundle.founded.policy.clock == "simulated"
    lease = bundle.lease.payload
    assert isinstance(lease, LeaseProposed), "the verifier looked"
    text = (
        _environment()
        .get_template("bundle.html")
        .render(
            bundle=bundle,
            number=lease.number,
            trusted=trusted,
            simulated=simulated,
            parts=_parts(bundle),
            parties=_parties(bundle),
            shows=shows(bundle, trusted),
            does_not_show=does_not_show(bundle, trusted, simulated=simulated),
            said=bundle.checkpoint.checkpoint,
            held=[file for file in bundle.files if file.size is not None],
            absent=[file for file in bundle.files if file.size is None],
            instant=format_instant,
            style=Markup(style),  # noqa: S704 - our own file
        )
    )
    return text.encode("utf-8")


def _parts(bundle: VerifiedBundle) -> tuple[Part, ...]:
    names = _names(bundle)
    held = {item.statement.id: item.index for item in bundle.statements}
    missing = {item.statement for item in bundle.missing}
    cards = [_card(item, names, held, missing) for item in bundle.statements]
    plan = (
        ("contract", "The contract", "In the order in which the ledger took them.", ()),
        ("behind", "What it stands on", "Earlier statements that the contract refers to.", BEHIND),
        ("parties", "What parties say of themselves", "Identity statements and claims.", ABOUT_PARTIES),
        ("ledger", "The ledger's own statements", "Its founding, policy and keys.", (OF_THE_LEDGER,)),
    )
    others = (*BEHIND, *ABOUT_PARTIES, OF_THE_LEDGER)
    return tuple(
        Part(
            name=name,
            title=title,
            says=says,
            cards=tuple(
                card
                for card in cards
                if (card.item.kind.startswith(begins) if begins else not card.item.kind.startswith(others))
            ),
        )
        for name, title, says, begins in plan
    )


def _card(item: VerifiedStatement, names: dict[str, str], held: dict[str, int], missing: set[str]) -> Card:
    tree = orjson.loads(item.statement.payload)
    opened = len(item.opened)
    fields = []
    for pointer, value in _leaves(tree, ""):
        if pointer in {"/type", "/v", "/_sd_alg"}:
            continue
        fields.append(_field(pointer, value, names, held, missing))
    subject = item.statement.sub
    own = subject == item.statement.iss or subject in names or item.kind.startswith(OF_THE_LEDGER)
    return Card(
        item=item,
        signer=names.get(item.statement.iss, ""),
        about=None if own else _field("about", subject, names, held, missing),
        fields=tuple(fields),
        sealed=sum(1 for _ in _digests(tree)) - opened,
        time=format_block_time(item.time_ms),
        issued=format_instant(item.statement.iat),
    )


def _field(pointer: str, value: Any, names: dict[str, str], held: dict[str, int], missing: set[str]) -> Field:
    text = value if isinstance(value, str) else orjson.dumps(value).decode("utf-8")
    shown = f"{names[text]}, {text}" if text in names else text
    return Field(pointer=pointer, text=shown, entry=held.get(text), missing=text in missing)


def _leaves(value: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    """Yield every field that is no object and no list of objects; digests are counted apart."""
    if isinstance(value, dict):
        for name, member in value.items():
            if name != "_sd":
                yield from _leaves(member, f"{pointer}/{name}")
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _leaves(member, f"{pointer}/{number}")
    else:
        yield pointer, value


def _digests(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value.get("_sd", ())
        for member in value.values():
            yield from _digests(member)
    elif isinstance(value, list):
        for member in value:
            yield from _digests(member)


def _names(bundle: VerifiedBundle) -> dict[str, str]:
    """Return what each key is in this contract, by its did; a declared label in quotes after it."""
    found: dict[str, str] = {}
    for item in bundle.statements:
        payload = item.payload
        if not isinstance(payload, LeaseProposed | AmendmentProposed):
            continue
        if bundle.lease.statement.id not in {item.statement.id, item.statement.sub}:
            continue
        terms = payload.terms
        roles = [(terms.lessor, "lessor"), (terms.lessee, "lessee")]
        roles += [(shown.broker, "broker") for shown in terms.mandates]
        roles += [(terms.arbiter, "arbiter")] if terms.arbiter else []
        for did, role in roles:
            found.setdefault(did, role)
    founder = bundle.statements[0].statement.iss
    found.setdefault(founder, "founder of the ledger")
    for did in (bundle.founded.ledger_key, bundle.key, *(did for did, _ in bundle.retired)):
        found.setdefault(did, "ledger key")
    for item in bundle.statements:
        label = getattr(item.payload, "label", None) if item.kind.startswith("identity.") else None
        if label:
            found[item.statement.iss] = f"{found.get(item.statement.iss, 'party')} “{label}”"
    return found


def _parties(bundle: VerifiedBundle) -> list[tuple[str, str, int]]:
    """List (did, what it is here, statements it signed) of every key that signed a statement or has a role."""
    names = _names(bundle)
    counts: dict[str, int] = dict.fromkeys(names, 0)
    for item in bundle.statements:
        counts[item.statement.iss] = counts.get(item.statement.iss, 0) + 1
    return [(did, names.get(did, "party"), count) for did, count in counts.items()]


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pseudoledger.market.bundling"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
