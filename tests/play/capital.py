"""Payloads of stakes and quotas, in the clear."""

from __future__ import annotations

from typing import Any

from play.papers import DAY, START, Tree, changed, instant, period, simple


def units(asset: str, holder: str, count: int = 3, changes: Any = None, **members: Any) -> Tree:
    """So many chips of a pool belong to the holder, from START for a year."""
    tree = simple(
        "stake.declared",
        number="S1",
        asset=asset,
        holder=holder,
        units=[{"line": "h100", "count": count}],
        valid=period(START, START + 365 * DAY),
        valid_to=instant(START + 30 * DAY),
        label="their racks",
    )
    return changed({**tree, **members}, changes or {})


def share(asset: str, holder: str, bps: int = 2_500, **members: Any) -> Tree:
    """So much of the declarer's part is the holder's, from START for a year."""
    tree = {**units(asset, holder), "number": "S2", "share_bps": bps, **members}
    del tree["units"]
    return tree


def stake_accepted() -> Tree:
    return simple("stake.accepted")


def quota(changes: Any = None, **members: Any) -> Tree:
    """1,000 chip-hours for 90 days, or money where it is said."""
    tree = simple(
        "quota.set",
        number="Q1",
        period=period(START, START + 90 * DAY),
        label="the vision team",
        **({} if "currency" in members else {"chip_seconds": 3_600_000}),
    )
    return changed({**tree, **members}, changes or {})


def drawn(lease: str, chip_seconds: int | None = 3_600, **members: Any) -> Tree:
    return {**simple("quota.drawn", number="D1", lease=lease, chip_seconds=chip_seconds), **members}
