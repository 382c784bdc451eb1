"""Facilities: where machines are said to stand, beside everything else that says where they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Shown, Sort, Table, table
from pseudoledger.audit.review.observers.base import COUNTRY, Silent, country_facts, shown_text
from pseudoledger.audit.review.observers.custody import Met, shown_moving
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight, cited
from pseudoledger.contract.things import Lease, TermsInForce
from pseudoledger.statement.kinds.delivery import DeliveryOffered
from pseudoledger.statement.kinds.market import OfferPublished

FACILITY = table(
    "facility",
    "Where machines are said to stand, beside evidence: another offer of the same pool (basis pool), the same"
    " serial digests delivered elsewhere (serials), what came with a delivery (delivery).",
    reads=("offer.published", "delivery.offered"),
    facts=(
        COUNTRY,
        Fact(name="basis", sort=Sort.TEXT, says="pool, serials or delivery"),
        Fact(name="number", sort=Sort.TEXT, says="Number of the offer or delivery"),
        Fact(
            name="earlier_country",
            sort=Sort.TEXT,
            says="Country that was said before",
            missing="nothing was said before, or ZZ",
        ),
        Fact(
            name="between_s",
            sort=Sort.INTEGER,
            says="Time since then",
            unit="s",
            missing="nothing was said before",
        ),
        Fact(
            name="units", sort=Sort.INTEGER, says="Chips of the delivery", unit="C62", missing="no delivery"
        ),
        Fact(
            name="serials", sort=Sort.INTEGER, says="Serial digests given", unit="C62", missing="no delivery"
        ),
        Fact(
            name="serials_met",
            sort=Sort.INTEGER,
            says="Serial digests that were delivered before under another lease",
            unit="C62",
            missing="no delivery",
        ),
        Fact(
            name="evidence",
            sort=Sort.TRUTH,
            says="Whether a hand-over record is pinned",
            missing="no delivery",
        ),
        Fact(name="site_told", sort=Sort.TRUTH, says="Whether the site can be read"),
        Fact(
            name="site",
            sort=Sort.TEXT,
            says="Name or address of the site",
            missing="it is sealed, or not given",
        ),
        Fact(name="operator_told", sort=Sort.TRUTH, says="Whether the operator of the site can be read"),
        Fact(
            name="operator",
            sort=Sort.TEXT,
            says="Who operates the site",
            missing="it is sealed, or not given",
        ),
        Fact(
            name="moved",
            sort=Sort.TRUTH,
            says="Whether the ledger shows the machines moving between the two countries",
            missing="this ledger holds no custody statements about these machines",
        ),
    ),
)


class Facilities(Silent):
    """Reads offers and deliveries."""

    tables: ClassVar[tuple[Table, ...]] = (FACILITY,)
    reads: ClassVar[frozenset[str]] = frozenset(FACILITY.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield what an offer or a delivery says about places."""
        match entry.payload:
            case OfferPublished() as offer:
                yield from self._pool(entry, offer, sight)
            case DeliveryOffered() as delivery:
                yield from self._delivery(entry, delivery, sight)

    def _pool(self, entry: Read, offer: OfferPublished, sight: Sight) -> Iterator[Observation]:
        country = offer.facility.country
        before = sight.notebook.get("pool place", offer.pool)
        sight.notebook.put("pool place", offer.pool, [country, entry.at, entry.index])
        if before is None:
            return
        facts: dict[str, FactValue] = {
            **country_facts(country),
            "basis": "pool",
            "number": offer.number,
            **{f"earlier_{name}": value for name, value in country_facts(before[0]).items()},
            "between_s": entry.at - before[1],
        }
        shown = _places(entry.id, "/facility", offer.facility, facts, sight)
        yield Observation(
            table=FACILITY,
            at=entry.at,
            subject=f"{offer.pool}/{entry.id}",
            facts=facts,
            cites=(sight.cite(before[2], "earlier offer of the pool"), cited(entry, "offer")),
            parties=(("lessor", sight.root(entry.statement.iss)),),
            shown=shown,
        )

    def _delivery(self, entry: Read, delivery: DeliveryOffered, sight: Sight) -> Iterator[Observation]:
        ref = entry.statement.sub
        lease, terms = sight.get(Lease, ref), sight.get(TermsInForce, ref)
        if lease is None or terms is None:
            return
        country, met = terms.payload.facility.country, self._meet(entry, ref, delivery, sight)
        chips = {line.id for line in terms.payload.lines if line.chip is not None}
        cites: tuple[Cited, ...] = (sight.cite(terms.entry, "terms"), cited(entry, "delivery"))
        facts: dict[str, FactValue] = {
            **country_facts(country),
            "basis": "serials" if met else "delivery",
            "number": delivery.number,
            "units": sum(line.count for line in delivery.lines if line.line in chips),
            "serials": len(delivery.serials),
            "serials_met": len(met),
            "evidence": delivery.evidence is not None,
        }
        if met:
            earlier = min(met)
            facts |= {f"earlier_{name}": value for name, value in country_facts(earlier.country).items()}
            facts["between_s"] = entry.at - earlier.at
            moved = shown_moving(met, country, entry.at, sight)
            if moved is not None:
                facts["moved"] = moved
            cites = (sight.cite(earlier.entry, "earlier delivery"), *cites)
        shown = _places(ref, "/terms/facility", terms.payload.facility, facts, sight)
        yield Observation(
            table=FACILITY,
            at=entry.at,
            subject=f"{ref}/{delivery.number}",
            facts=facts,
            cites=cites,
            parties=(("lessor", sight.root(lease.lessor)), ("lessee", sight.root(lease.lessee))),
            shown=shown,
        )

    def _meet(self, entry: Read, ref: str, delivery: DeliveryOffered, sight: Sight) -> list[Met]:
        """Return where serials of a delivery were under other leases. Remember this one."""
        terms = sight.get(TermsInForce, ref)
        country = "ZZ" if terms is None else terms.payload.facility.country
        met = []
        for serial in delivery.serials:
            before = sight.notebook.get("serial place", serial)
            if before is not None and before[3] != ref:
                met.append(Met(entry=before[0], country=before[1], at=before[2], serial=serial))
            sight.notebook.put("serial place", serial, [entry.index, country, entry.at, ref])
        return met


def _places(
    statement: str, pointer: str, facility: object, facts: dict[str, FactValue], sight: Sight
) -> dict[str, Shown]:
    """Add what can be read of site and operator; return what disclosures add."""
    shown: dict[str, Shown] = {}
    for name in ("site", "operator"):
        text, opened = shown_text(getattr(facility, name, None), sight.opened(statement, f"{pointer}/{name}"))
        facts[f"{name}_told"] = text is not None
        if text is not None:
            facts[name] = text
        if opened is not None:
            shown[name] = opened
            shown[f"{name}_told"] = Shown(value=True, opened=opened.opened)
    return shown
