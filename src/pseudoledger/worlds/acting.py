"""Acting out a plan: what the personas of a world sign, in the order of time.

table                      in statements
times                      when a persona declares, offers, asks, proposes; it answers at hours of its own
sizes, chips, regions      lines and facility of its pools and offers; lines and places of its demands and leases
prices                     tariff of its offers; ceiling of its demands; price that its proposals name
lengths                    longest lease of its offers; length of its demands and leases
terms                      template, basis, means of payment, days until a payment is due, how long a proposal stands
purposes                   purpose of demands and leased lines
counterparties             a part of the lessors, of whom the one is taken whose offer fits best
texts                      sealed label of pools and demands, sealed workload of leases
references                 numbers of documents, references of payments
kinds                      a lessor withdraws an offer or not; a lessee asks first or not, leases and pays or not
payment accounts, sites    of lessors alone: in terms of leases, sealed in facilities of offers
serials                    of lessors alone: in deliveries, if no other lease has the machine at that time
contacts                   sealed in the declaration of the key
rotations                  identity.rotated and .adopted; what the old key was to do after is done by the new one
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import numpy as np

from pseudoledger.contract.templates import Choice, Deal, draft_terms, load
from pseudoledger.contract.things import Offer
from pseudoledger.statement.envelope import decode
from pseudoledger.statement.kinds.market import OfferPublished
from pseudoledger.statement.payload import parse
from pseudoledger.statement.values import Period, format_instant
from pseudoledger.worlds.deals import DAY, HOUR, Leased, Standing
from pseudoledger.worlds.market import (
    BASES,
    CHIPS,
    CURRENCY,
    PLACES,
    PURPOSES,
    SCHEME,
    document_number,
    length_of,
    market_micro,
    means_of,
    numbered,
    payment_reference,
    template_of,
)
from pseudoledger.worlds.pen import Pen, Said
from pseudoledger.worlds.plan import Persona, Plan, Record

BEFORE = 60
"""Seconds before its first record at which a persona declares its key, or takes an identity over."""
STANDS_DAYS = 400
"""How long an offer stands."""
LENGTHS = 16
"""An offer's longest lease is so many times as long as the lessor's habit says."""
WITHDRAWS = frozenset({4, 5})
"""Kinds of record with which a lessor also withdraws its oldest offer."""
ASKS, ONLY_ASKS, PAYS = frozenset({1, 2, 4}), 2, frozenset({0, 1, 3})
"""Kinds of record with which a lessee publishes a demand, does nothing else, and pays what it leased."""


class Play:
    """Acts out a plan on one ledger; iterate over it once."""

    def __init__(self, plan: Plan, *, seed: int, pen: Pen) -> None:
        """Take a plan and a pen for the ledger; the seed decides how long people take to answer."""
        self._pen = pen
        self._generator = np.random.default_rng([seed, 4])
        self._due: list[tuple[int, int, Callable[[int], None]]] = []
        self._pushed = 0
        self._board: dict[str, list[Standing]] = defaultdict(list)
        self._machines: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._stands: dict[str, str] = {}
        """Where sites stand: at the place of the first offer that names them."""
        people = {persona.name: persona for persona in plan.personas}
        self._codes = 1 + max(record.counterparty for one in plan.personas for record in one.records)
        lessors = [persona.name for persona in plan.personas if persona.lets]
        self._parts = [lessors[code :: self._codes] or lessors for code in range(self._codes)]
        for persona in people.values():
            self._at(persona.records[0].at - BEFORE, self._begin(persona, plan.follows.get(persona.name)))
            for record in persona.records:
                self._at(record.at, self._record(persona, record))

    def __iter__(self) -> Iterator[Said]:
        while self._due:
            at, _, act = heapq.heappop(self._due)
            act(at)
            yield from self._pen.take()

    def _at(self, at: int, act: Callable[[int], None]) -> None:
        self._pushed += 1
        heapq.heappush(self._due, (at, self._pushed, act))

    def _soon(self, at: int) -> int:
        """Return a moment 1 to 20 minutes later."""
        return at + int(self._generator.integers(60, 1_200))

    def _answer_time(self, persona: Persona, at: int) -> int:
        """Return when a persona answers: at an hour of its own, within a day and ten minutes."""
        own = persona.records[int(self._generator.integers(0, len(persona.records)))]
        earliest = at + 600
        return earliest + (own.at - earliest) % DAY

    def _begin(self, persona: Persona, before: str | None) -> Callable[[int], None]:
        def begin(at: int) -> None:
            if before is not None:
                self._pen.hand_over(before, persona.name, at)
                return
            contact = persona.tokens.get("contact")
            said = {"contact": f"desk@{contact}.example"} if contact else {}
            self._pen.about_itself(persona.name, {"type": "identity.declared", **said}, at)

        return begin

    def _record(self, persona: Persona, record: Record) -> Callable[[int], None]:
        def act(at: int) -> None:
            if persona.lets:
                self._offer(persona, record, at)
            else:
                self._need(persona, record, at)

        return act

    def _offer(self, persona: Persona, record: Record, at: int) -> None:
        """Declare stock and offer it; perhaps withdraw an older offer."""
        number = document_number(numbered(record.reference, record.line))
        line = {"id": "chips", "resource": "chip", "chip": CHIPS[record.chip], "count": record.size}
        tree = {"type": "pool.declared", "number": number, "lines": [line], **_text("label", record.note)}
        pool = self._pen.sign(persona.name, tree, at)
        self._at(self._soon(at), lambda later: self._publish(persona, record, pool.id, later))
        older = next((one for one in self._board[persona.name] if not one.withdrawn), None)
        if record.kind in WITHDRAWS and older is not None:
            older.withdrawn = True
            self._pen.sign(persona.name, {"type": "offer.withdrawn"}, at, older.id)

    def _publish(self, persona: Persona, record: Record, pool: str, at: int) -> None:
        template = template_of(record.term)
        place = PLACES[record.region]
        facility = {"country": place[:2], "subdivision": place, **self._site(persona, place)}
        rate = {
            "line": "chips",
            "basis": BASES[template],
            "price_micro": _price(record),
        }
        line = {"id": "chips", "resource": "chip", "chip": CHIPS[record.chip], "count": record.size}
        until = at + STANDS_DAYS * DAY
        hours_max = min(record.hours * LENGTHS, (STANDS_DAYS - 10) * 24)
        tree = {
            "type": "offer.published",
            "number": document_number(numbered(record.reference, record.line)),
            "pool": pool,
            "lines": [{**line, "pool_line": "chips"}],
            "facility": facility,
            "tariff": {"currency": CURRENCY, "lines": [rate]},
            "length_min": "PT1H",
            "length_max": length_of(hours_max),
            "available": Period.between(at, until).model_dump(mode="json"),
        }
        said = self._pen.sign(persona.name, tree, at)
        payload = parse(decode(said.raw).payload)
        assert isinstance(payload, OfferPublished), "it was drafted as one"
        self._board[persona.name].append(
            Standing(
                id=said.id,
                lessor=persona,
                offer=Offer(lessor=self._pen.root(persona.name), payload=payload, entry=0),
                chip=record.chip,
                place=place,
                template=template,
                count=record.size,
                hours_max=hours_max,
                until=until,
            )
        )

    def _site(self, persona: Persona, place: str) -> dict[str, str]:
        """Name the site on offers of the place where it stands, and on no others."""
        site = persona.tokens.get("site")
        if site is None or self._stands.setdefault(site, place) != place:
            return {}
        return {"site": site}

    def _need(self, persona: Persona, record: Record, at: int) -> None:
        """Ask, or lease, or both."""
        if record.kind in ASKS:
            self._demand(persona, record, at)
        if record.kind != ONLY_ASKS:
            later = self._soon(at) if record.kind in ASKS else at
            self._at(later, lambda then: self._propose(persona, record, then))

    def _demand(self, persona: Persona, record: Record, at: int) -> None:
        line = {
            "id": "chips",
            "count": record.size,
            "alternatives": [{"resource": "chip", "chip": CHIPS[record.chip]}],
        }
        window = Period.between(at, at + 30 * DAY + record.hours * HOUR)
        tree = {
            "type": "demand.published",
            "number": document_number(numbered(record.reference, record.line)),
            "lines": [line],
            "ceiling": {"currency": CURRENCY, "hour_micro": _price(record) * record.size},
            "window": window.model_dump(mode="json"),
            "length": length_of(record.hours),
            "purpose": PURPOSES[record.purpose],
            "places": [PLACES[record.region][:2]],
            "residency": [],
            **_text("label", record.note),
        }
        self._pen.sign(persona.name, tree, at)

    def _fitting(self, record: Record, start: int) -> Standing | None:
        """Return the offer that fits best among those of the counterparty's part of the market."""
        found = [
            offer
            for name in self._parts[record.counterparty]
            for offer in self._board[name]
            if not offer.withdrawn
            and start + min(record.hours, offer.hours_max) * HOUR < offer.until
            and offer.free(start, start + min(record.hours, offer.hours_max) * HOUR) > 0
        ]
        place = PLACES[record.region]
        return max(
            found,
            key=lambda offer: (
                offer.chip == record.chip,
                offer.place == place,
                offer.place[:2] == place[:2],
                offer.until,
                offer.id,
            ),
            default=None,
        )

    def _propose(self, persona: Persona, record: Record, at: int) -> None:
        """Propose a lease for the best offer; without any there is none."""
        offer = self._fitting(record, at + 3 * DAY)
        if offer is None:
            return
        signs_at = self._answer_time(offer.lessor, at)
        start = _starts(signs_at)
        until = start + min(record.hours, offer.hours_max) * HOUR
        count = min(record.size, offer.free(start, until))
        if count < 1 or until >= offer.until:
            return
        offer.taken.append((start, until, count))
        tree = {
            "type": "lease.proposed",
            "number": document_number(numbered(record.reference, record.line)),
            "answers": offer.id,
            "valid_to": format_instant(at + (2 + record.term) * DAY),
            "terms": self._terms(persona, record, offer, Period.between(start, until), count),
        }
        said = self._pen.sign(persona.name, tree, at)
        lease = Leased(
            id=said.id,
            lessor=offer.lessor,
            lessee=persona,
            record=record,
            chip=offer.chip,
            start=start,
            until=until,
            count=count,
        )
        self._at(signs_at, lambda then: self._sign_lease(lease, then))

    def _terms(
        self, persona: Persona, record: Record, offer: Standing, period: Period, count: int
    ) -> dict[str, Any]:
        own = template_of(record.term)
        template = own if BASES[own] == BASES[offer.template] else offer.template
        account = offer.lessor.tokens.get("payment_account")
        deal = Deal(
            lessor=self._pen.in_force(offer.lessor.name),
            lessee=self._pen.in_force(persona.name),
            choices=[
                Choice(
                    offer_id=offer.id,
                    offer=offer.offer,
                    offer_line="chips",
                    count=count,
                    purpose=PURPOSES[record.purpose],
                )
            ],
            period=period,
            payment_means=[
                {"code": means_of(record.term), **({"account": _account(account)} if account else {})}
            ],
            sealed=_text("workload", record.note),
        )
        terms = draft_terms(load(template), deal)
        terms["due_days"] = 7 * (1 + record.term)
        (rate,) = terms["tariff"]["lines"]
        rate["price_micro"] = round(record.price * market_micro(offer.chip))
        return terms

    def _sign_lease(self, lease: Leased, at: int) -> None:
        """The lessor signs; the machine is handed over if it has a name, and the lessee pays if it is one that does."""
        self._pen.sign(lease.lessor.name, {"type": "lease.signed"}, at, lease.id)
        serial = lease.lessor.tokens.get("serial")
        used = self._machines[serial or ""]
        if serial is not None and not any(a < lease.until and lease.start < b for a, b in used):
            used.append((lease.start, lease.until))
            self._at(self._soon(at), lambda then: self._deliver(lease, serial, then))
        if lease.record.kind in PAYS:
            self._at(self._answer_time(lease.lessee, at), lambda then: self._pay(lease, then))

    def _deliver(self, lease: Leased, serial: str, at: int) -> None:
        # A digest by the slow hash of the book would take longer than everything else here.
        digest = sha256(f"pseudoledger/world/machine\0{serial}".encode()).hexdigest()
        tree = {
            "type": "delivery.offered",
            "number": "B-1",
            "lines": [{"line": "chips", "count": lease.count}],
            "serials": [digest],
        }
        offered = self._pen.sign(lease.lessor.name, tree, at, lease.id)
        accepted = {"type": "delivery.accepted", "delivery": offered.id}
        self._at(
            self._soon(at),
            lambda then: self._say(lease.lessee, accepted, then, lease.id),
        )

    def _pay(self, lease: Leased, at: int) -> None:
        """The lessee pays the whole lease on account, and the lessor confirms it."""
        reference = numbered(lease.record.reference, lease.record.line)
        amount = lease.amount_minor
        tree = {
            "type": "payment.declared",
            "number": document_number(reference),
            "payee": self._pen.in_force(lease.lessor.name),
            "currency": CURRENCY,
            "settles": [{"lease": lease.id, "amount_minor": amount}],
            "paid": {"currency": CURRENCY, "amount_minor": amount},
            "references": [{"scheme": SCHEME, "value": payment_reference(reference)}],
        }
        payment = self._pen.sign(lease.lessee.name, tree, at)
        self._at(
            self._answer_time(lease.lessor, at),
            lambda then: self._say(lease.lessor, {"type": "payment.confirmed"}, then, payment.id),
        )

    def _say(self, persona: Persona, tree: dict[str, Any], at: int, sub: str) -> None:
        self._pen.sign(persona.name, tree, at, sub)


def _starts(signed: int) -> int:
    """Return when a lease begins that is signed then: at a full hour, after the block that seals the signature."""
    return (signed // HOUR + 26) * HOUR


def _text(name: str, text: str | None) -> dict[str, str]:
    return {} if text is None else {name: text}


def _price(record: Record) -> int:
    return round(record.price * market_micro(record.chip))


def _account(token: str) -> str:
    """Return an account on a public chain that stands for a token of the table."""
    return f"eip155:1:0x{sha256(token.encode()).hexdigest()[:40]}"
