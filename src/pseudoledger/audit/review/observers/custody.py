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


def shown_moving(met: Iterable[Met], country: str, at: int, sight: Sight) -> bool | None:
    """Tell whether all machines are on record as having come to a country from where they were met, by a time.

    None where the ledger holds no custody statements about one of them; those that were met in this very
    country need none.
    """
    answers = [_moved(one, country, at, sight) for one in met if one.country != country]
    if None in answers:
        return None
    return all(answers) if answers else None


def _moved(met: Met, country: str, at: int, sight: Sight) -> bool | None:
    taken = sight.get(Taken, serial_key(met.serial))
    asset = None if taken is None else sight.get(Asset, taken.by)
    if taken is None or asset is None:
        return None
    steps = (sight.get(Custody, custody_key(taken.by, number)) for number in range(asset.steps))
    passed = [step.country for step in steps if step is not None and step.since <= at]
    if not passed:
        return None
    return passed[-1] == country and met.country in passed[:-1]
