"""Machines: the list of them, and one with its custody chain, the countries it passed and the gaps in it.

Their address is /machines, as /assets is where styles and scripts are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pseudoledger.contract.custody import Chain, Gap, Step, custody_chain
from pseudoledger.contract.things import Lease
from pseudoledger.contract.things.asset import Asset
from pseudoledger.node.pages.lists import Listed, paged, read_all
from pseudoledger.node.pages.site import Ask, Page
from pseudoledger.node.pages.timeline import Event, Timeline, span_of
from pseudoledger.node.reading import View

WAY = "way"
"""Lane of the times between sending and receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The list of machines and how it was narrowed."""

    list: Listed[tuple[str, Asset]]
    country: str
    countries: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One step of a machine's custody, and the statement that began it."""

    step: Step
    statement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What the page of a machine says."""

    id: str
    asset: Asset
    chain: Chain
    steps: Sequence[Held]
    timeline: Timeline
    leases: Sequence[tuple[str, str]]
    """Id and number of each lease that it was delivered under."""


def make_list(view: View, ask: Ask) -> Page | None:
    """List machines, newest first, those in one country if asked."""
    country = ask.text("country").upper()
    read = read_all(view, Asset)
    rows = [(key, item) for key, item in read.things if country in {"", item.country}]
    rows.sort(key=lambda row: -row[1].entry)
    countries = sorted({item.country for _, item in read.things})
    board = Board(list=paged(rows, ask, cut=read.cut), country=country, countries=countries)
    return Page(template="machines.html", title="machines.title", about=board)


def make_machine(view: View, ask: Ask) -> Page | None:
    """Show one machine."""
    key = ask.path["id"]
    asset = view.book.get(Asset, key)
    if asset is None:
        return None
    chain = custody_chain(view.book, key, ask.now)
    leases = [(name, held) for name in chain.leases if (held := view.book.get(Lease, name))]
    about = About(
        id=key,
        asset=asset,
        chain=chain,
        steps=[Held(step=step, statement=_statement(view, step.entry)) for step in chain.steps],
        timeline=_timeline(chain, ask.now),
        leases=[(name, held.number) for name, held in leases],
    )
    return Page(template="machine.html", title="machine.title", about=about, named=asset.number)


def _statement(view: View, entry: int) -> str:
    row = view.store.entry(entry)
    assert row is not None, "a step of custody is an entry"
    return row.id


def _timeline(chain: Chain, now: int) -> Timeline:
    """Draw where the machine was: a lane for each country, and one for the times on the way."""
    events = []
    for step in chain.steps:
        until = now if step.until is None else step.until
        left = [gap.since for gap in chain.gaps if _within(gap, step.since, until)]
        end = min([until, *(since for since in left if since is not None)])
        events.append(
            Event(lane=step.country, start=step.since, until=max(end, step.since), id="", status="")
        )
    events += [
        Event(lane=WAY, start=gap.since, until=max(gap.until, gap.since), id="", status="")
        for gap in chain.gaps
        if gap.since is not None and gap.until is not None
    ]
    # Too short to be seen as a bar: a dot.
    seen = (now - chain.steps[0].since) // 200
    events = [
        event if event.until - event.start > seen else replace(event, until=event.start) for event in events
    ]
    lanes = (*dict.fromkeys(step.country for step in chain.steps), WAY)
    return span_of(events, now, lanes)


def _within(gap: Gap, since: int, until: int) -> bool:
    return gap.since is not None and since <= gap.since < until
