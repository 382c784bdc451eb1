"""What people have at hand, resolved to what the ledger means: things by id, prefix or number, and parties.

A thing is named by its id, by six or more of its first hex digits, or by the number that its issuer gave it.
A party is named by its did, by the name of a key held here, or by the label it declared.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from pseudoledger.cli.desk import Desk
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.show import listed, short, short_did
from pseudoledger.cli.values import did as did_value
from pseudoledger.contract.book import sort_name
from pseudoledger.contract.things import (
    Amendment,
    Bid,
    Chain,
    Delivery,
    Demand,
    Invoice,
    Lease,
    Mandate,
    Match,
    Offer,
    Owner,
    Payment,
    Pool,
    Thing,
    Usage,
)
from pseudoledger.contract.things.asset import Asset
from pseudoledger.contract.things.capital import Quota, Stake
from pseudoledger.contract.things.claim import Claim
from pseudoledger.contract.things.dispute import Dispute
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher
from pseudoledger.contract.unknowns import unknowns
from pseudoledger.identity.keys import DID_LENGTH, DID_PREFIX
from pseudoledger.statement import envelope

T = TypeVar("T", bound=Thing)

PREFIX_MIN = 6
"""Fewest hex digits that may stand for an id."""
CANDIDATES_SHOWN = 4
_HEX = re.compile(r"[0-9a-f]{6,64}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noun:
    """How one class of things is called, opened and listed."""

    name: str
    kind: str
    command: str
    numbered: bool = True


NOUNS: MappingProxyType[type[Thing], Noun] = MappingProxyType(
    {
        Pool: Noun(name="pool", kind="pool.declared", command="pl pool list"),
        Offer: Noun(name="offer", kind="offer.published", command="pl offer list"),
        Demand: Noun(name="demand", kind="demand.published", command="pl demand list"),
        Mandate: Noun(name="mandate", kind="broker.mandated", command="pl broker list"),
        Match: Noun(name="match", kind="match.proposed", command="pl broker matches"),
        Bid: Noun(name="bid", kind="bid.placed", command="pl bid list"),
        Lease: Noun(name="lease", kind="lease.proposed", command="pl lease list"),
        Amendment: Noun(name="amendment", kind="amendment.proposed", command="pl lease show LEASE"),
        Delivery: Noun(name="delivery", kind="delivery.offered", command="pl delivery list"),
        Usage: Noun(name="usage report", kind="usage.reported", command="pl usage list", numbered=False),
        Invoice: Noun(name="invoice", kind="invoice.issued", command="pl invoice list"),
        Programme: Noun(name="programme", kind="programme.declared", command="pl voucher programme list"),
        Voucher: Noun(name="voucher", kind="voucher.issued", command="pl voucher list"),
        Presentation: Noun(
            name="presented voucher", kind="voucher.presented", command="pl voucher show VOUCHER"
        ),
        Payment: Noun(name="payment", kind="payment.declared", command="pl payment list"),
        Asset: Noun(name="machine", kind="asset.registered", command="pl asset list"),
        Dispute: Noun(name="dispute", kind="dispute.opened", command="pl dispute list"),
        Claim: Noun(name="claim", kind="claim.attested", command="pl claim list"),
        Stake: Noun(name="stake", kind="stake.declared", command="pl stake list"),
        Quota: Noun(name="quota", kind="quota.set", command="pl quota list"),
    }
)


def find(desk: Desk, cls: type[T], text: str, *, party: str | None = None) -> tuple[str, T]:
    """Return the id and the thing that a text names.

    Where several fit, those that concern `party` (the first key of its chain) come first. Raises WrongUse,
    naming the candidates or what is near.
    """
    candidates = list(dict.fromkeys([*_by_prefix(desk, cls, text), *_by_number(desk, cls, text)]))
    things = [(key, thing) for key in candidates if (thing := desk.book.get(cls, key)) is not None]
    if len(things) > 1 and party is not None:
        mine = [(key, thing) for key, thing in things if concerns(desk, thing, party)]
        things = mine or things
    noun = NOUNS[cls]
    if len(things) == 1:
        return things[0]
    if not things:
        raise WrongUse(
            f"there is no {noun.name} {text!r} on this ledger",
            hint=_near(desk, cls, text)
            or f"{noun.command} lists them; give at least {PREFIX_MIN} hex digits of an id",
        )
    shown = [f"{short(key)} (entry {_entry(thing)})" for key, thing in things[:CANDIDATES_SHOWN]]
    begun = all(key.startswith(text) for key, _ in things)
    raise WrongUse(
        f"{len(things)} {noun.name}s are called {text!r}: {listed(shown)}",
        hint="give more of the id" if begun else "give the id",
    )


def find_any(desk: Desk, text: str, *classes: type[Thing], party: str | None = None) -> tuple[str, Thing]:
    """Return the id and thing of whichever of some classes a text names; raise WrongUse as `find` does."""
    failures = []
    for cls in classes:
        try:
            return find(desk, cls, text, party=party)
        except WrongUse as error:
            failures.append(error)
    several = [error for error in failures if "are called" in error.message]
    if several:
        raise several[0]
    names = " or ".join(NOUNS[cls].name for cls in classes)
    raise WrongUse(f"there is no {names} {text!r} on this ledger", hint=failures[0].hint)


def _by_prefix(desk: Desk, cls: type[Thing], text: str) -> Iterator[str]:
    if _HEX.fullmatch(text):
        yield from desk.ledger.keys_that_begin(sort_name(cls), text, limit=9)


def _by_number(desk: Desk, cls: type[Thing], text: str) -> Iterator[str]:
    """Find statements by the number in their payload, whose canonical form spells it in one way."""
    noun = NOUNS[cls]
    if noun.numbered and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,63}", text):
        yield from desk.ledger.ids_numbered(noun.kind, text, limit=64)
        if cls is Bid:
            yield from _countered(desk, text)


def _countered(desk: Desk, number: str) -> Iterator[str]:
    """Find the bids that a counter of this number is about: the price has a number of its own, the bid stays."""
    for key in desk.ledger.ids_numbered("bid.countered", number, limit=64):
        entry = desk.ledger.entry_by_id(key)
        if entry is not None:
            yield envelope.decode(entry.statement).sub


_NAMED_ONCE: MappingProxyType[str, type[Thing]] = MappingProxyType(
    {NOUNS[cls].kind: cls for cls in (Pool, Offer, Demand, Lease, Payment)}
)
"""Kinds that others are asked to name by a number; a second thing of that number could be named by its id alone."""


def require_new_numbers(
    desk: Desk, drafts: Iterable[tuple[Mapping[str, Any], str]], *, imported: bool = False
) -> None:
    """Raise WrongUse if a payload, beside its issuer, would open a thing under a number that names another.

    That is another thing of the same party, on the ledger or among the drafts. The ledger takes both, so a command
    that was repeated by mistake would double the stock. Numbers of what was imported come from the file's name.
    """
    choose = "give the file another name: the numbers begin with it" if imported else "choose another number"
    wanted: dict[tuple[type[Thing], str], list[str]] = {}
    for tree, issuer in drafts:
        cls, number = _NAMED_ONCE.get(tree.get("type", "")), tree.get("number")
        if cls is None or not isinstance(number, str):
            continue
        numbers = wanted.setdefault((cls, desk.book.root_of(issuer)), [])
        if number in numbers:
            once = "name every file once, and no two files alike" if imported else choose
            raise WrongUse(f"two {NOUNS[cls].name}s would be called {number!r}", hint=once)
        numbers.append(number)
    for (cls, party), numbers in wanted.items():
        standing = _standing(desk, cls, numbers, party)
        for number, (key, thing) in standing.items():
            noun = NOUNS[cls]
            more = f", and {len(standing) - 1} more of these" if len(standing) > 1 else ""
            raise WrongUse(
                f"you have a {noun.name} called {number!r} already: {short(key)} (entry {_entry(thing)}){more}",
                hint=f"{choose}; {noun.command} lists those that stand",
            )


_ASKED_SINGLY_MAX = 8
"""Most numbers that are looked for one by one: each time all statements of the kind are searched."""


def _standing(
    desk: Desk, cls: type[Thing], numbers: Sequence[str], party: str
) -> dict[str, tuple[str, Thing]]:
    """Return what concerns a party and bears one of some numbers, by number."""
    if len(numbers) <= _ASKED_SINGLY_MAX or cls is Payment:  # of a payment the book keeps no number
        found = (
            (number, key, desk.book.get(cls, key))
            for number in numbers
            for key in _by_number(desk, cls, number)
        )
    else:
        wanted = frozenset(numbers)
        found = (
            (number, key, thing)
            for key, thing in desk.book.all(cls)
            if (number := getattr(getattr(thing, "payload", thing), "number", "")) in wanted
        )
    return {
        number: (key, thing)
        for number, key, thing in found
        if thing is not None and concerns(desk, thing, party)
    }


def number_used(desk: Desk, kinds: tuple[str, ...], number: str) -> bool:
    """Tell whether any statement of some kinds has a number, whoever issued it."""
    return any(desk.ledger.ids_numbered(kind, number, limit=1) for kind in kinds)


def _near(desk: Desk, cls: type[Thing], text: str) -> str:
    """Return a hint with numbers that are like the one given."""
    if cls not in {Offer, Demand, Pool, Lease, Invoice}:
        return ""
    near = difflib.get_close_matches(text, desk.ledger.numbers(sort_name(cls)), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else ""


def concerns(desk: Desk, thing: Thing, party: str) -> bool:
    """Tell whether a party stands in a thing: as issuer, addressee, or party of the lease it belongs to."""
    names = (
        "lessor",
        "lessee",
        "principal",
        "broker",
        "bidder",
        "owner",
        "issuer",
        "payer",
        "payee",
        "holder",
        "proposer",
        "held_by",
        "owned_by",
        "before",
        "by",
        "against",
        "arbiter",
        "attestor",
        "subject",
        "discloser",
        "reader",
        "declarer",
        "holder",
        "organisation",
        "drawer",
    )
    if any(getattr(thing, name, None) == party for name in names):
        return True
    lease = getattr(thing, "lease", None)
    held = desk.book.get(Lease, lease) if isinstance(lease, str) else None
    return held is not None and concerns(desk, held, party)


def _entry(thing: Thing) -> int:
    return int(getattr(thing, "entry", 0))


def did_of(desk: Desk, text: str, option: str) -> str:
    """Return the did that a text names: itself, a key held here, a declared label, or a did's beginning."""
    if text.startswith(DID_PREFIX) and len(text) == DID_LENGTH:
        return did_value(text, option)
    for did, name in desk.names.items():
        if name == text:
            return did
    labelled = [root for root, chain in desk.book.all(Chain) if chain.label == text]
    begun = _by_beginning(desk, text)
    found = list(dict.fromkeys([*labelled, *begun]))
    if len(found) == 1:
        return desk.book.acting_key(found[0])
    if found:
        raise WrongUse(f"{option}: {len(found)} parties are called {text!r}", hint="give the whole did:key")
    near = difflib.get_close_matches(text, list(desk.names.values()), n=3)
    raise WrongUse(
        f"{option}: {text!r} is no did:key, no key held here and no declared label",
        hint=f"did you mean {' or '.join(near)}?" if near else "pl id list names the keys held here",
    )


def _by_beginning(desk: Desk, text: str) -> list[str]:
    begin = text.removeprefix("did:key:").removesuffix("…")
    if not begin.startswith("z6Mk") or len(begin) < 10:
        return []
    return desk.ledger.keys_that_begin(sort_name(Owner), f"did:key:{begin}", limit=3)


def party_name(desk: Desk, did: str) -> str:
    """Write a party for people: the name of a key held here, its declared label in quotes, or its did."""
    chain = desk.book.chain_of(did)
    for key in (did, *(reversed(chain.keys) if chain else ())):
        if key in desk.names:
            return desk.names[key]
    if chain is not None and chain.label:
        return f"“{chain.label}”"
    return short_did(did)


def unknown_of(desk: Desk, party: str) -> list[dict[str, str]]:
    """Return what the book does not say about a party, as JSON shows it."""
    return [asdict(item) for item in unknowns(desk.book, party, desk.now)]
