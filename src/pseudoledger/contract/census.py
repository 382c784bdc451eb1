"""A census of declared inventory: every chip counted once, at the strongest word that there is for it.

What a party declares is the stock of its pools or, where that is more, the machines it has registered and holds.
Machines that it owns and somebody else holds are counted there, and so are those that it held while a pool stood
and has handed on for good: a pool is declared once, and its machines may be sold. Of that stock, from the strongest word down:

1. attested: seen by somebody else, in a chip_inventory claim in force (`documented` or `inspected`);
2. delivered: handed over under leases of the pools and accepted by a lessee in so many words, at the time when
   the most were; subleases hand on the same chips and do not count;
3. declared: nobody but the party itself has said so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from pseudoledger.contract.book import Book
from pseudoledger.contract.claims import IN_FORCE, standing
from pseudoledger.contract.things import Delivery, Lease, MeteredLine, Offer, Pool, TermsInForce
from pseudoledger.contract.things.asset import Asset, Custody
from pseudoledger.contract.things.claim import Claim


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """The chips of one sort of one party: attested + delivered + declared = total."""

    party: str
    chip: str
    total: int
    attested: int
    delivered: int
    declared: int
    registered: int
    """Chips in machines that it has registered or received and holds, by serial."""
    elsewhere: int
    """Chips in machines that it owns and others hold; they are counted there."""
    gone: int
    """Chips of its pools in machines that are neither its own nor with it any more; they are counted elsewhere."""
    beyond: int
    """Chips attested beyond what it declares: not counted."""
    attestors: tuple[str, ...]


def census(book: Book, now: int) -> list[Holding]:
    """Count the inventory as of a time, by party and chip."""
    pooled, gone = _pooled(book)
    registered: dict[tuple[str, str], int] = defaultdict(int)
    elsewhere: dict[tuple[str, str], int] = defaultdict(int)
    for _, asset in book.all(Asset):
        registered[asset.held_by, asset.chip] += asset.count
        if not book.same_party(asset.held_by, asset.owned_by):
            elsewhere[asset.owned_by, asset.chip] += asset.count
    attested = _attested(book, now)
    delivered = _delivered(book)
    found = []
    for party, chip in sorted({*pooled, *registered}):
        place = (party, chip)
        total = max(pooled[place] - gone[place] - elsewhere[place], registered[place])
        words = attested.get(place, {})
        seen = max(words.values(), default=0)
        by_others = min(seen, total)
        handed = max(0, min(delivered.get(place, 0), total) - by_others)
        found.append(
            Holding(
                party=party,
                chip=chip,
                total=total,
                attested=by_others,
                delivered=handed,
                declared=total - by_others - handed,
                registered=registered[place],
                elsewhere=elsewhere[place],
                gone=gone[place],
                beyond=max(0, seen - total),
                attestors=tuple(sorted(words)),
            )
        )
    return found


def _pooled(book: Book) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Return, by party and chip, the stock of all pools, and what of it has been handed on for good.

    A machine was of a pool that was declared while the party held it. One that the party registered itself was
    there before, so an older pool counts too; one that it received was not.
    """
    stock: dict[tuple[str, str], list[list[int]]] = defaultdict(list)
    for _, pool in book.all(Pool):
        for line in pool.lines.values():
            if line.chip is not None:
                stock[pool.lessor, line.chip].append([pool.entry, line.count])
    pooled = defaultdict(int, {place: sum(count for _, count in pools) for place, pools in stock.items()})
    gone: dict[tuple[str, str], int] = defaultdict(int)
    for place, came, went, count in sorted(_departures(book), key=lambda item: item[2]):
        left = count
        for pool_left in stock.get(place, ()):
            if left and came < pool_left[0] < went:
                taken = min(left, pool_left[1])
                pool_left[1] -= taken
                left -= taken
        gone[place] += count - left
    return pooled, gone


def _departures(book: Book) -> Iterator[tuple[tuple[str, str], int, int, int]]:
    """Yield ((party, chip), entry it came by or -1, entry it went by, chips) of machines that parties gave up."""
    steps: dict[str, list[Custody]] = defaultdict(list)
    for _, step in book.all(Custody):
        steps[step.asset].append(step)
    for ref, asset in book.all(Asset):
        chain = sorted(steps[ref], key=lambda step: step.entry)
        came = {chain[0].held_by: -1}
        went: dict[str, int] = {}
        for before, after in pairwise(chain):
            came.setdefault(after.held_by, after.entry)
            if not book.same_party(before.held_by, after.held_by):
                went[before.held_by] = after.entry
        for party, entry in went.items():
            if not any(book.same_party(party, now) for now in (asset.held_by, asset.owned_by)):
                yield (party, asset.chip), came[party], entry, asset.count


def _attested(book: Book, now: int) -> dict[tuple[str, str], dict[str, int]]:
    """Return, by party and chip, how many each attestor has seen; one that speaks twice of a pool counts once."""
    seen: dict[tuple[str, str], dict[str, dict[str, int]]] = defaultdict(lambda: defaultdict(dict))
    for _, claim in book.all(Claim):
        said = claim.payload
        third = not book.same_party(claim.attestor, claim.subject) and said.tier != "declared"
        if said.claim != "chip_inventory" or not third or standing(book, claim, now) != IN_FORCE:
            continue
        counts: dict[str, int] = defaultdict(int)
        for chips in said.chips or ():
            counts[chips.chip] += chips.count
        for chip, count in counts.items():
            by_pool = seen[book.root_of(claim.subject), chip][book.root_of(claim.attestor)]
            by_pool[said.about or ""] = max(count, by_pool.get(said.about or "", 0))
    return {
        place: {attestor: _once(by_pool) for attestor, by_pool in words.items()}
        for place, words in seen.items()
    }


def _once(by_pool: dict[str, int]) -> int:
    """Add up what was seen of single pools; a claim about no pool may be about the same chips."""
    pools = sum(count for pool, count in by_pool.items() if pool)
    return max(pools, by_pool.get("", 0))


def _delivered(book: Book) -> dict[tuple[str, str], int]:
    """Return, by lessor and chip, the most units that lessees had accepted at one time."""
    spans: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)
    accepted = {key for key, delivery in book.all(Delivery) if delivery.state == "accepted"}
    for lease_id, lease in book.all(Lease):
        if lease.signed_at is None:
            continue
        end = lease.until if lease.ended_at is None else lease.ended_at
        held = book.get(TermsInForce, lease.versions[-1].terms)
        for line in held.payload.lines if held else ():
            metered = book.get(MeteredLine, f"{lease_id}/{line.id}")
            if (
                line.chip is None
                or line.offer is None
                or metered is None
                or book.get(Offer, line.offer) is None
            ):
                continue
            for batch in metered.batches:
                if batch.delivery in accepted and batch.answered_at is not None:
                    spans[lease.lessor, line.chip].append((batch.answered_at, end, batch.count))
    return {place: _most(items) for place, items in spans.items()}


def _most(spans: Iterable[tuple[int, int, int]]) -> int:
    """Return the most units of some spans [start, end) that run at one time."""
    events = sorted(
        event for start, end, count in spans if start < end for event in ((start, 1, count), (end, 0, -count))
    )
    running = most = 0
    for _, _, change in events:
        running += change
        most = max(most, running)
    return most
