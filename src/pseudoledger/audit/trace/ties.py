"""Tokens and edges of a ledger: what the fields of a statement tie a key to, and whose word that is.

A party writes what it likes into its own statements, so nothing ties a key by somebody else's word alone:
what a proposal or invoice says of the other side counts from that side's signature on, a new key counts from its
adoption, a stake from its acceptance. Claims are an attestor's word and are as good as the attestor; a claim that
is taken back as mistaken ties nothing. A claim at the tier `declared` makes an edge or token of its own kind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.trace.habits import number_stem, one_spelling
from pseudoledger.audit.trace.leaves import Leaf
from pseudoledger.audit.trace.said import by_name, parent

OWN = MappingProxyType(
    {
        ("account", "identity"): "payment_account",
        ("bank_account", "identity"): "bank_account",
        ("site", "place"): "site",
        ("owner", "identity"): "facility_owner",
        ("operator", "identity"): "facility_operator",
        ("serial", "hardware"): "serial",
        ("serials", "hardware"): "serial",
        ("parts", "hardware"): "serial",
        ("contact", "identity"): "contact",
        ("label", "identity"): "label",
        ("title", "identity"): "label",
        ("seller_name", "identity"): "name",
        ("next", "identity"): "next_key",
        ("recovery", "identity"): "recovery_key",
        ("tx", "reference"): "transaction",
        ("value", "reference"): "payment_reference",
        ("sha256", "reference"): "document",
    }
)
"""Kind of token by field and what it reveals; it belongs to the issuer, within terms to the lessor."""
_TERMS = frozenset({"lease.proposed", "amendment.proposed"})
_SIGNED = frozenset({"lease.signed", "amendment.signed", "invoice.accepted"})
_PARENTS = MappingProxyType({"affiliate_of": "affiliate", "ultimate_parent": "parent"})
_OF_OTHERS = frozenset(
    {"affiliate_of", "ultimate_parent", "beneficial_owner", "research_project", "approved_model"}
)
"""Types of claim whose name is that of a parent, owner, project or model, not of the subject."""
_ONE_SIDED = "affiliate_declared"
"""By one side's own word; it becomes `affiliate` where the other says the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A value that a key holds."""

    did: str
    kind: str
    value: str
    ref: int
    claim: str = ""
    """Id of the claim that says so, "" where a party says it itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A tie that is declared between two keys."""

    first: str
    second: str
    kind: str
    ref: int
    claim: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Open:
    """An act that a second signature completes."""

    did: str
    kind: str
    other: str = ""


class Ties:
    """Takes statements in ledger order, and keeps what they tie."""

    def __init__(self, root: Callable[[str], str]) -> None:
        """Take what gives the first key of the identity of a key."""
        self._root = root
        self._tokens: list[Token] = []
        self._edges: list[Edge] = []
        self._waiting: dict[str, list[Token]] = {}
        """What was said of the other side, by the statement that its signature would consent to."""
        self._open: dict[str, _Open] = {}
        self._mistaken: set[str] = set()

    def tokens(self) -> list[Token]:
        """Return the tokens in ledger order, without those of claims that were mistaken."""
        return [token for token in self._tokens if token.claim not in self._mistaken]

    def edges(self) -> list[Edge]:
        """Return the edges in ledger order, without those of claims that were mistaken."""
        kept = [edge for edge in self._edges if edge.claim not in self._mistaken]
        said = {(edge.first, edge.second) for edge in kept if edge.kind == _ONE_SIDED}
        return [
            replace(edge, kind=_PARENTS["affiliate_of"])
            if edge.kind == _ONE_SIDED and (edge.second, edge.first) in said
            else edge
            for edge in kept
        ]

    def take(self, entry: Read, leaves: tuple[Leaf, ...]) -> None:
        """Take one statement with the leaves that are seen of it."""
        named = by_name(leaves)
        if entry.kind == "claim.attested":
            self._claim(entry, named)
            return
        self._own(entry, leaves, named)
        match entry.kind:
            case "identity.rotated" | "identity.recovered":
                kind = "rotation" if entry.kind == "identity.rotated" else "recovery"
                self._open[entry.id] = _Open(did=entry.statement.iss, kind=kind, other=entry.statement.sub)
            case "identity.adopted":
                self._adopted(entry, named)
            case "stake.declared" | "quota.set" | "asset.moved":
                kind = {"stake.declared": "stake", "quota.set": "quota"}.get(entry.kind, "custody")
                self._open[entry.id] = _Open(did=entry.statement.iss, kind=kind)
            case "lease.proposed":
                lessor, lessee = _value(named, "lessor"), _value(named, "lessee")
                self._open[entry.id] = _Open(did=lessor, kind="lease", other=lessee)
            case "stake.accepted" | "quota.drawn":
                self._complete(entry, entry.statement.sub)
            case "lease.signed":
                self._leased(entry)
            case "asset.received":
                self._complete(entry, _value(named, "move"))
            case "claim.revoked":
                if _value(named, "reason") == "mistaken":
                    self._mistaken.add(_value(named, "claim"))
            case "voucher.issued":
                self._series(entry, named)
        if entry.kind in _SIGNED:
            self._consented(entry, _value(named, "amendment") or entry.statement.sub)

    def _own(self, entry: Read, leaves: tuple[Leaf, ...], named: Mapping[str, tuple[Leaf, ...]]) -> None:
        issuer = entry.statement.iss
        terms = entry.kind in _TERMS
        lessor, lessee = _value(named, "lessor"), _value(named, "lessee")
        for leaf in leaves:
            kind, did = OWN.get((leaf.slot.name, leaf.slot.reveals)), issuer
            if terms and leaf.pointer.startswith("/terms/"):
                did = lessor
                if leaf.slot.name in {"lessor_name", "lessee_name"}:
                    kind, did = "name", lessor if leaf.slot.name == "lessor_name" else lessee
            elif leaf.slot.name == "buyer_name":
                kind, did = "name", ""
            if kind is None or (kind == "document" and terms):
                continue
            token = Token(did=did, kind=kind, value=_spelled(kind, leaf, named), ref=entry.index)
            if self._root(did) == self._root(issuer):
                self._tokens.append(replace(token, did=issuer))
            else:
                self._waiting.setdefault(entry.id, []).append(token)

    def _claim(self, entry: Read, named: Mapping[str, tuple[Leaf, ...]]) -> None:
        subject, attestor, sort = entry.statement.sub, entry.statement.iss, _value(named, "claim")
        weak = "_declared" if _value(named, "tier") == "declared" else ""
        party, digest = _value(named, "party"), _value(named, "digest")
        group, name = _value(named, "subject_group"), _value(named, "subject_name")

        def token(kind: str, value: str) -> None:
            self._tokens.append(
                Token(did=subject, kind=f"{kind}{weak}", value=value, ref=entry.index, claim=entry.id)
            )

        if party:
            kind = f"{_PARENTS.get(sort, sort)}{weak}"
            self._edges.append(Edge(first=subject, second=party, kind=kind, ref=entry.index, claim=entry.id))
        if digest:
            # A keyed digest is the same only where the same attestor means the same thing.
            token(sort, f"{attestor} {digest}")
        if group:
            token("subject_group", f"{attestor} {group}")
        if name:
            token(f"{sort}_name" if sort in _OF_OTHERS else "name", one_spelling(name))
        for leaf in named.get("site", ()):
            token("site", _spelled("site", leaf, named))

    def _consented(self, entry: Read, ref: str) -> None:
        """Give the signer what the other side said of it."""
        signer = entry.statement.iss
        for token in self._waiting.get(ref, ()):
            if not token.did or self._root(token.did) == self._root(signer):
                self._tokens.append(replace(token, did=signer))

    def _adopted(self, entry: Read, named: Mapping[str, tuple[Leaf, ...]]) -> None:
        handover = self._open.pop(_value(named, "handover"), None)
        if handover is None:
            return
        for did in dict.fromkeys((handover.did, handover.other)):
            self._edges.append(
                Edge(first=did, second=entry.statement.iss, kind=handover.kind, ref=entry.index)
            )

    def _leased(self, entry: Read) -> None:
        deal = self._open.get(entry.statement.sub)
        if deal is not None:
            self._edges.append(Edge(first=deal.did, second=deal.other, kind=deal.kind, ref=entry.index))

    def _complete(self, entry: Read, ref: str) -> None:
        act, signer = self._open.get(ref), entry.statement.iss
        if act is not None and act.did != signer:
            self._edges.append(Edge(first=act.did, second=signer, kind=act.kind, ref=entry.index))

    def _series(self, entry: Read, named: Mapping[str, tuple[Leaf, ...]]) -> None:
        holder, number = _value(named, "holder"), _value(named, "number")
        if holder and number:
            value = f"{entry.statement.sub} {number_stem(number)}"
            self._tokens.append(Token(did=holder, kind="voucher_series", value=value, ref=entry.index))


def _value(named: Mapping[str, tuple[Leaf, ...]], name: str) -> str:
    return next((str(leaf.value) for leaf in named.get(name, ())), "")


def _spelled(kind: str, leaf: Leaf, named: Mapping[str, tuple[Leaf, ...]]) -> str:
    """Write a value so that two spellings of one thing meet."""
    value = str(leaf.value)
    match kind:
        case "transaction" | "payment_reference":
            beside = named.get("chain" if kind == "transaction" else "scheme", ())
            where = next((str(other.value) for other in beside if parent(other) == parent(leaf)), "")
            return f"{where} {value}"
        case "bank_account":
            return "".join(value.split()).upper()
        case "site":
            country = next(
                (str(other.value) for other in named.get("country", ()) if parent(other) == parent(leaf)), ""
            )
            return f"{country} {one_spelling(value)}"
        case "contact" | "label" | "name" | "facility_owner" | "facility_operator":
            return one_spelling(value)
        case _:
            return value
