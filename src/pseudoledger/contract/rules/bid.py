"""Rules of bids: priced answers to offers and demands, countered until one side leaves (design §3).

A bid binds nobody; a lease proposal may answer it. A broker bids only under a mandate with that scope and
never accepts for its principal.
"""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules.affiliate import bidding_broker_no_affiliate
from pseudoledger.contract.rules.common import Fold, close_paper, open_paper, within_quota
from pseudoledger.contract.rules.market import demand_open, mandate_in_force, offer_open, still_valid
from pseudoledger.contract.things import Bid, Demand, Mandate, Offer
from pseudoledger.statement.values import instant_seconds


def _addressee(case: Case, on: str) -> str:
    offer = case.book.get(Offer, on)
    if offer is not None:
        return offer.lessor
    demand = case.book.get(Demand, on)
    assert demand is not None, "a bid is on an offer or a demand"
    return demand.lessee


def _bidder(case: Case) -> str:
    mandate = case.book.get(Mandate, case.payload.mandate) if case.payload.mandate else None
    return mandate.principal if mandate else case.party


def bid_on_open_paper(case: Case) -> Findings:
    """The offer or demand is open and somebody else's."""
    offer, demand = case.book.get(Offer, case.sub), case.book.get(Demand, case.sub)
    if offer is not None:
        yield from offer_open(case, offer, "")
    if demand is not None:
        yield from demand_open(case, demand, "")
    if case.book.same_party(_bidder(case), _addressee(case, case.sub)):
        yield refuse("bid.on_own", "nobody bids on its own offer or demand")


def bid_under_mandate(case: Case) -> Findings:
    """A broker that bids holds a mandate for it."""
    if case.payload.mandate is not None:
        yield from mandate_in_force(case, case.payload.mandate, "bid", "/mandate")
        if case.is_party(_addressee(case, case.sub)):
            yield refuse("broker.is_party", "a broker that is itself lessor or lessee brokers nothing")


def bid_lines_exist(case: Case) -> Findings:
    """Every priced line stands in the offer or demand, once, and not for more than it has."""
    on = case.sub if case.payload.type == "bid.placed" else case.bid.on
    paper = case.book.get(Offer, on) or case.book.get(Demand, on)
    counts = {line.id: line.count for line in paper.payload.lines} if paper else {}
    seen: set[str] = set()
    for index, line in enumerate(case.payload.lines):
        if line.line not in counts:
            yield refuse("bid.unknown_line", f"there is no line {line.line!r}", field=f"/lines/{index}/line")
        elif line.count > counts[line.line]:
            yield refuse(
                "bid.more_than_listed", f"the line has {counts[line.line]}", field=f"/lines/{index}/count"
            )
        if line.line in seen:
            yield refuse(
                "line.id_reused", f"line {line.line!r} is priced twice", field=f"/lines/{index}/line"
            )
        seen.add(line.line)


def bid_is_open(case: Case) -> Findings:
    """Only a bid that was not answered and has not lapsed can be answered."""
    if case.bid.state != "open":
        yield refuse("bid.closed", f"the bid was {case.bid.state}", entry=case.bid.entry)
    elif case.bid.valid_to <= case.now:
        yield refuse("paper.lapsed", "the bid has lapsed", entry=case.bid.entry)


def has_the_turn(case: Case) -> Findings:
    """The side that did not make the last price answers."""
    other = case.bid.addressee if case.bid.last == case.bid.bidder else case.bid.bidder
    if not case.is_party(other):
        yield refuse("bid.not_your_turn", "the answer is the other side's", entry=case.bid.entry)


def made_the_last_price(case: Case) -> Findings:
    """Only the side that made the last price takes it back."""
    if not case.is_party(case.bid.last):
        yield refuse("bid.not_yours", "the last price is the other side's", entry=case.bid.entry)


def fold_placed(case: Case) -> None:
    """Open the negotiation."""
    bidder, valid_to = _bidder(case), instant_seconds(case.payload.valid_to)
    bid = Bid(
        on=case.sub,
        bidder=bidder,
        addressee=_addressee(case, case.sub),
        last=bidder,
        placed_by=case.party,
        mandate=case.payload.mandate,
        valid_to=valid_to,
        entry=case.index,
    )
    case.book.put(case.id, bid)
    open_paper(case, case.party, case.id, valid_to)


def fold_countered(case: Case) -> None:
    """Pass the turn."""
    bid, valid_to = case.bid, instant_seconds(case.payload.valid_to)
    last = bid.addressee if bid.last == bid.bidder else bid.bidder
    case.book.change(case.sub, bid, last=last, valid_to=valid_to)
    open_paper(case, bid.placed_by, case.sub, valid_to)


def _close(case: Case, state: str) -> None:
    close_paper(case, case.bid.placed_by, case.sub)
    case.book.change(case.sub, case.bid, state=state)


def fold_rejected(case: Case) -> None:
    """Close the negotiation."""
    _close(case, "rejected")


def fold_withdrawn(case: Case) -> None:
    """Close the negotiation."""
    _close(case, "withdrawn")


RULES = MappingProxyType(
    {
        "bid.placed": (bid_on_open_paper, bid_under_mandate, bid_lines_exist, still_valid, within_quota),
        "bid.countered": (bid_is_open, has_the_turn, bid_lines_exist, still_valid),
        "bid.rejected": (bid_is_open, has_the_turn),
        "bid.withdrawn": (bid_is_open, made_the_last_price),
    }
)
RULES_2 = MappingProxyType(
    {
        "bid.placed": (*RULES["bid.placed"], bidding_broker_no_affiliate),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "bid.placed": fold_placed,
        "bid.countered": fold_countered,
        "bid.rejected": fold_rejected,
        "bid.withdrawn": fold_withdrawn,
    }
)
