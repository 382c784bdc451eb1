"""What earlier entries tell about a statement: its lease and parties, whom it answers, and the market until then.

Only fields in the clear are remembered, so nothing that was disclosed can shift what is said of other statements.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass

from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.trace.leaves import Leaf
from pseudoledger.audit.trace.said import Priced, by_name, parent
from pseudoledger.audit.trace.vantage import Concerned

_DID = "did:key:"
_UNDER = ("lease", "invoice", "presentation")
"""Fields whose statement a payment, voucher or quota belongs under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """Who is in a lease, by the first keys of their identities."""

    lessor: str
    lessee: str
    brokers: tuple[str, ...]
    arbiters: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one statement stands among the others."""

    concerned: Concerned
    others: tuple[str, ...]
    between: tuple[str, ...]
    follows: int | None
    before: str
    price: Priced | None
    market_micro: float | None

    @property
    def named(self) -> frozenset[str]:
        """Return identities and the lease that stand in it, "" among them where one is missing."""
        what = self.concerned
        return frozenset((what.issuer, what.subject, what.lease, *self.others, *self.between)).union(
            what.parties, what.brokers
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    issuer: str
    lease: str
    iat: int


class Past:
    """Everything that was read so far, as far as later statements are seen in its light."""

    def __init__(self, roots: Mapping[str, str]) -> None:
        """Take the first keys of identities, by key."""
        self._roots = roots
        self._known: dict[str, _Known] = {}
        self._deals: dict[str, Deal] = {}
        self._mandates: dict[str, tuple[str, str]] = {}
        self._lines: dict[str, dict[str, str]] = {}
        self._last: dict[str, dict[str, int]] = {}
        self._market: dict[tuple[str, str], list[float]] = {}
        self._acts: dict[str, str] = {}

    def take(self, entry: Read, leaves: tuple[Leaf, ...]) -> Place:
        """Place one statement by its leaves in the clear, and remember it."""
        named = by_name(leaves)
        statement = entry.statement
        issuer, sub = self._root(statement.iss), statement.sub
        about = self._root(sub) if sub.startswith(_DID) else ""
        own = _own_lines(named)
        if entry.kind == "lease.proposed":
            self._deals[entry.id] = self._deal(named)
        lease = self._lease(entry, named)
        deal = self._deals.get(lease)
        price = self._price(entry, named, own, lease)
        market = None if price is None or not price.chip else self._median(price)
        others, between = self._others(entry, leaves, issuer, about, deal)
        place = Place(
            concerned=Concerned(
                id=entry.id,
                issuer=issuer,
                subject=about,
                lease=lease,
                parties=frozenset({deal.lessor, deal.lessee}) if deal else frozenset(),
                brokers=frozenset((*self._cited_brokers(named), *(deal.brokers if deal else ()))),
            ),
            others=others,
            between=between,
            follows=self._follows(entry, named, issuer, lease),
            before=self._acts.get(statement.iss, ""),
            price=price,
            market_micro=market,
        )
        self._remember(entry, named, own, place)
        return place

    def deal_of(self, lease: str) -> Deal | None:
        """Return who is in a lease."""
        return self._deals.get(lease)

    def _root(self, did: str) -> str:
        return self._roots.get(did, did)

    def _deal(self, named: Mapping[str, tuple[Leaf, ...]]) -> Deal:
        def of(name: str) -> tuple[str, ...]:
            return tuple(self._root(str(leaf.value)) for leaf in named.get(name, ()))

        return Deal(
            lessor=next(iter(of("lessor")), ""),
            lessee=next(iter(of("lessee")), ""),
            brokers=tuple(dict.fromkeys(of("broker"))),
            arbiters=of("arbiter"),
        )

    def _lease(self, entry: Read, named: Mapping[str, tuple[Leaf, ...]]) -> str:
        if entry.kind == "lease.proposed":
            return entry.id
        cited = [entry.statement.sub]
        cited += [str(leaf.value) for name in _UNDER for leaf in named.get(name, ())]
        for ref in cited:
            if ref in self._deals:
                return ref
            if ref in self._known and self._known[ref].lease:
                return self._known[ref].lease
        return ""

    def _cited_brokers(self, named: Mapping[str, tuple[Leaf, ...]]) -> tuple[str, ...]:
        refs = [str(leaf.value) for name in ("mandate", "mandates") for leaf in named.get(name, ())]
        named_here = [self._root(str(leaf.value)) for leaf in named.get("broker", ())]
        return tuple(
            dict.fromkeys((*named_here, *(self._mandates[ref][1] for ref in refs if ref in self._mandates)))
        )

    def _others(
        self, entry: Read, leaves: tuple[Leaf, ...], issuer: str, about: str, deal: Deal | None
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the other side, nearest first, and who stands between."""
        near: list[str] = [deal.lessor, deal.lessee] if deal else []
        between: list[str] = [*deal.brokers, *deal.arbiters] if deal else []
        for leaf in leaves:
            if leaf.slot.reveals != "counterparty":
                continue
            name = str(leaf.value)
            if name in self._mandates:
                between.append(self._mandates[name][1])
            elif name.startswith(_DID):
                apart = leaf.slot.name == "arbiter" or (
                    leaf.slot.name == "broker" and entry.kind != "broker.mandated"
                )
                rules = entry.kind == "programme.declared"
                (between if apart or rules else near).append(self._root(name))
        known = self._known.get(entry.statement.sub)
        near += [about, known.issuer if known else ""]
        return _without(near, issuer), _without(between, issuer)

    def _follows(
        self, entry: Read, named: Mapping[str, tuple[Leaf, ...]], issuer: str, lease: str
    ) -> int | None:
        topics = [str(leaf.value) for leaf in named.get("answers", ())] or [lease or entry.statement.sub]
        seen = [iat for topic in topics for who, iat in self._last.get(topic, {}).items() if who != issuer]
        return max(seen, default=None)

    def _price(
        self, entry: Read, named: Mapping[str, tuple[Leaf, ...]], own: Mapping[str, str], lease: str
    ) -> Priced | None:
        currency = next((str(leaf.value) for leaf in named.get("currency", ())), "")
        lines = own or self._lines.get(entry.statement.sub) or self._lines.get(lease) or {}
        found = []
        parts = {parent(leaf) for leaf in named.get("part", ())}
        for leaf in named.get("price_micro", ()):
            if parent(leaf) not in parts:
                line = _beside(leaf, named, "line") or _beside(leaf, named, "lease_line")
                found.append(Priced(micro=float(leaf.value), chip=lines.get(line, ""), currency=currency))
        if found:
            return next((item for item in found if item.chip), found[0])
        ceiling, counts = named.get("hour_micro", ()), named.get("count", ())
        chips = [str(leaf.value) for leaf in named.get("chip", ())]
        total = sum(int(leaf.value) for leaf in counts)
        if ceiling and chips and total:
            return Priced(micro=round(int(ceiling[0].value) / total, 6), chip=chips[0], currency=currency)
        return None

    def _median(self, price: Priced) -> float | None:
        prices = self._market.get((price.chip, price.currency))
        if not prices:
            return None
        middle = len(prices) // 2
        return prices[middle] if len(prices) % 2 else (prices[middle - 1] + prices[middle]) / 2

    def _remember(
        self, entry: Read, named: Mapping[str, tuple[Leaf, ...]], own: dict[str, str], place: Place
    ) -> None:
        what, iat = place.concerned, entry.statement.iat
        self._known[entry.id] = _Known(issuer=what.issuer, lease=what.lease, iat=iat)
        # By key, not by chain: that a key follows another is evidence of its own.
        self._acts[entry.statement.iss] = entry.kind
        if own:
            self._lines[entry.id] = own
        if entry.kind == "broker.mandated":
            broker = self._cited_brokers(named)
            self._mandates[entry.id] = (what.issuer, broker[0] if broker else "")
        if entry.kind == "offer.published":
            self._offer(named, own, place.price)
        subject = entry.statement.sub
        topic = what.lease or (entry.id if subject.startswith(_DID) else subject)
        self._last.setdefault(topic, {})[what.issuer] = iat

    def _offer(
        self, named: Mapping[str, tuple[Leaf, ...]], own: Mapping[str, str], price: Priced | None
    ) -> None:
        if price is None:
            return
        for leaf in named.get("price_micro", ()):
            chip = own.get(_beside(leaf, named, "line"), "")
            if chip:
                insort(self._market.setdefault((chip, price.currency), []), float(leaf.value))


def _own_lines(named: Mapping[str, tuple[Leaf, ...]]) -> dict[str, str]:
    chips = {parent(leaf): str(leaf.value) for leaf in named.get("chip", ())}
    return {str(leaf.value): chips[parent(leaf)] for leaf in named.get("id", ()) if parent(leaf) in chips}


def _beside(leaf: Leaf, named: Mapping[str, tuple[Leaf, ...]], name: str) -> str:
    return next((str(other.value) for other in named.get(name, ()) if parent(other) == parent(leaf)), "")


def _without(names: list[str], issuer: str) -> tuple[str, ...]:
    return tuple(name for name in dict.fromkeys(names) if name and name != issuer)
