"""What proposals and amendments are drafted from: their options, and how these become lines, parties and prices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Acting
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import find, find_any
from pseudoledger.cli.listing import WEEK_SECONDS
from pseudoledger.cli.values import choice, instant_text, pair, pairs, share
from pseudoledger.cli.values import price as read_price
from pseudoledger.contract.templates import WHOLE_PPM, Choice, Sublet
from pseudoledger.contract.things import Bid, Demand, Lease, Mandate, Match, Offer, TermsInForce, Thing
from pseudoledger.statement.kinds.market import Purpose
from pseudoledger.statement.values import format_instant

PURPOSES: dict[str, Purpose] = {"train": "train", "infer": "infer", "other": "other"}

ValidOption = Annotated[
    str | None, typer.Option("--valid-to", help="When the proposal lapses; in 7 days where not said.")
]
MandateOption = Annotated[
    list[str] | None, typer.Option("--mandate", help="Broker's mandate to show; may be repeated.")
]
PayOption = Annotated[
    list[str] | None,
    typer.Option("--pay", help="UNCL 4461 code, alone or with an account: 58=DE89…, ZZZ=eip155:1:0x…"),
]
LessorNameOption = Annotated[
    str | None, typer.Option("--lessor-name", help="Registered name; sealed.", show_default=False)
]
LesseeNameOption = Annotated[
    str | None, typer.Option("--lessee-name", help="Registered name; sealed.", show_default=False)
]
WorkloadOption = Annotated[
    str | None, typer.Option("--workload", help="What will run; sealed.", show_default=False)
]


PriceOption = Annotated[
    list[str] | None, typer.Option("--price", help="LINE=PRICE/h, where another price was agreed.")
]
WorthOption = Annotated[
    list[str] | None, typer.Option("--worth", help="LINE=NUMBER: worth of a unit against the reference chip.")
]
AnswersOption = Annotated[
    str | None,
    typer.Option("--answers", help="Demand, bid or match that it answers; the offer where not said."),
]
AssetOption = Annotated[
    list[str] | None, typer.Option("--asset", help="Token accepted in payment (CAIP-19).")
]
ResidencyOption = Annotated[
    list[str] | None, typer.Option("--residency", help="DATASET=DE,FR: where a data set may be.")
]
PolicyOption = Annotated[
    list[str] | None, typer.Option("--policy", help="SHA-256 of a registered policy that applies.")
]
TemplateOption = Annotated[str, typer.Option("--template", help="on-demand, reserved-term or interruptible.")]
LineOption = Annotated[
    list[str] | None, typer.Option("--line", help="OFFER/LINE=COUNT; may be repeated.", show_default=False)
]
SubletOption = Annotated[
    list[str] | None,
    typer.Option(
        "--sublet",
        help="HEAD-LEASE/LINE=COUNT@PRICE/h, for a sublease; may be repeated.",
        show_default=False,
    ),
]
PurposeOption = Annotated[
    list[str] | None,
    typer.Option("--purpose", help="train, infer or other; LINE=train for one line. Other where not said."),
]
ArbiterOption = Annotated[
    str | None, typer.Option("--arbiter", help="Who decides disputes.", show_default=False)
]
SiteOption = Annotated[str | None, typer.Option("--site", help="Site; sealed.", show_default=False)]
OwnerOption = Annotated[
    str | None, typer.Option("--owner", help="Who owns the facility; sealed.", show_default=False)
]
OperatorOption = Annotated[
    str | None, typer.Option("--operator", help="Who operates it; sealed.", show_default=False)
]


def lines_of(
    desk: Desk,
    offered: Sequence[str],
    sublet: Sequence[str],
    purpose: Iterable[str],
    worth: Iterable[str],
) -> list[Choice | Sublet]:
    """Read `--line` and `--sublet` options, with the purpose and the worth of their lines."""
    purposes = _Said(purpose, "--purpose")
    worths = _Said(worth, "--worth")
    found: list[Choice | Sublet] = [_offered(desk, item, purposes, worths) for item in offered]
    found += [_sublet(desk, item, purposes, worths) for item in sublet]
    if not found:
        raise WrongUse(
            "say what is leased", hint="--line OFFER/LINE=COUNT, or --sublet LEASE/LINE=COUNT@PRICE/h"
        )
    purposes.all_used()
    worths.all_used()
    return found


class _Said:
    """Options of the form LINE=VALUE, or VALUE for every line that has none of its own."""

    def __init__(self, texts: Iterable[str], option: str) -> None:
        self._option = option
        said = list(texts)
        example = "h100=1.5" if option == "--worth" else "h100=train"
        self._lines = pairs((text for text in said if "=" in text), option, example)
        self._rest: str | None = None
        self._unused = set(self._lines)
        for text in said:
            if "=" in text:
                continue
            if self._rest is not None or option == "--worth":
                raise WrongUse(f"{option}: {text!r} names no line", hint=f"{option} LINE={text}")
            self._rest = text

    def of(self, line: str) -> str | None:
        """Return what was said of a line, or None."""
        self._unused.discard(line)
        return self._lines.get(line, self._rest)

    def all_used(self) -> None:
        """Raise WrongUse if something was said of a line that there is not."""
        if self._unused:
            raise WrongUse(
                f"{self._option}: there is no line {min(self._unused)!r} among the lines of the lease"
            )


def _offered(desk: Desk, text: str, purposes: _Said, worths: _Said) -> Choice:
    offer, line, count = _place(text, "--line", "O1/h100=4")
    if not count.isdecimal():
        raise WrongUse(f"--line: {text!r} is not OFFER/LINE=COUNT", hint="for example O1/h100=4")
    offer_id, thing = find(desk, Offer, offer)
    return Choice(
        offer_id=offer_id,
        offer=thing,
        offer_line=line,
        count=int(count),
        purpose=_purpose(purposes.of(line), "other"),
        equivalence_ppm=_worth(worths.of(line), WHOLE_PPM),
    )


def _sublet(desk: Desk, text: str, purposes: _Said, worths: _Said) -> Sublet:
    """Read a line of a sublease; what is not said of it is as in the head lease."""
    head, line, said = _place(text, "--sublet", "L1/h100=2@2.50/h")
    count, at, priced = said.partition("@")
    if not at or not count.strip().isdecimal():
        raise WrongUse(
            f"--sublet: {text!r} is not HEAD-LEASE/LINE=COUNT@PRICE/h", hint="for example L1/h100=2@2.50/h"
        )
    head_id, lease = find(desk, Lease, head)
    held = desk.book.get(TermsInForce, lease.versions[-1].terms)
    assert held is not None, "a lease names only terms that the book holds"
    terms = held.payload
    micro, code = read_price(priced, "--sublet")
    if code not in {None, terms.tariff.currency}:
        raise WrongUse(f"--sublet: the head lease is in {terms.tariff.currency}")
    above = next((item for item in terms.lines if item.id == line), None)
    return Sublet(
        head_id=head_id,
        head=terms,
        head_line=line,
        count=int(count),
        price_micro=micro,
        purpose=_purpose(purposes.of(line), above.purpose if above else "other"),
        equivalence_ppm=_worth(worths.of(line), above.equivalence_ppm if above else WHOLE_PPM),
    )


def _place(text: str, option: str, example: str) -> tuple[str, str, str]:
    """Read PAPER/LINE=REST; the number of a paper may itself have slashes."""
    place, rest = pair(text, option, example)
    paper, slash, line = place.rpartition("/")
    if not slash:
        raise WrongUse(f"{option}: {text!r} names no line", hint=f"for example {example}")
    return paper, line, rest


def _purpose(said: str | None, otherwise: Purpose) -> Purpose:
    return otherwise if said is None else PURPOSES[choice(said, "--purpose", PURPOSES)]


def _worth(said: str | None, otherwise: int) -> int:
    return otherwise if said is None else share(said, "--worth")


def answered_by(desk: Desk, answers: str | None, lines: Sequence[Choice | Sublet]) -> tuple[str, Thing]:
    """Return what a proposal answers: what is said, or the offer that its first line is of."""
    if answers is not None:
        return find_any(desk, answers, Offer, Demand, Bid, Match)
    first = lines[0]
    if isinstance(first, Sublet):
        raise WrongUse(
            "say what the sublease answers", hint="--answers DEMAND, BID or MATCH of the other party"
        )
    return first.offer_id, first.offer


def parties_of(
    acting: Acting, lines: Sequence[Choice | Sublet], answered: tuple[str, Thing]
) -> tuple[str, str]:
    """Return lessor and lessee, by their acting keys: the signer is one, the other owns what is answered."""
    book, first = acting.desk.book, lines[0]
    lessor = first.head.lessee if isinstance(first, Sublet) else first.offer.lessor
    if not book.same_party(lessor, acting.signer.did):
        return book.acting_key(lessor), acting.signer.did
    match answered[1]:
        case Demand(lessee=lessee):
            other = lessee
        case Bid(bidder=bidder, addressee=addressee):
            other = addressee if book.same_party(bidder, lessor) else bidder
        case Match(demand=demand_id):
            demand = book.get(Demand, demand_id)
            other = demand.lessee if demand is not None else ""
        case _:
            raise WrongUse(
                "the offer is your own: say what the proposal answers", hint="--answers DEMAND, BID or MATCH"
            )
    return acting.signer.did, book.acting_key(other)


def payment_means(said: list[str] | None) -> list[dict[str, Any]]:
    """Read `--pay` options: a code, alone or with a chain account or a bank account, which is sealed."""
    found = []
    for item in said or ("30",):
        code, _, account = item.partition("=")
        means = {"code": code.strip()}
        if account:
            means["account" if account.count(":") > 1 else "bank_account"] = account.strip()
        found.append(means)
    return found


def shown_mandates(acting: Acting, mandates: Iterable[str]) -> list[dict[str, Any]]:
    """Return mandates as terms show them."""
    found = []
    for text in mandates:
        mandate_id, mandate = find(acting.desk, Mandate, text, party=acting.party)
        found.append(
            {"mandate": mandate_id, "broker": mandate.broker, "commission_bps": mandate.commission_bps}
        )
    return found


def reprice(terms: dict[str, Any], prices: Iterable[str]) -> None:
    """Put agreed prices in place of the offers' in drafted terms."""
    rates = {rate["line"]: rate for rate in terms["tariff"]["lines"]}
    for line, said in pairs(prices, "--price", "h100=2.10/h").items():
        micro, code = read_price(said, "--price")
        if line not in rates or "price_micro" not in rates[line]:
            raise WrongUse(f"--price: no line {line!r} is priced by the hour")
        if code not in {None, terms["tariff"]["currency"]}:
            raise WrongUse(f"--price: the lease is in {terms['tariff']['currency']}")
        rates[line]["price_micro"] = micro


def lapses_at(desk: Desk, valid_to: str | None) -> str:
    """Return when a proposal lapses."""
    return instant_text(valid_to, "--valid-to") if valid_to else format_instant(desk.now + WEEK_SECONDS)
