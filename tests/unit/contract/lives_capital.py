"""The lives of stakes and quotas: a lessor, an owner of machines in its pool, an investor, an organisation."""

from hashlib import sha256

from lives import Life

from play import DAY, HOUR, START, Deal, key
from play.capital import drawn, quota, share, stake_accepted, units
from play.papers import ended, instant, period

NONE = sha256(b"none").hexdigest()
LATE = instant(START + 200 * DAY)


class Capital(Deal):
    """A pool whose stake waits for its owner."""

    def __init__(self) -> None:
        super().__init__()
        self.owner, self.investor = key("capital owner"), key("capital investor")
        self.stake = self.share = self.quota = NONE

    def declared(self):
        self.offered()
        valid = period(START + 10 * DAY, START + 60 * DAY)
        self.stake = self.table.act(self.lessor, units(self.pool, self.owner.did, valid=valid))
        return self

    def accepted(self):
        self.declared()
        self.table.act(self.owner, stake_accepted(), self.stake)
        self.table.later(HOUR)
        return self

    def shared(self):
        self.accepted()
        self.share = self.table.act(self.owner, share(self.stake, self.investor.did, 10_000))
        self.table.act(self.investor, stake_accepted(), self.share)
        return self


def _later(state, seconds):
    def play():
        capital = state(Capital())
        capital.table.at(START + seconds)
        return capital

    return play


STAKE_EVENTS = {
    "stake.declared, units": lambda on, _who: (
        units(on.pool, on.owner.did, 6, number="S8", valid_to=LATE),
        None,
    ),
    "stake.declared, share": lambda on, _who: (
        share(on.stake, on.investor.did, 1, number="S9", valid_to=LATE),
        None,
    ),
    "stake.accepted": lambda on, _who: (stake_accepted(), on.stake),
}


def _organised(*steps):
    def play():
        deal = Capital().running()
        deal.quota = deal.table.act(deal.lessee, quota(drawer=deal.owner.did))
        for step in steps:
            if step == "drawn":
                deal.table.act(deal.owner, drawn(deal.lease, 3_600_000), deal.quota)
            elif step == "lease ended":
                deal.table.act(deal.lessee, ended(1), deal.lease)
            elif step == "over":
                deal.table.at(START + 90 * DAY)
        return deal

    return play


LIVES = {
    "stake": Life(
        states={
            "declared": _later(Capital.declared, HOUR),
            "lapsed": _later(Capital.declared, 30 * DAY),
            "accepted": _later(Capital.accepted, HOUR),
            "counts": _later(Capital.accepted, 11 * DAY),
            "shared": _later(Capital.shared, 11 * DAY),
            "over": _later(Capital.accepted, 60 * DAY),
        },
        events=STAKE_EVENTS,
        roles=("lessor", "owner", "investor", "stranger"),
    ),
    "quota": Life(
        states={
            "set": _organised(),
            "drawn": _organised("drawn"),
            "lease ended": _organised("lease ended"),
            "over": _organised("over"),
        },
        events={
            "quota.set": lambda _deal, _who: (
                quota(number="Q2", period=period(START, START + 120 * DAY)),
                None,
            ),
            "quota.drawn": lambda deal, _who: (drawn(deal.lease, number="D9"), deal.quota),
        },
        roles=("lessor", "lessee", "owner", "stranger"),
    ),
}
