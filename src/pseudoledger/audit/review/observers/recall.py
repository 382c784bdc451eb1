"""Recall: a lessor that ends leases early, and what becomes of the stock it took back.

Leases that lessors ended in the last half year are remembered by the line of the pool their chips came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import ClassVar

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Sort, Table, table
from pseudoledger.audit.review.observers.base import SignedLease, signed_lease
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.things import Lease, Offer, TermsInForce
from pseudoledger.statement.kinds.lease import LeaseEnded, Terms, TermsLine
from pseudoledger.statement.kinds.market import OfferWithdrawn

WINDOW_S = 180 * 86_400
"""How long stock that was taken back is looked out for."""
_LESSOR_CODES = range(10_000, 20_000)
HELD_MAX = 10_000
"""Recalled lines that are looked out for at a time; the oldest go first."""

RECALL = table(
    "recall",
    "Stock of a lease that its lessor ended before its time: leased again (basis leased), its offer taken back"
    " (withdrawn), or neither until the end of what is reviewed (idle).",
    reads=("lease.signed", "lease.ended", "offer.withdrawn"),
    facts=(
        Fact(name="basis", sort=Sort.TEXT, says="leased, withdrawn or idle"),
        Fact(name="number", sort=Sort.TEXT, says="Number of the lease that was ended"),
        Fact(name="lessor", sort=Sort.TEXT, says="First key of the lessor's identity"),
        Fact(name="chip", sort=Sort.TEXT, says="Row of the chip table", missing="the line is not of chips"),
        Fact(name="count", sort=Sort.INTEGER, says="Units taken back", unit="C62"),
        Fact(name="code", sort=Sort.INTEGER, says="Reason code of the lessor", unit=""),
        Fact(name="left_s", sort=Sort.INTEGER, says="Time that the lease still had to run", unit="s"),
        Fact(name="after_s", sort=Sort.INTEGER, says="Time from the end to what is seen here", unit="s"),
        Fact(
            name="count_after",
            sort=Sort.INTEGER,
            says="Units of the same pool line leased again",
            unit="C62",
            missing="not leased again",
        ),
        Fact(
            name="same_lessee",
            sort=Sort.TRUTH,
            says="Whether the lessee is the same",
            missing="not leased again",
        ),
        Fact(
            name="price_ratio",
            sort=Sort.RATIO,
            says="New price of a unit and hour over the old one",
            missing="not leased again, or in another currency or basis",
        ),
        Fact(
            name="early_ends",
            sort=Sort.INTEGER,
            says="Leases that this lessor has ended early so far",
            unit="C62",
        ),
    ),
)


class Recalls:
    """Reads signatures and ends of leases, and withdrawn offers."""

    tables: ClassVar[tuple[Table, ...]] = (RECALL,)
    reads: ClassVar[frozenset[str]] = frozenset(RECALL.reads)

    def __init__(self) -> None:
        self._held: dict[str, _Recalled] = {}
        """By `pool/line`, in the order of their ends."""

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Take an end, or yield what becomes of stock that was taken back."""
        match entry.payload:
            case LeaseEnded() as ended if ended.code in _LESSOR_CODES:
                self._end(entry, ended, sight)
            case LeaseEnded():
                return
            case OfferWithdrawn():
                yield from self._withdrawn(entry, sight)
            case _:
                signed = signed_lease(entry, sight)
                if signed is not None:
                    yield from self._again(entry, signed, sight)

    def finish(self, _sight: Sight, at: int) -> Iterator[Observation]:
        """Yield the stock that was not seen again."""
        for key, held in self._held.items():
            if at - held.at <= WINDOW_S:
                yield held.observed("idle", key, at)

    def _end(self, entry: Read, ended: LeaseEnded, sight: Sight) -> None:
        lease = sight.get(Lease, entry.statement.sub)
        # A lease that ended has no later versions: the last terms are those that were in force.
        terms = None if lease is None else sight.get(TermsInForce, lease.versions[-1].terms)
        if lease is None or terms is None or terms.payload.period.until_seconds <= entry.at:
            return
        lessor = sight.root(lease.lessor)
        ends = (sight.notebook.get("early ends", lessor) or 0) + 1
        sight.notebook.put("early ends", lessor, ends)
        for line in terms.payload.lines:
            key = _source(line, sight)
            if key is None:
                continue
            self._held.pop(key, None)
            self._held[key] = _Recalled(
                at=entry.at,
                lease=lease,
                line=line,
                terms=terms.payload,
                lessor=lessor,
                lessee=sight.root(lease.lessee),
                code=ended.code,
                ends=ends,
                cites=(sight.cite(terms.entry, "terms"), cited(entry, "early end")),
            )
        while self._held and (
            len(self._held) > HELD_MAX or entry.at - next(iter(self._held.values())).at > WINDOW_S
        ):
            del self._held[next(iter(self._held))]

    def _again(self, entry: Read, signed: SignedLease, sight: Sight) -> Iterator[Observation]:
        for line in signed.terms.lines:
            key = _source(line, sight) if self._held else None
            held = None if key is None else self._held.get(key)
            if key is None or held is None or entry.at - held.at > WINDOW_S:
                continue
            facts: dict[str, FactValue] = {
                "count_after": line.count,
                "same_lessee": signed.lessee == held.lessee,
            }
            ratio = _price_ratio(held, line, signed.terms)
            if ratio is not None:
                facts["price_ratio"] = ratio
            yield held.observed(
                "leased", key, entry.at, cites=signed.cites, facts=facts, lessee=signed.lessee
            )
            del self._held[key]

    def _withdrawn(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        offer = sight.get(Offer, entry.statement.sub) if self._held else None
        if offer is None:
            return
        for line in offer.payload.lines:
            key = f"{offer.payload.pool}/{line.pool_line}"
            held = self._held.get(key)
            if held is not None and entry.at - held.at <= WINDOW_S:
                cites = (sight.cite(offer.entry, "offer"), cited(entry, "withdrawal"))
                yield held.observed("withdrawn", key, entry.at, cites=cites)
                del self._held[key]


class _Recalled:
    """One pool line of a lease that its lessor ended early."""

    def __init__(
        self,
        *,
        at: int,
        lease: Lease,
        line: TermsLine,
        terms: Terms,
        lessor: str,
        lessee: str,
        code: int,
        ends: int,
        cites: tuple[Cited, ...],
    ) -> None:
        self.at, self.line, self.lessor, self.lessee = at, line, lessor, lessee
        self.rate = next((rate for rate in terms.tariff.lines if rate.line == line.id), None)
        self.currency = terms.tariff.currency
        self._number, self._cites = lease.number, cites
        self._facts: dict[str, FactValue] = {
            "lessor": lessor,
            "count": line.count,
            "code": code,
            "left_s": terms.period.until_seconds - at,
            "early_ends": ends,
        }
        if line.chip is not None:
            self._facts["chip"] = line.chip

    def observed(
        self,
        basis: str,
        key: str,
        at: int,
        *,
        cites: tuple[Cited, ...] = (),
        facts: dict[str, FactValue] | None = None,
        lessee: str = "",
    ) -> Observation:
        """Say what became of it."""
        parties = (("lessor", self.lessor), ("lessee before", self.lessee))
        return Observation(
            table=RECALL,
            at=at,
            subject=f"{key}/{self.at}",
            facts={
                **self._facts,
                "basis": basis,
                "number": self._number,
                "after_s": at - self.at,
                **(facts or {}),
            },
            cites=(*self._cites, *cites),
            parties=(*parties, ("lessee", lessee)) if lessee else parties,
        )


def _source(line: TermsLine, sight: Sight) -> str | None:
    """Return the pool line that a lease's line is taken from; None for a sublease."""
    offer = None if line.offer is None else sight.get(Offer, line.offer)
    if offer is None:
        return None
    taken = next((item for item in offer.payload.lines if item.id == line.offer_line), None)
    return None if taken is None else f"{offer.payload.pool}/{taken.pool_line}"


def _price_ratio(held: _Recalled, line: TermsLine, terms: Terms) -> Fraction | None:
    rate = next((rate for rate in terms.tariff.lines if rate.line == line.id), None)
    old = held.rate
    if rate is None or old is None or terms.tariff.currency != held.currency or rate.basis != old.basis:
        return None
    if rate.price_micro is None or not old.price_micro:
        return None
    return Fraction(rate.price_micro, old.price_micro)
