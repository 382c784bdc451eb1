"""Machines: every step of their custody, what was sent and never signed for, and deliveries beside custody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import msgspec

from pseudoledger.audit.review.facts import (
    CHIP_FACTS,
    Cited,
    Fact,
    FactValue,
    Observation,
    Sort,
    Table,
    table,
)
from pseudoledger.audit.review.observers.base import COUNTRY, country_facts
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.rules.asset import serial_key
from pseudoledger.contract.things import Taken, TermsInForce
from pseudoledger.statement.kinds.asset import AssetMoved, AssetReceived, AssetRegistered
from pseudoledger.statement.kinds.delivery import DeliveryOffered

WAITING_MAX = 10_000
"""Machines on their way that are followed at a time; beyond it the one sent first is lost sight of."""

CUSTODY = table(
    "custody",
    "One step of a machine's custody: signed for (basis received), announced again before anybody signed (replaced),"
    " sent and not signed for until the end of what is reviewed (waiting), delivered under a lease (delivered).",
    reads=("asset.registered", "asset.moved", "asset.received", "delivery.offered"),
    facts=(
        *CHIP_FACTS,
        COUNTRY,
        Fact(name="basis", sort=Sort.TEXT, says="received, replaced, waiting or delivered"),
        Fact(name="number", sort=Sort.TEXT, says="The owner's number of the machine"),
        Fact(name="units", sort=Sort.INTEGER, says="Chips in the machine", unit="C62"),
        Fact(
            name="earlier_country",
            sort=Sort.TEXT,
            says="Country where the machine was by the last signature",
            missing="the country before is given as ZZ: unknown",
        ),
        Fact(
            name="transit_s",
            sort=Sort.INTEGER,
            says="Time since it was sent, for which nobody but the sender speaks",
            unit="s",
            missing="the machine was not on its way",
        ),
        Fact(name="reason", sort=Sort.TEXT, says="Why it was sent", missing="the machine was not on its way"),
        Fact(name="condition", sort=Sort.TEXT, says="How it arrived", missing="nobody signed for it"),
        Fact(
            name="unreceived",
            sort=Sort.INTEGER,
            says="Moves announced since it was last signed for that others replaced",
            unit="C62",
        ),
        Fact(
            name="waybill",
            sort=Sort.TRUTH,
            says="Whether the move pins a waybill or contract",
            missing="the machine was not on its way",
        ),
        Fact(
            name="receipt",
            sort=Sort.TRUTH,
            says="Whether the receipt pins a proof of delivery",
            missing="nobody signed for it",
        ),
        Fact(name="on_its_way", sort=Sort.TRUTH, says="Whether it was sent and not signed for at that time"),
        Fact(name="steps", sort=Sort.INTEGER, says="Signatures for it so far", unit="C62"),
        Fact(
            name="delivery",
            sort=Sort.TEXT,
            says="The lessor's number of the delivery",
            missing="it was not delivered",
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Machine:
    """Where a machine is by the signatures so far, and what is announced of it."""

    number: str
    chip: str
    units: int
    owner: str
    holder: str
    country: str
    step: Cited
    """The last signature for it."""
    steps: int = 1
    unreceived: int = 0
    sent_at: int | None = None
    to: str = ""
    reason: str = ""
    waybill: bool = False
    sending: Cited | None = None

    @classmethod
    def get(cls, sight: Sight, asset: str) -> _Machine | None:
        """Return what was put down for a machine."""
        note = sight.notebook.get("machine", asset)
        return None if note is None else msgspec.convert(note, cls)

    def put(self, sight: Sight, asset: str) -> None:
        """Put it down."""
        sight.notebook.put("machine", asset, msgspec.to_builtins(self))


class Machines:
    """Reads custody statements and deliveries; what it remembers of machines is on disk, but for those on their way."""

    tables: ClassVar[tuple[Table, ...]] = (CUSTODY,)
    reads: ClassVar[frozenset[str]] = frozenset(CUSTODY.reads)

    def __init__(self) -> None:
        self._waiting: dict[str, None] = {}

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Take a step of custody, or a delivery of machines that are registered."""
        match entry.payload:
            case AssetRegistered() as said:
                owner = sight.root(entry.statement.iss)
                machine = _Machine(
                    number=said.number,
                    chip=said.chip,
                    units=said.count,
                    owner=owner,
                    holder=owner,
                    country=said.country,
                    step=cited(entry, "registration"),
                )
                machine.put(sight, entry.id)
            case AssetMoved() as move:
                yield from self._moved(entry, move, sight)
            case AssetReceived() as receipt:
                yield from self._received(entry, receipt, sight)
            case DeliveryOffered() as delivery:
                yield from _delivered(entry, delivery, sight)

    def finish(self, sight: Sight, at: int) -> Iterator[Observation]:
        """Yield what was sent and not signed for."""
        for asset in self._waiting:
            machine = _Machine.get(sight, asset)
            if machine is not None and machine.sending is not None:
                facts = country_facts(machine.country)
                yield _observed("waiting", asset, machine, at, sight, facts=facts, cites=(machine.sending,))

    def _moved(self, entry: Read, move: AssetMoved, sight: Sight) -> Iterator[Observation]:
        asset = entry.statement.sub
        machine = _Machine.get(sight, asset)
        if machine is None:
            return
        sent, before = cited(entry, "sending"), machine.sending
        if before is not None:
            machine = replace(machine, unreceived=machine.unreceived + 1)
            facts = country_facts(machine.country)
            yield _observed("replaced", asset, machine, entry.at, sight, facts=facts, cites=(before, sent))
        machine = replace(
            machine,
            sent_at=entry.at,
            to=sight.root(move.to),
            reason=move.reason,
            waybill=move.evidence is not None,
            sending=sent,
        )
        machine.put(sight, asset)
        self._waiting.pop(asset, None)
        self._waiting[asset] = None
        if len(self._waiting) > WAITING_MAX:
            del self._waiting[next(iter(self._waiting))]

    def _received(self, entry: Read, receipt: AssetReceived, sight: Sight) -> Iterator[Observation]:
        asset = entry.statement.sub
        machine = _Machine.get(sight, asset)
        sent = None if machine is None else machine.sending
        if machine is None or sent is None:
            return
        machine = replace(machine, steps=machine.steps + 1)
        facts: dict[str, FactValue] = {
            **country_facts(receipt.country),
            "condition": receipt.condition,
            "receipt": receipt.evidence is not None,
        }
        signed = cited(entry, "receipt")
        yield _observed("received", asset, machine, entry.at, sight, facts=facts, cites=(sent, signed))
        _Machine(
            number=machine.number,
            chip=machine.chip,
            units=machine.units,
            owner=machine.to if machine.reason == "sale" else machine.owner,
            holder=machine.to,
            country=receipt.country,
            step=signed,
            steps=machine.steps,
        ).put(sight, asset)
        self._waiting.pop(asset, None)


def _delivered(entry: Read, delivery: DeliveryOffered, sight: Sight) -> Iterator[Observation]:
    """Yield a delivery beside the custody of each machine that it names, by its own serial or by its chips'."""
    terms = sight.get(TermsInForce, entry.statement.sub)
    taken = (sight.get(Taken, serial_key(serial)) for serial in delivery.serials)
    if terms is None:
        return
    for asset in dict.fromkeys(one.by for one in taken if one is not None):
        machine = _Machine.get(sight, asset)
        if machine is None:
            continue
        facts = {**country_facts(terms.payload.facility.country), "delivery": delivery.number}
        waiting = () if machine.sending is None else (machine.sending,)
        cites = (*waiting, sight.cite(terms.entry, "terms"), cited(entry, "delivery"))
        yield _observed("delivered", asset, machine, entry.at, sight, facts=facts, cites=cites)


def _observed(
    basis: str,
    asset: str,
    machine: _Machine,
    at: int,
    sight: Sight,
    *,
    facts: dict[str, FactValue],
    cites: tuple[Cited, ...],
) -> Observation:
    chip = sight.chip(machine.chip)
    known: dict[str, FactValue] = {
        **chip.facts(),
        "basis": basis,
        "number": machine.number,
        "units": machine.units,
        **{f"earlier_{name}": value for name, value in country_facts(machine.country).items()},
        "unreceived": machine.unreceived,
        "on_its_way": machine.sending is not None,
        "steps": machine.steps,
    }
    parties = [("owner", machine.owner), ("holder", machine.holder)]
    if machine.sent_at is not None:
        known |= {
            "transit_s": at - machine.sent_at,
            "reason": machine.reason,
            "waybill": machine.waybill,
        }
        parties.append(("receiver", machine.to))
    return Observation(
        table=CUSTODY,
        at=at,
        subject=f"{asset}/{machine.steps}/{basis}",
        facts={**known, **facts},
        cites=(machine.step, *cites),
        parties=tuple(parties),
        reasons=chip.reasons(),
    )
