"""The one list of what is derived from a statement, each column with what it reveals.

`COLUMNS` are made by hand from fields that belong together. Every other field of the data dictionary that reveals
something gets a column of its own (`spare_columns`), so a field that nobody thought of is still reached. What is
left out on purpose stands in `ELSEWHERE`, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from pseudoledger.audit.trace import derived
from pseudoledger.audit.trace.derived import Cell, word_of, words_of
from pseudoledger.audit.trace.habits import number_prefix, number_style
from pseudoledger.audit.trace.leaves import Leaf, Slot, slots
from pseudoledger.audit.trace.observations import Field, FieldKind, is_keyword
from pseudoledger.audit.trace.said import Said
from pseudoledger.statement.kinds import KINDS

LEDGER = "ledger"
"""The family of kinds that the ledger itself issues: no acts of a party."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of `records`, and how a statement fills it."""

    field: Field
    says: str
    """What it is, for people."""
    derive: Callable[[Said], Cell]


ELSEWHERE = MappingProxyType(
    {
        ("account", "identity"): "a token",
        ("attestors", "counterparty"): "the rules of a programme, not a deal with anybody",
        ("bank_account", "identity"): "a token",
        ("buyer_name", "identity"): "a token of the buyer",
        ("buyer_reference", "reference"): "given by the other side",
        ("digest", "identity"): "a token of the subject",
        ("facility_attestors", "counterparty"): "the rules of a programme, not a deal with anybody",
        ("index", "reference"): "a place within a transaction",
        ("kyc", "counterparty"): "the rules of a programme, not a deal with anybody",
        ("lessee", "identity"): "a party, in `counterparty`",
        ("lessor", "identity"): "a party, in `counterparty`",
        ("mandate", "counterparty"): "the broker behind it is in `intermediary`",
        ("mandates", "counterparty"): "the broker behind it is in `intermediary`",
        ("net_minor", "money"): "a part of the total, in `amount_minor`",
        ("next", "identity"): "a token",
        ("opened", "reference"): "digests of fields of another statement",
        ("parts", "hardware"): "a token",
        ("recovery", "identity"): "a token",
        ("serial", "hardware"): "a token",
        ("serials", "hardware"): "a token",
        ("subject_group", "identity"): "a token of the subject",
        ("subject_name", "identity"): "a token of the subject",
        ("tax_minor", "money"): "a part of the total, in `amount_minor`",
        ("taxable_minor", "money"): "a part of the total, in `amount_minor`",
        ("to", "identity"): "an edge, once the new key adopts",
        ("tx", "reference"): "a token",
    }
)
"""Fields, with what they reveal, that have no column, and why. Ids of other statements have none either."""


def _numeric(
    name: str, reveals: str, derive: Callable[[Said], Cell], unit: str = "", *, log: bool = True
) -> Column:
    field = Field(name=name, kind=FieldKind.NUMERIC, reveals=reveals, unit=unit, log=log)
    return Column(field=field, says=_SAYS.get(name, ""), derive=derive)


def _category(name: str, reveals: str, derive: Callable[[Said], Cell]) -> Column:
    return Column(
        field=Field(name=name, kind=FieldKind.CATEGORY, reveals=reveals),
        says=_SAYS.get(name, ""),
        derive=derive,
    )


def _text(name: str, reveals: str, derive: Callable[[Said], Cell]) -> Column:
    return Column(
        field=Field(name=name, kind=FieldKind.TEXT, reveals=reveals), says=_SAYS.get(name, ""), derive=derive
    )


_SAYS = MappingProxyType(
    {
        "kind": "Kind of statement",
        "turn": "Kind of what the key registered before, and of this: the order of acts",
        "counterparty": "The other side: party of the lease, or whoever the statement is to, for or about",
        "intermediary": "Broker or arbiter of its terms",
        "chips": "Chips of all its lines",
        "chip": "Chip of the line with most units",
        "resource": "What its first line is",
        "chip_seconds": "Usage that it reports, bills, agrees to or rations",
        "price_micro": "Price of one unit for one hour; for a demand its ceiling over its units",
        "price_ratio": "That price against the median of earlier offers of the chip in the currency",
        "price_style": "How round the price is",
        "amount_minor": "Sum that it is about",
        "currency": "Currency",
        "basis": "Metered, reserved or once",
        "tax": "Tax category and rate",
        "payment_code": "Means of payment",
        "account_chain": "Chain of the account",
        "commission_bps": "Commission",
        "country": "Country of the place",
        "subdivision": "Part of the country",
        "site": "Site, where it was disclosed",
        "residency": "Countries that would do, or where data may be",
        "data_set": "Names of data sets",
        "facility_owner": "Owner of the place, where it was disclosed",
        "facility_operator": "Operator of the place, where it was disclosed",
        "term_seconds": "How long the lease, demand or bid runs",
        "period_seconds": "Length of any other period: usage, invoice, voucher, claim",
        "lead_seconds": "From signing to the start of the period",
        "lag_seconds": "From the end of the period to signing",
        "valid_seconds": "How long the proposal stands",
        "due_seconds": "From signing to the due date",
        "reply_seconds": "Since the other side last signed something about the same thing",
        "offset_seconds": "From signing to the time of the block",
        "second_of_minute": "Second of the minute in which it was signed",
        "clauses": "Notice, silence, answer and payment times, fees and uptime of the terms, as one form",
        "purpose": "What it is used for",
        "reason": "Reason or code",
        "label": "Public name, title, or name of a listed facility",
        "words": "All free text, where it was disclosed",
        "party_name": "Registered name that the issuer gives itself, where it was disclosed",
        "contact": "How to reach it, where it was disclosed",
        "word_style": "Case, script, separators and length of the first text",
        "number_style": "Pattern of the document's number",
        "number_prefix": "Letters that the number starts with",
        "line_name": "How the first line is named",
        "reference_style": "Scheme and pattern of a payment reference, or its chain",
    }
)
"""What the columns made by hand are, for people."""

_MICRO = "millionths of the currency's major unit"

COLUMNS: tuple[Column, ...] = (
    _category("kind", "identity", lambda said: said.kind),
    _category("turn", "identity", lambda said: f"{said.before} > {said.kind}" if said.before else None),
    _category("counterparty", "counterparty", lambda said: next(iter(said.others), None)),
    _category("intermediary", "counterparty", lambda said: next(iter(said.between), None)),
    _numeric("chips", "hardware", derived.chip_count, "C62"),
    _category("chip", "hardware", derived.main_chip),
    _category("resource", "hardware", word_of(("resource", "hardware"))),
    _numeric(
        "chip_seconds",
        "hardware",
        lambda said: said.number("chip_seconds", "quantity", "agreed_chip_seconds"),
        "chip_second",
    ),
    _numeric("price_micro", "money", derived.price, _MICRO),
    _numeric("price_ratio", "money", derived.price_ratio, "share of the median of earlier offers"),
    _category("price_style", "money", derived.price_figures),
    _numeric(
        "amount_minor",
        "money",
        lambda said: said.number(
            "total_minor", "amount_minor", "face_minor", "accepted_minor", "settled_minor", "budget_minor"
        ),
        "minor unit",
    ),
    _category("currency", "money", word_of(("currency", "money"))),
    _category("basis", "money", word_of(("basis", "money"))),
    _category("tax", "money", derived.tax),
    _category("payment_code", "money", word_of(("code", "money"))),
    _category("account_chain", "identity", derived.account_chain),
    _numeric("commission_bps", "money", lambda said: said.number("commission_bps"), "bps", log=False),
    _category("country", "place", word_of(("country", "place"))),
    _category("subdivision", "place", word_of(("subdivision", "place"))),
    _category("site", "place", word_of(("site", "place"))),
    _category("residency", "place", words_of("countries", "places", reveals="place")),
    _category("data_set", "identity", words_of("data_set", reveals="identity")),
    _category("facility_owner", "identity", word_of(("owner", "identity"))),
    _category("facility_operator", "identity", word_of(("operator", "identity"))),
    _numeric("term_seconds", "time", derived.term, "second"),
    _numeric("period_seconds", "time", derived.span, "second"),
    _numeric("lead_seconds", "time", derived.lead, "second"),
    _numeric("lag_seconds", "time", derived.lag, "second"),
    _numeric("valid_seconds", "time", derived.ahead("valid_to"), "second"),
    _numeric("due_seconds", "time", derived.ahead("due_date"), "second"),
    _numeric(
        "reply_seconds",
        "time",
        lambda said: None if said.follows is None else float(max(said.iat - said.follows, 0)),
        "second",
    ),
    _numeric("offset_seconds", "time", lambda said: float(said.sealed_at - said.iat), "second", log=False),
    _category("second_of_minute", "time", lambda said: f"{said.iat % 60:02}"),
    _category("clauses", "identity", derived.clauses),
    _category("purpose", "identity", word_of(("purpose", "identity"))),
    _category(
        "reason",
        "identity",
        word_of(("reason", "identity"), ("reason", "money"), ("reason", "hardware"), ("code", "identity")),
    ),
    _text("label", "identity", word_of(("label", "identity"), ("title", "identity"), ("name", "place"))),
    _text("words", "free_text", derived.free_words),
    _text("party_name", "identity", derived.own_name),
    _text("contact", "identity", word_of(("contact", "identity"))),
    _category("word_style", "free_text", derived.writing),
    _category("number_style", "reference", derived.styled(derived.number, number_style)),
    _category("number_prefix", "reference", derived.styled(derived.number, number_prefix)),
    _category("line_name", "reference", word_of(("id", "nothing"), ("line", "nothing"))),
    _category("reference_style", "reference", derived.reference),
)
"""Derived columns, in the order of the table."""

_USED = MappingProxyType(
    {
        "time": (
            *derived.CLAUSES,
            *derived.SILENCE,
            "from",
            "until",
            "length",
            "valid_to",
            "due_date",
            "effective_at",
            "effective_from",
        ),
        "money": (
            *derived.CLAUSES,
            "price_micro",
            "hour_micro",
            "rate_bps",
            "category",
            "code",
            "currency",
            "basis",
            "commission_bps",
            "reason",
            "total_minor",
            "amount_minor",
            "face_minor",
            "accepted_minor",
            "settled_minor",
            "budget_minor",
        ),
        "hardware": (
            "count",
            "chip",
            "resource",
            "reason",
            "chip_seconds",
            "quantity",
            "agreed_chip_seconds",
        ),
        "place": ("country", "subdivision", "site", "countries", "places", "name"),
        "identity": (
            "data_set",
            "owner",
            "operator",
            "purpose",
            "reason",
            "code",
            "label",
            "title",
            "contact",
            "seller_name",
            "lessor_name",
            "lessee_name",
        ),
        "reference": ("number", "value", "scheme", "chain"),
        "counterparty": ("arbiter", "broker", "drawer", "holder", "lessor", "party", "payee", "reader", "to"),
        "free_text": ("label", "remark", "workload"),
    }
)
"""Fields, by what they reveal, that `COLUMNS` are made from."""


def is_spare(slot: Slot) -> bool:
    """Tell whether a field of the data dictionary gets a column of its own."""
    if slot.reveals == "nothing" or slot.name in _USED.get(slot.reveals, ()):
        return False
    if (slot.name, slot.reveals) in ELSEWHERE:
        return False
    # The id of another statement says which, and nothing about habits.
    return slot.reveals != "reference" or slot.shape != "id"


def spare_columns(found: Iterator[Slot]) -> tuple[Column, ...]:
    """Return a column for every spare field among some slots, in the order of their names."""
    spare = {(slot.name, slot.reveals): slot for slot in found if is_spare(slot)}
    taken = {column.field.name for column in COLUMNS}
    columns = []
    for key in sorted(spare):
        slot = spare[key]
        name = (
            slot.name
            if slot.name not in taken and not is_keyword(slot.name)
            else f"{slot.name}_{slot.reveals}"
        )
        taken.add(name)
        columns.append(replace(_spare(slot, name), says=slot.says))
    return tuple(columns)


def _spare(slot: Slot, name: str) -> Column:
    match slot.shape:
        case "number":
            return _numeric(name, slot.reveals, lambda said: _largest(said, slot), slot.unit)
        case "words":
            return _text(name, slot.reveals, word_of((slot.name, slot.reveals)))
        case _:
            return _category(name, slot.reveals, words_of(slot.name, reveals=slot.reveals))


def _largest(said: Said, slot: Slot) -> float | None:
    return max((float(leaf.value) for leaf in said.found(slot.name, slot.reveals)), default=None)


@lru_cache(maxsize=1)
def all_columns() -> tuple[Column, ...]:
    """Return every column of a ledger's records: those made by hand, then the spare ones."""
    known = (slot for kind in KINDS.values() if kind.family != LEDGER for slot in slots(kind.model))
    return (*COLUMNS, *spare_columns(known))


class _Asked(dict[str, tuple[Leaf, ...]]):
    """No leaves at all; remembers for which names it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def get(self, name: str, default: Any = None) -> Any:
        """Note the name; there is nothing under it."""
        self.names.add(name)
        return default


@lru_cache(maxsize=512)
def places_of(kind: str) -> frozenset[int]:
    """Return the places, in `all_columns`, of the columns that a statement of a kind can fill.

    A column that asks for fields alone, none of which the kind has, is never worked out: that saves half the time.
    """
    models = [found.model for found in KINDS.values() if found.name == kind]
    has = {slot.name for model in models for slot in slots(model)}
    possible = set()
    for place, column in enumerate(all_columns()):
        asked = _Asked()
        blank = Said(
            kind=kind,
            issuer="",
            iat=0,
            sealed_at=0,
            leaves=(),
            others=(),
            between=(),
            follows=None,
            before="",
            price=None,
            market_micro=None,
            by_name=asked,
        )
        if column.derive(blank) is not None or not asked.names or asked.names & has:
            possible.add(place)
    return frozenset(possible)
