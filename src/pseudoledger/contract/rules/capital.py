"""Rules of the family *capital*: stakes in assets, and quotas within an organisation (design §3 "Capital and allocation").

A stake binds nobody before its holder accepts it, and waiting reserves nothing: what is left is looked at
again when it is accepted. It never counts back before its acceptance, so that a split once computed stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, Rule, refuse
from pseudoledger.contract.rules.common import Fold, close_paper, open_paper, within_quota
from pseudoledger.contract.rules.market import still_valid
from pseudoledger.contract.stock import peak
from pseudoledger.contract.things import Booking, Lease, Pool
from pseudoledger.contract.things.capital import Draw, Quota, Stake, Stakes
from pseudoledger.statement.kinds.capital import QuotaDrawn, QuotaSet
from pseudoledger.statement.kinds.market import REFS_MAX
from pseudoledger.statement.values import format_instant, instant_seconds

WHOLE_BPS = 10_000
"""All of a part."""


def _asset(case: Case, ref: str) -> Pool | Stake | None:
    """Find what a stake can be in: a pool, or an owner's units in one that the owner has accepted."""
    pool = case.book.get(Pool, ref)
    if pool is not None:
        return pool
    stake = case.book.get(Stake, ref)
    return stake if stake is not None and stake.units and stake.accepted_at is not None else None


def asset_is_own(case: Case) -> Findings:
    """A stake is in a pool of the declarer, or in units that the declarer has accepted as its own."""
    ref = case.payload.asset
    asset = _asset(case, ref)
    if asset is None:
        yield refuse(
            "stake.unknown_asset",
            f"no pool and no accepted stake of units {ref} is on this ledger",
            field="/asset",
        )
        return
    if not case.is_party(asset.lessor if isinstance(asset, Pool) else asset.holder):
        yield refuse("stake.not_own_asset", "the asset is another party's", field="/asset", entry=asset.entry)


def holder_is_another(case: Case) -> Findings:
    """Nobody gives a stake to itself: what is given to nobody is the declarer's already."""
    if case.is_party(case.payload.holder):
        yield refuse("stake.own_holder", "the holder is the declarer itself", field="/holder")


def units_in_pool(case: Case) -> Findings:
    """Units stand in the lines of a pool, and are no more than it has."""
    asset = _asset(case, case.payload.asset)
    if asset is None:
        return
    for index, units in enumerate(case.payload.units or ()):
        place = f"/units/{index}"
        if isinstance(asset, Stake):
            yield refuse("stake.units_of_pool", "units are units of a pool", field=place, entry=asset.entry)
        elif units.line not in asset.lines:
            yield refuse("stake.unknown_line", f"the pool has no line {units.line!r}", field=f"{place}/line")
        elif units.count > asset.lines[units.line].count:
            yield refuse(
                "stake.more_than_pool",
                f"the pool has {asset.lines[units.line].count}",
                field=f"{place}/count",
                entry=asset.entry,
            )


def stake_not_over(case: Case) -> Findings:
    """A stake whose time is over gives nothing."""
    if case.payload.valid.until_seconds <= case.now:
        yield refuse("stake.over", f"its time ended at {case.payload.valid.until}", field="/valid")


def stake_waits(case: Case) -> Findings:
    """A stake is accepted once, before it lapses and before its time is over."""
    stake = _stake(case)
    if stake.accepted_at is not None:
        yield refuse("stake.accepted", "the stake was accepted already", entry=stake.entry)
    elif min(stake.valid_to, stake.until) <= case.now:
        lapsed = format_instant(min(stake.valid_to, stake.until))
        yield refuse("stake.lapsed", f"the declaration lapsed at {lapsed}", entry=stake.entry)


def holder_accepts(case: Case) -> Findings:
    """Only the owner or investor named in it accepts a stake."""
    stake = _stake(case)
    if not case.is_party(stake.holder):
        yield refuse("stake.not_holder", "only its holder may accept a stake", entry=stake.entry)


def stake_fits(case: Case) -> Findings:
    """Accepted stakes never come to more units than the pool has, nor to more than a whole part."""
    stake = _stake(case)
    if stake.accepted_at is not None:
        return
    others = list(_accepted(case, stake.asset))
    since = max(stake.start, case.now)
    if len(others) >= REFS_MAX:
        yield refuse("stake.too_many", f"{REFS_MAX} stakes in it run already", entry=others[-1].entry)
    pool = case.book.get(Pool, stake.pool)
    assert pool is not None, "a stake is in a pool of the book"
    for line, count in sorted(stake.units.items()):
        free = pool.lines[line].count - _peak(others, line, since, stake.until)
        if count > free:
            yield refuse(
                "stake.units_taken",
                f"of line {line!r} {max(free, 0)} units are free of other stakes",
                entry=pool.entry,
            )
    free_bps = WHOLE_BPS - _peak(others, "", since, stake.until)
    if stake.share_bps > free_bps:
        yield refuse(
            "stake.shares_taken",
            f"{free_bps} bps of the declarer's part are free of other stakes",
            entry=others[-1].entry,
        )


def _stake(case: Case) -> Stake:
    stake = case.book.get(Stake, case.sub)
    assert stake is not None, "subject_fits ran before"
    return stake


def _accepted(case: Case, asset: str) -> Iterator[Stake]:
    """Yield the accepted stakes in an asset that are not over."""
    held = case.book.get(Stakes, asset)
    for ref in held.accepted if held else ():
        stake = case.book.get(Stake, ref)
        assert stake is not None, "the list names stakes that the book holds"
        if stake.until > case.now:
            yield stake


def _peak(stakes: list[Stake], line: str, since: int, until: int) -> int:
    """Return the most units of a line, or without one the most bps, that stakes hold at any moment."""
    held = (
        Booking(
            lease="",
            line=line,
            source=stake.asset,
            count=stake.units.get(line, 0) if line else stake.share_bps,
            start=stake.since,
            until=stake.until,
        )
        for stake in stakes
    )
    return peak(held, since, until)


# Quotas


def drawer_is_another(case: Case) -> Findings:
    """Who else may draw is somebody else."""
    if case.payload.drawer is not None and case.is_party(case.payload.drawer):
        yield refuse("quota.own_drawer", "the organisation itself may draw anyway", field="/drawer")


def quota_not_over(case: Case) -> Findings:
    """A quota for a time that is over allots nothing."""
    if case.payload.period.until_seconds <= case.now:
        yield refuse("quota.over", f"its time ended at {case.payload.period.until}", field="/period")


def drawer_draws(case: Case) -> Findings:
    """The organisation draws, or whom it named, before the time of the quota is over."""
    quota = _quota(case)
    if not any(case.is_party(did) for did in (quota.organisation, quota.drawer) if did is not None):
        yield refuse("quota.not_drawer", "only the organisation or whom it named may draw", entry=quota.entry)
    if quota.until <= case.now:
        yield refuse("quota.over", f"its time ended at {format_instant(quota.until)}", entry=quota.entry)


def lease_is_drawn_for(case: Case) -> Findings:
    """A draw is for a running lease of the organisation or the drawer, one that runs in the quota's time."""
    quota, lease = _quota(case), case.book.get(Lease, case.payload.lease)
    if lease is None:
        yield refuse(
            "quota.unknown_lease", f"no lease {case.payload.lease} is on this ledger", field="/lease"
        )
        return
    if not any(case.book.same_party(lease.lessee, did) for did in (quota.organisation, quota.drawer) if did):
        yield refuse("quota.not_lessee", "its lessee is another party", field="/lease", entry=lease.entry)
    if lease.state != "signed":
        yield refuse(
            "quota.lease_not_running", f"the lease is {lease.state}", field="/lease", entry=lease.entry
        )
    if lease.start >= quota.until or lease.until <= quota.start:
        yield refuse(
            "quota.outside_period",
            "the lease runs at no time for which the quota is",
            field="/lease",
            entry=lease.entry,
        )
    if quota.currency is not None and quota.currency != lease.currency:
        yield refuse(
            "quota.other_currency",
            f"the lease is in {lease.currency}, the quota in {quota.currency}",
            field="/lease",
            entry=lease.entry,
        )


def draw_fits(case: Case) -> Findings:
    """A draw is in the measure of its quota, and no more than is left."""
    quota, said = _quota(case), case.payload
    if said.currency != quota.currency:
        measure = "unit-seconds of chips" if quota.currency is None else quota.currency
        field = "/chip_seconds" if said.currency is None else "/currency"
        yield refuse("quota.other_measure", f"the quota is in {measure}", field=field, entry=quota.entry)
    elif _amount(said) > quota.left:
        field = "/chip_seconds" if said.currency is None else "/amount_minor"
        yield refuse(
            "quota.exceeded", f"{quota.left} of {quota.limit} are left", field=field, entry=quota.entry
        )


def _quota(case: Case) -> Quota:
    quota = case.book.get(Quota, case.sub)
    assert quota is not None, "subject_fits ran before"
    return quota


def _amount(said: QuotaSet | QuotaDrawn) -> int:
    """Return how much a quota or a draw is, in its measure."""
    return said.chip_seconds or said.amount_minor or 0


# Folds


def fold_declared(case: Case) -> None:
    """Let the stake wait for its holder."""
    said, asset = case.payload, _asset(case, case.payload.asset)
    assert asset is not None, "the rules refuse what names no asset"
    valid_to = instant_seconds(said.valid_to)
    stake = Stake(
        declarer=case.party,
        holder=case.book.root_of(said.holder),
        number=said.number,
        asset=said.asset,
        pool=said.asset if isinstance(asset, Pool) else asset.pool,
        units={units.line: units.count for units in said.units or ()},
        share_bps=said.share_bps or 0,
        start=said.valid.start_seconds,
        until=said.valid.until_seconds,
        valid_to=valid_to,
        entry=case.index,
    )
    case.book.put(case.id, stake)
    open_paper(case, case.party, case.id, min(valid_to, stake.until))


def fold_accepted(case: Case) -> None:
    """Let the stake count from now on; those that are over leave the list of the asset."""
    stake = _stake(case)
    case.book.change(case.sub, stake, accepted_at=case.now)
    held = case.book.get(Stakes, stake.asset) or Stakes()
    kept = [ref for ref in held.accepted if (other := case.book.get(Stake, ref)) and other.until > case.now]
    case.book.put(stake.asset, Stakes(accepted=(*kept, case.sub)))
    close_paper(case, stake.declarer, case.sub)


def fold_set(case: Case) -> None:
    """Allot the quota."""
    said = case.payload
    quota = Quota(
        organisation=case.party,
        drawer=case.book.root_of(said.drawer) if said.drawer else None,
        number=said.number,
        start=said.period.start_seconds,
        until=said.period.until_seconds,
        currency=said.currency,
        limit=_amount(said),
        entry=case.index,
    )
    case.book.put(case.id, quota)


def fold_drawn(case: Case) -> None:
    """Take the draw off what is left."""
    quota, amount = _quota(case), _amount(case.payload)
    case.book.change(case.sub, quota, drawn=quota.drawn + amount)
    draw = Draw(
        quota=case.sub,
        lease=case.payload.lease,
        drawer=case.party,
        number=case.payload.number,
        amount=amount,
        drawn_at=case.now,
        entry=case.index,
    )
    case.book.put(case.id, draw)


RULES_2: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "stake.declared": (
            asset_is_own,
            holder_is_another,
            units_in_pool,
            stake_not_over,
            still_valid,
            within_quota,
        ),
        "stake.accepted": (holder_accepts, stake_waits, stake_fits),
        "quota.set": (drawer_is_another, quota_not_over),
        "quota.drawn": (drawer_draws, lease_is_drawn_for, draw_fits),
    }
)
FOLDS_2: Mapping[str, Fold] = MappingProxyType(
    {
        "stake.declared": fold_declared,
        "stake.accepted": fold_accepted,
        "quota.set": fold_set,
        "quota.drawn": fold_drawn,
    }
)
