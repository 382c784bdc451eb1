"""The load of a real market: many leases whose lessors report by the hour and whose lessees confirm.

Everything is signed before the clock of a measurement starts; what is measured is registering and checking.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from pseudoledger.contract.ruleset import RuleSet
from pseudoledger.contract.templates import Choice, Deal, draft_terms, load
from pseudoledger.contract.things import Offer
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Refused, Registrar
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.kinds.market import Purpose
from pseudoledger.statement.payload import draft, jcs
from pseudoledger.statement.values import Period, format_instant, instant_seconds

ORIGIN = "bench.pseudoledger.example/load"
START = instant_seconds("2026-01-01T00:00:00Z")
LAST_DAY = START + 300 * 86_400
"""When the load registers: every period that it reports is over by then."""
HOUR = 3600
COUNT = 8
"""Units of each lease."""
LINE = {"id": "chip", "resource": "chip", "chip": "nvidia-h200-sxm-141gb", "count": COUNT}
OPENED_TOGETHER = 1_000
"""Statements of a block while leases are brought to life."""


@dataclass(slots=True)
class Contract:
    """One running lease of the load."""

    lessor: Signer
    lessee: Signer
    lease: str


def _offer(pool: str, available: Period) -> dict[str, Any]:
    rate = {"line": "chip", "basis": "metered", "price_micro": 2_235_000}
    return {
        "type": "offer.published",
        "number": "O-1",
        "pool": pool,
        "lines": [{**LINE, "pool_line": "chip"}],
        "facility": {"country": "FI"},
        "tariff": {"currency": "USD", "lines": [rate]},
        "length_min": "PT1H",
        "length_max": "P360D",
        "available": available.model_dump(mode="json"),
    }


def _signer(name: str) -> Signer:
    return Signer.from_seed(sha256(f"pseudoledger/bench\0{name}".encode()).digest())


def ledger_signer() -> Signer:
    """Return the ledger key of every load."""
    return _signer("ledger")


class Load:
    """A ledger with running leases, and statements for them on demand."""

    def __init__(
        self, directory: Path, *, leases: int, purpose: Purpose = "infer", rules: RuleSet | None = None
    ) -> None:
        """Found the ledger, under `rules` other than the newest, and open the leases.

        `purpose` is what their chips are used for.
        """
        self.now = START
        self._purpose = purpose
        self.directory = directory
        signer = ledger_signer()
        directory.mkdir(parents=True, exist_ok=True)
        policy = {
            "admission": "open",
            "attestors": [],
            "open_max": 1000,
            "commission_cap_bps": 1000,
            "max_age_seconds": 366 * 86_400,
            "clock": "simulated",
        }
        self.registrar = Registrar.found(
            directory / "ledger",
            origin=ORIGIN,
            founder=_signer("founder"),
            signer=signer,
            last_signed=LastSigned.create(directory / "keys" / "ledger.last-signed"),
            clock=lambda: self.now * 1000,
            policy=Policy.model_validate_json(jcs(policy)),
            nonce=bytes(32),
            rules=rules,
        )
        self._ledger_id = self.registrar.state.id
        self.contracts = self._open(leases)
        self.now = LAST_DAY
        self._hours = 0
        self._ready: list[bytes] = []

    def _sign(self, who: Signer, tree: dict[str, Any], sub: str) -> bytes:
        return envelope.sign_bytes(who, jcs(tree), sub=sub, aud=self._ledger_id, iat=START)

    def _act(self, acts: Iterable[tuple[Signer, dict[str, Any], str]]) -> list[str]:
        """Register statements in batches, as (who, payload, subject); return their ids."""
        raws = [self._sealed(who, tree, sub) for who, tree, sub in acts]
        answers = [
            answer
            for at in range(0, len(raws), OPENED_TOGETHER)
            for answer in self.registrar.register(raws[at : at + OPENED_TOGETHER])
        ]
        refused = [answer for answer in answers if isinstance(answer, Refused)]
        assert not refused, refused[0]
        return [answer.id for answer in answers if not isinstance(answer, Refused)]

    def _sealed(self, who: Signer, tree: dict[str, Any], sub: str) -> bytes:
        ready = sealed.seal({"v": 1, **tree}, aud=self._ledger_id, iss=who.did, random=os.urandom)
        return envelope.sign(who, draft(ready.tree), sub=sub or who.did, aud=self._ledger_id, iat=self.now)

    def _open(self, count: int) -> list[Contract]:
        """Bring leases to the point where usage is reported, all of them one step after another.

        Blocks seal as many statements as those of a busy ledger do: one lease after the other would make a block
        of each statement.
        """
        pairs = [(_signer(f"lessor {number}"), _signer(f"lessee {number}")) for number in range(count)]
        available = Period.between(START, START + 360 * 86_400)
        pools = self._act(
            (lessor, {"type": "pool.declared", "number": "P-1", "lines": [LINE]}, "") for lessor, _ in pairs
        )
        offers = self._act(
            (lessor, _offer(pool, available), "") for (lessor, _), pool in zip(pairs, pools, strict=True)
        )
        leases = self._act(
            (lessee, self._proposal(lessor, lessee, offer, available), "")
            for (lessor, lessee), offer in zip(pairs, offers, strict=True)
        )
        contracts = [
            Contract(lessor=lessor, lessee=lessee, lease=lease)
            for (lessor, lessee), lease in zip(pairs, leases, strict=True)
        ]
        self._act((one.lessor, {"type": "lease.signed"}, one.lease) for one in contracts)
        lines = [{"line": "chip", "count": COUNT}]
        handed = {"type": "delivery.offered", "number": "B-1", "lines": lines, "serials": []}
        deliveries = self._act((one.lessor, handed, one.lease) for one in contracts)
        self._act(
            (one.lessee, {"type": "delivery.accepted", "delivery": delivery}, one.lease)
            for one, delivery in zip(contracts, deliveries, strict=True)
        )
        return contracts

    def _proposal(self, lessor: Signer, lessee: Signer, offer_id: str, period: Period) -> dict[str, Any]:
        offer = self.registrar.book.get(Offer, offer_id)
        assert offer is not None, "it was registered just now"
        choice = Choice(offer_id=offer_id, offer=offer, offer_line="chip", count=COUNT, purpose=self._purpose)
        deal = Deal(lessor=lessor.did, lessee=lessee.did, choices=(choice,), period=period)
        return {
            "type": "lease.proposed",
            "number": "L-1",
            "answers": offer_id,
            "valid_to": format_instant(self.now + 86_400),
            "terms": draft_terms(load("on-demand"), deal),
        }

    def pool(self, contract: int, number: str) -> bytes:
        """Sign the declaration of one more pool by a known lessor: it depends on nothing before it."""
        who = self.contracts[contract].lessor
        tree = {"type": "pool.declared", "v": 1, "number": number, "lines": [LINE]}
        ready = sealed.seal(tree, aud=self._ledger_id, iss=who.did, random=os.urandom)
        return self._sign(who, ready.tree, who.did)

    def declare(self, who: Signer) -> bytes:
        """Sign a declaration of a key."""
        tree = {"type": "identity.declared", "v": 1, "label": "bench"}
        ready = sealed.seal(tree, aud=self._ledger_id, iss=who.did, random=os.urandom)
        return envelope.sign(who, draft(ready.tree), sub=who.did, aud=self._ledger_id, iat=START)

    def statements(self, count: int) -> list[bytes]:
        """Sign the next `count` statements: a report and its confirmation for each lease in turn."""
        signed = self._ready
        while len(signed) < count:
            start = START + self._hours * HOUR
            period = Period.between(start, start + HOUR).model_dump(mode="json")
            self._hours += 1
            for contract in self.contracts:
                report = {
                    "type": "usage.reported",
                    "v": 1,
                    "line": "chip",
                    "period": period,
                    "chip_seconds": COUNT * HOUR * self._hours,
                    "downtime_s": 0,
                }
                raw = self._sign(contract.lessor, report, contract.lease)
                ref = envelope.decode(raw).id
                confirmed = {"type": "usage.confirmed", "v": 1, "report": ref}
                signed += [raw, self._sign(contract.lessee, confirmed, contract.lease)]
        # What is left of a round comes first next time: the periods of a line leave no gap.
        self._ready = signed[count:]
        return signed[:count]
