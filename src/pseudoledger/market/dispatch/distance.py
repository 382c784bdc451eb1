"""How far two places are from each other, in whole kilometres, and the limits that a run sets.

Places are countries and subdivisions; each stands at one point of `contracts/tables/coordinates.csv`. A
subdivision without a row of its own stands where its country does. That is coarse: a limit sorts continents
and regions, not sites. A place without a point (ZZ, unknown) is within no limit.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from pseudoledger.contract.tables import shipped
from pseudoledger.errors import MalformedError

EARTH_RADIUS_KM = 6371
"""Mean radius; a sphere is off by 0.5 % at most."""
_LINES_MAX = 1_000_000
_PLACE = re.compile("[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A demand's work may run at most so far from a place; `place` is the lowest-latency end, its users say."""

    near: str
    km_max: int


class Distances:
    """The table of points, and the distances between them."""

    def __init__(self, points: Mapping[str, tuple[int, int]]) -> None:
        """`points` holds (latitude, longitude) in seconds of arc, by place."""
        self._points = points
        self._known: dict[tuple[str, str], int | None] = {}

    def knows(self, place: str) -> bool:
        """Tell whether a place, or the country that it lies in, has a point."""
        return self._point(place) is not None

    def km(self, one: str, other: str) -> int | None:
        """Return the great-circle distance, rounded; None where either has no point."""
        pair = (one, other) if one <= other else (other, one)
        if pair not in self._known:
            self._known[pair] = self._compute(*pair)
        return self._known[pair]

    def beyond(self, limit: Limit, place: str) -> str | None:
        """Say why a place is beyond a limit; None where it is within."""
        km = self.km(limit.near, place)
        if km is not None and km <= limit.km_max:
            return None
        far = "an unknown distance" if km is None else f"{km} km"
        return f"{far} from {limit.near}, the limit is {limit.km_max} km"

    def _point(self, place: str) -> tuple[int, int] | None:
        # The name of a country is no code: GERMANY would be taken for Georgia.
        if not _PLACE.fullmatch(place):
            return None
        return self._points.get(place) or self._points.get(place[:2])

    def _compute(self, one: str, other: str) -> int | None:
        start, end = self._point(one), self._point(other)
        if start is None or end is None:
            return None
        (lat1, lon1), (lat2, lon2) = (
            [math.radians(seconds / 3600) for seconds in point] for point in (start, end)
        )
        # The haversine form: exact also for places that are close together.
        half = (
            math.sin((lat2 - lat1) / 2) ** 2
            + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
        )
        return round(2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(half))))


@lru_cache(maxsize=1)
def load_distances() -> Distances:
    """Read the table that ships with the program; raise PeerUnreachable where the installation lacks it."""
    text = shipped("tables/coordinates.csv").decode("utf-8")
    return Distances(
        {
            row["code"]: (int(row["latitude_seconds"]), int(row["longitude_seconds"]))
            for row in csv.DictReader(io.StringIO(text, newline=""))
        }
    )


def parse_limit(near: str, km_max: str, distances: Distances) -> Limit:
    """Read one limit; raise MalformedError for a place without a point or a number that is none."""
    place = near.strip().upper()
    if not distances.knows(place):
        raise MalformedError(
            f"{near!r} is no place that the table of coordinates knows",
            code="limits.place",
            hint="name a country such as FI or a subdivision such as US-VA",
        )
    text = km_max.strip()
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise MalformedError(f"{km_max!r} is no whole number of kilometres", code="limits.km")
    return Limit(near=place, km_max=int(text))


def parse_limits(raw: bytes, distances: Distances) -> dict[str, Limit]:
    """Read a CSV file with the columns demand, near and km_max; raise MalformedError with the line."""
    try:
        reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(zip(range(_LINES_MAX), reader, strict=False))
    except (UnicodeDecodeError, csv.Error) as error:
        raise MalformedError(f"not a CSV file in UTF-8: {error}", code="limits.form") from None
    if set(reader.fieldnames or ()) != {"demand", "near", "km_max"}:
        raise MalformedError("its columns must be demand, near and km_max", code="limits.form")
    found: dict[str, Limit] = {}
    for number, row in rows:
        if None in row or None in row.values() or not row["demand"]:
            raise MalformedError(f"line {number + 2}: not three values", code="limits.form")
        if row["demand"] in found:
            raise MalformedError(f"line {number + 2}: {row['demand']} stands twice", code="limits.repeated")
        try:
            found[row["demand"]] = parse_limit(row["near"], row["km_max"], distances)
        except MalformedError as error:
            raise MalformedError(
                f"line {number + 2}: {error.message}", code=error.code, hint=error.hint
            ) from None
    return found
