"""Rules of declaring a programme of vouchers (design §3 "Vouchers")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, Rule, refuse
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.things.voucher import Programme
from pseudoledger.statement.values import LAST_SECOND, format_instant, length_seconds


def programme_still_runs(case: Case) -> Findings:
    """A programme that is over is not declared."""
    if case.payload.period.until_seconds <= case.now:
        yield refuse("programme.over", "its period is over", field="/period/until")


def programme_ends_in_calendar(case: Case) -> Findings:
    """The last voucher of a programme lapses at a time that can be written down."""
    said = case.payload
    if said.period.until_seconds + length_seconds(said.redeem_within) > LAST_SECOND:
        yield refuse(
            "programme.too_long",
            f"its vouchers would lapse after {format_instant(LAST_SECOND)}",
            field="/redeem_within",
        )


def listed_places_in_country(case: Case) -> Findings:
    """A subdivision of a listed facility belongs to the country that is listed with it."""
    for index, listed in enumerate(case.payload.facilities):
        part = listed.subdivision
        if part is not None and listed.country is not None and not part.startswith(f"{listed.country}-"):
            yield refuse(
                "place.subdivision",
                f"{part} is not in {listed.country}",
                field=f"/facilities/{index}/subdivision",
            )


def fold_programme(case: Case) -> None:
    """Open the programme."""
    case.book.put(case.id, Programme(issuer=case.party, payload=case.payload, entry=case.index))


RULES_2: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {"programme.declared": (programme_still_runs, programme_ends_in_calendar, listed_places_in_country)}
)
FOLDS_2: Mapping[str, Fold] = MappingProxyType({"programme.declared": fold_programme})
