"""Who earned what: an invoice split among the owners of a pool and the investors in it (design §3 "Capital").

A split is computed and never stated. It follows from what the lease cites and from nothing else: its terms name
the offer, the offer the pool, and the stakes in the pool were accepted by those whom they name. Of each usage
report the units of the pool's line that were in it at each moment have the same part, whichever of them served:
owners by the units that they brought in, the lessor by the rest. Shares then take their basis points of the part
of whoever declared them. A fee at delivery is split as the pool stood when the line was first delivered; a fee
for ending early is the lessor's, as is what is sublet from a head lease.

What is split is the net of each line less its credits. All parts are exact fractions until the end, and are
rounded once for an invoice, by the largest remainder, ties by did, so that they add up to the minor unit. Tax
and a broker's commission are no part of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import billed_seconds, first_delivery, invoice_status
from pseudoledger.contract.things import Invoice, Lease, MeteredLine, Offer, Pool, TermsInForce, Usage
from pseudoledger.contract.things.capital import Stake
from pseudoledger.errors import MalformedError
from pseudoledger.statement.kinds.billing import InvoiceLine
from pseudoledger.statement.kinds.lease import Terms

Role = Literal["lessor", "owner", "investor"]
WHOLE_BPS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one party earned of an invoice."""

    party: str
    roles: tuple[Role, ...]
    stakes: tuple[str, ...]
    """Stakes by which it has a part."""
    chip_seconds: int
    """Unit-seconds that its units contributed; an investor contributes none."""
    exact: Fraction
    """Its part in minor units before rounding."""
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """An invoice split among those who earned it; the amounts add up to what is split."""

    invoice: str
    number: str
    lease: str
    currency: str
    status: str
    settled: bool
    """Whether the money has arrived; before that the split says what it would be."""
    amount_minor: int
    """Net of the lines less what was credited."""
    chip_seconds: int
    parts: tuple[Part, ...]
    """The largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Holding:
    """So much of a pool's line at one moment: in units that were brought in, and in units that are earned."""

    party: str
    role: Role
    stake: str
    brought: int
    earns: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """Where a line of a lease takes its units from: a line of a pool, and everybody's stakes in the pool."""

    lessor: str
    pool: str
    line: str
    count: int
    stakes: tuple[tuple[str, Stake], ...]

    def holdings(self, at: int) -> Iterator[_Holding]:
        """Yield who has what of the line's units at a moment."""
        running = [(ref, stake) for ref, stake in self.stakes if stake.since <= at < stake.until]
        own = self.count
        for ref, stake in running:
            units = stake.units.get(self.line, 0)
            if units:
                own -= units
                yield from _shared(stake.holder, "owner", ref, units, _shares_in(running, ref))
        if own:
            yield from _shared(self.lessor, "lessor", "", own, _shares_in(running, self.pool))

    def moments(self, start: int, until: int) -> Iterator[tuple[int, int]]:
        """Cut a stretch of time where a stake begins or ends: yield (moment, seconds that it stands for)."""
        cuts = {start, until}
        for _, stake in self.stakes:
            cuts.update(at for at in (stake.since, stake.until) if start < at < until)
        ordered = sorted(cuts)
        for at, end in pairwise(ordered):
            yield at, end - at


def _shares_in(running: Iterable[tuple[str, Stake]], asset: str) -> list[tuple[str, Stake]]:
    return [(ref, stake) for ref, stake in running if stake.asset == asset and stake.share_bps]


def _shared(
    party: str, role: Role, stake: str, units: int, shares: Sequence[tuple[str, Stake]]
) -> Iterator[_Holding]:
    """Yield what is left of a part to whom it belongs, and the shares that investors have in it."""
    rest = Fraction(units)
    for ref, share in shares:
        earned = Fraction(units * share.share_bps, WHOLE_BPS)
        rest -= earned
        yield _Holding(party=share.holder, role="investor", stake=ref, brought=0, earns=earned)
    yield _Holding(party=party, role=role, stake=stake, brought=units, earns=rest)


@dataclass(slots=True)
class _Tally:
    """Exact sums by party while an invoice is gone through."""

    money: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    seconds: dict[str, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    roles: dict[str, set[Role]] = field(default_factory=lambda: defaultdict(set))
    stakes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, holding: _Holding, party: str, *, money: Fraction, seconds: Fraction) -> None:
        """Add what a holding earned and contributed."""
        self.money[party] += money
        self.seconds[party] += seconds
        self.roles[party].add(holding.role)
        if holding.stake:
            self.stakes[party].add(holding.stake)


def split_invoice(book: Book, invoice_id: str, lines: Sequence[InvoiceLine], now: int) -> Split:
    """Split an invoice of a lessor; `lines` are those of its statement. Raises MalformedError for any other."""
    invoice = book.get(Invoice, invoice_id)
    if invoice is None:
        raise MalformedError(f"no invoice {invoice_id} is on this ledger", code="invoice.unknown")
    if invoice.commission is not None:
        raise MalformedError(
            "a broker's commission is nobody else's to share",
            code="split.commission",
            hint="name an invoice of the lessor",
        )
    held = book.get(TermsInForce, invoice.contract)
    assert held is not None, "an invoice names terms that the book holds"
    tally, net, quantity = _Tally(), 0, 0
    for line in lines:
        billed = invoice.lines[line.id]
        left = 0 if invoice.state == "cancelled" else billed.net_minor - billed.credited_minor
        net += left
        quantity += line.quantity if line.reports else 0
        _split_line(book, tally, invoice.lease, held.payload, line, left_minor=left, now=now)
    status = invoice_status(invoice, now)
    return Split(
        invoice=invoice_id,
        number=invoice.number,
        lease=invoice.lease,
        currency=invoice.currency,
        status=status,
        settled=status == "settled",
        amount_minor=net,
        chip_seconds=quantity,
        parts=_parts(tally, net, quantity),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What one party earned of a lease, over its invoices."""

    party: str
    roles: tuple[Role, ...]
    chip_seconds: int
    settled_minor: int
    waiting_minor: int
    """Of invoices whose money has not arrived."""


def add_up(splits: Sequence[Split]) -> tuple[Earned, ...]:
    """Add up the splits of the invoices of a lease, by party, the largest first."""
    parts = [(split.settled, part) for split in splits for part in split.parts]
    earned = [
        Earned(
            party=party,
            roles=tuple(sorted({role for _, part in mine for role in part.roles})),
            chip_seconds=sum(part.chip_seconds for _, part in mine),
            settled_minor=sum(part.amount_minor for settled, part in mine if settled),
            waiting_minor=sum(part.amount_minor for settled, part in mine if not settled),
        )
        for party in sorted({part.party for _, part in parts})
        for mine in ([item for item in parts if item[1].party == party],)
    ]
    return tuple(sorted(earned, key=lambda item: (-item.settled_minor - item.waiting_minor, item.party)))


def _parts(tally: _Tally, net: int, quantity: int) -> tuple[Part, ...]:
    amounts = largest_remainder(net, tally.money)
    seconds = largest_remainder(quantity, tally.seconds)
    return tuple(
        Part(
            party=party,
            roles=tuple(sorted(tally.roles[party])),
            stakes=tuple(sorted(tally.stakes[party])),
            chip_seconds=seconds[party],
            exact=tally.money[party],
            amount_minor=amounts[party],
        )
        for party in sorted(amounts, key=lambda party: (-amounts[party], party))
    )


def _split_line(
    book: Book, tally: _Tally, lease_id: str, terms: Terms, line: InvoiceLine, *, left_minor: int, now: int
) -> None:
    """Add the parts of one line of an invoice."""
    lease = book.get(Lease, lease_id)
    assert lease is not None, "an invoice is of a lease of the book"
    source = _source_of(book, lease, terms, line)
    weights = list(_weights(book, lease_id, terms, line, now)) if source is not None else []
    whole = sum(weight for _, _, weight in weights)
    quantity = line.quantity if line.reports else 0
    if source is None or whole == 0:
        alone = _Holding(party=lease.lessor, role="lessor", stake="", brought=1, earns=Fraction(1))
        party = book.root_of(lease.lessor)
        tally.add(alone, party, money=Fraction(left_minor), seconds=Fraction(quantity))
        return
    for start, until, weight in weights:
        for at, seconds in source.moments(start, until):
            part = Fraction(weight * seconds, whole * (until - start) * source.count)
            for holding in source.holdings(at):
                money, contributed = left_minor * part * holding.earns, quantity * part * holding.brought
                tally.add(holding, book.root_of(holding.party), money=money, seconds=contributed)


def _source_of(book: Book, lease: Lease, terms: Terms, line: InvoiceLine) -> _Source | None:
    """Find the line of a pool that a billed line takes its units from; None where it takes them from none."""
    leased = next((item for item in terms.lines if item.id == line.lease_line), None)
    offer = book.get(Offer, leased.offer) if leased is not None and leased.offer else None
    if leased is None or offer is None:
        return None
    pool = book.get(Pool, offer.payload.pool)
    assert pool is not None, "an offer names a pool of the book"
    name = next(item.pool_line for item in offer.payload.lines if item.id == leased.offer_line)
    return _Source(
        lessor=lease.lessor,
        pool=offer.payload.pool,
        line=name,
        count=pool.lines[name].count,
        stakes=stakes_in(book, offer.payload.pool),
    )


def stakes_in(book: Book, pool: str) -> tuple[tuple[str, Stake], ...]:
    """Return (id, stake) of every accepted stake in a pool and in its owners' parts, oldest first."""
    found = [(ref, s) for ref, s in book.all(Stake) if s.pool == pool and s.accepted_at is not None]
    return tuple(sorted(found, key=lambda item: item[1].entry))


def _weights(
    book: Book, lease_id: str, terms: Terms, line: InvoiceLine, now: int
) -> Iterator[tuple[int, int, int]]:
    """Yield (start, until, unit-seconds) of what a line bills; for a fee the moment of the delivery."""
    metered = book.get(MeteredLine, f"{lease_id}/{line.lease_line}")
    if metered is None:
        return
    if line.part == "once":
        delivered = first_delivery(metered, now)
        if delivered is not None:
            yield delivered, delivered + 1, 1
        return
    count = next(item.count for item in terms.lines if item.id == line.lease_line)
    rate = next(rate for rate in terms.tariff.lines if rate.line == line.lease_line)
    for report in line.reports or ():
        usage = book.get(Usage, report)
        assert usage is not None, "an invoice bills reports of the book"
        yield usage.start, usage.until, billed_seconds(usage, rate, metered, count, now)


def largest_remainder(total: int, exact: Mapping[str, Fraction]) -> dict[str, int]:
    """Round parts of a whole number so that they add up to it: down, then up by the largest remainder, ties by key.

    The parts add up to the total exactly; each comes out less than one away from what it is.
    """
    assert sum(exact.values()) == total, "the parts make the whole"
    rounded = {key: part.numerator // part.denominator for key, part in exact.items()}
    short = total - sum(rounded.values())
    for key in sorted(exact, key=lambda key: (rounded[key] - exact[key], key))[:short]:
        rounded[key] += 1
    return rounded
