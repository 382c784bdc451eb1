"""What the custody statements of a ledger say about machines that turned up in another country."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pseudoledger.audit.review.sight import Sight
from pseudoledger.contract.rules.asset import custody_key, serial_key
from pseudoledger.contract.things import Taken
from pseudoledger.contract.things.asset import Asset, Custody


@dataclass(frozen=True, slots=True, order=True)
class Met:
    """A serial digest that was delivered before, under another lease."""

    entry: int
    country: str
    at: int
    serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """What custody statements say: whether machines came the way that is asked about, and the entries that say so."""

    moved: bool
    entries: tuple[int, ...]
    """The last step of each machine, as of the time that is asked about."""


def moves_of(met: Iterable[Met], country: str, at: int, sight: Sight) -> Moves | None:
    """Tell whether all machines are on record as having come to a country from where they were met, by a time.

    None where the ledger holds no custody statements about one of them; those that were met in this very
    country need none.
    """
    found = [_moves(one, country, at, sight) for one in met if one.country != country]
    answers = [one for one in found if one is not None]
    if not found or len(answers) < len(found):
        return None
    entries = sorted({index for one in answers for index in one.entries})
    return Moves(moved=all(one.moved for one in answers), entries=tuple(entries))


def _moves(met: Met, country: str, at: int, sight: Sight) -> Moves | None:
    taken = sight.get(Taken, serial_key(met.serial))
    asset = None if taken is None else sight.get(Asset, taken.by)
    if taken is None or asset is None:
        return None
    steps = (sight.get(Custody, custody_key(taken.by, number)) for number in range(asset.steps))
    passed = [step for step in steps if step is not None and step.since <= at]
    if not passed:
        return None
    came = passed[-1].country == country and met.country in {step.country for step in passed[:-1]}
    return Moves(moved=came, entries=(passed[-1].entry,))
