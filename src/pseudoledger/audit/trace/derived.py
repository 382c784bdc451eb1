"""How single columns are worked out of one statement; which columns there are stands in `columns`."""

from __future__ import annotations

from collections.abc import Callable

from pseudoledger.audit.trace.habits import number_style, price_style, word_style
from pseudoledger.audit.trace.said import Said, parent, seconds_of

Cell = str | float | None
"""What a column holds of one statement; None where it says nothing."""

CLAUSES = (
    "notice",
    "answer_within",
    "decide_within",
    "dispute_within",
    "final_within",
    "due_days",
    "grace_days",
    "uptime_ppm",
    "credit_bps",
    "sublease_allowed",
    "length_min",
    "length_max",
)
SILENCE = ("delivery", "usage", "invoice")
_AGREED = frozenset({"lease.proposed", "amendment.proposed", "bid.placed", "bid.countered"})


def chip_count(said: Said) -> float | None:
    """Return how many chips all lines come to; lines of cores, memory and storage do not count."""
    total, known = 0, False
    for leaf in said.found("count"):
        inside = f"{parent(leaf)}/"
        resources = [item for item in said.found("resource") if item.pointer.startswith(inside)]
        chips = [item for item in said.found("chip") if item.pointer.startswith(inside)]
        if chips or not resources:
            total, known = total + int(leaf.value), True
    return float(total) if known else None


def main_chip(said: Said) -> str | None:
    """Return the chip of the line with most units, the first of them."""
    best: tuple[int, str] | None = None
    for chip in said.found("chip"):
        counts = [
            int(leaf.value) for leaf in said.found("count") if chip.pointer.startswith(f"{parent(leaf)}/")
        ]
        count = max(counts, default=0)
        if best is None or count > best[0]:
            best = (count, str(chip.value))
    return None if best is None else best[1]


def _period(said: Said) -> tuple[int, int] | None:
    start, until = said.first("from"), said.first("until")
    if start is None or until is None or parent(start) != parent(until):
        return None
    first, last = seconds_of(str(start.value)), seconds_of(str(until.value))
    return None if first is None or last is None else (first, last)


def term(said: Said) -> float | None:
    """Return how long a lease, demand or bid runs, in seconds."""
    length = said.word("length", "time")
    if length is not None:
        seconds = seconds_of(length)
        return None if seconds is None else float(seconds)
    period = _period(said)
    return float(period[1] - period[0]) if period and said.kind in _AGREED else None


def span(said: Said) -> float | None:
    """Return how long the period of any other statement is, in seconds."""
    period = _period(said)
    return float(period[1] - period[0]) if period and said.kind not in _AGREED else None


def lead(said: Said) -> float | None:
    """Return how long before the start of its period a statement was signed, in seconds."""
    period = _period(said)
    start = period[0] if period else _instant(said, "effective_at") or _instant(said, "effective_from")
    return None if start is None or start < said.iat else float(start - said.iat)


def lag(said: Said) -> float | None:
    """Return how long after the end of its period a statement was signed, in seconds."""
    period = _period(said)
    return None if period is None or period[1] > said.iat else float(said.iat - period[1])


def _instant(said: Said, name: str) -> int | None:
    text = said.word(name, "time")
    return None if text is None else seconds_of(text)


def ahead(name: str) -> Callable[[Said], Cell]:
    """Derive how far in the future, at signing, the time in a field lies, in seconds."""

    def derive(said: Said) -> Cell:
        moment = _instant(said, name)
        return None if moment is None or moment < said.iat else float(moment - said.iat)

    return derive


def clauses(said: Said) -> str | None:
    """Return the clauses of terms that parties take from their own forms, as one text."""
    found = [f"{leaf.slot.name} {leaf.value}" for name in CLAUSES for leaf in said.found(name)]
    found += [
        f"silence on {leaf.slot.name} {leaf.value}" for name in SILENCE for leaf in said.found(name, "time")
    ]
    return "; ".join(found) or None


def tax(said: Said) -> str | None:
    """Return tax category and rate."""
    category = said.first("category", "money")
    if category is None:
        return None
    rates = [leaf.value for leaf in said.found("rate_bps") if parent(leaf) == parent(category)]
    return " ".join(str(part) for part in (category.value, *rates[:1]))


def words_of(*names: str, reveals: str) -> Callable[[Said], Cell]:
    """Derive the sorted different values of some fields, as one text."""

    def derive(said: Said) -> Cell:
        return (
            " ".join(sorted({str(leaf.value) for name in names for leaf in said.found(name, reveals)}))
            or None
        )

    return derive


def word_of(*names: tuple[str, str]) -> Callable[[Said], Cell]:
    """Derive the first value of the first of some fields, each with what it reveals, that is there."""

    def derive(said: Said) -> Cell:
        words = (said.word(name, reveals) for name, reveals in names)
        return next((word for word in words if word is not None), None)

    return derive


def free_words(said: Said) -> str | None:
    """Return all free text of a statement."""
    found = [str(leaf.value) for leaf in said.leaves if leaf.slot.reveals == "free_text"]
    return " ".join(found) or None


def own_name(said: Said) -> str | None:
    """Return the registered name that the issuer gives itself."""
    if said.kind == "invoice.issued":
        return said.word("seller_name")
    for role, name in (("lessor", "lessor_name"), ("lessee", "lessee_name")):
        if said.word(role, "identity") == said.issuer:
            return said.word(name)
    return None


def writing(said: Said) -> str | None:
    """Return the style of the first free text or public name."""
    texts = [said.word("label"), said.word("title"), said.word("remark"), said.word("workload")]
    return next((word_style(text) for text in texts if text is not None), None)


def number(said: Said) -> str | None:
    """Return the issuer's own number of the document."""
    return next((str(leaf.value) for leaf in said.found("number") if leaf.pointer == "/number"), None)


def reference(said: Said) -> str | None:
    """Return scheme and pattern of a bank reference, or the chain of a reference on a chain."""
    value, scheme = said.word("value", "reference"), said.word("scheme", "reference")
    if value is not None and scheme is not None:
        return f"{scheme} {number_style(value)}"
    return said.word("chain", "reference")


def account_chain(said: Said) -> str | None:
    """Return the chain of an account."""
    account = said.word("account", "identity")
    return None if account is None else account.rpartition(":")[0]


def styled(inner: Callable[[Said], str | None], style: Callable[[str], str | None]) -> Callable[[Said], Cell]:
    """Derive the style of what is derived."""

    def derive(said: Said) -> Cell:
        text = inner(said)
        return None if text is None else style(text)

    return derive


def price_ratio(said: Said) -> float | None:
    """Return the price as a share of the median of earlier offers."""
    if said.price is None or not said.market_micro:
        return None
    return round(said.price.micro / said.market_micro, 6)


def price(said: Said) -> float | None:
    """Return the price of one chip and hour in millionths."""
    return None if said.price is None else said.price.micro


def price_figures(said: Said) -> str | None:
    """Return how round the price is."""
    return None if said.price is None else price_style(int(said.price.micro))
