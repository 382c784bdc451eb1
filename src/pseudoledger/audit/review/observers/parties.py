"""Related parties: what ties the two sides of a lease, or two lessors, to one owner."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pseudoledger.audit.review.facts import Cited, Fact, FactValue, Observation, Shown, Sort, Table, table
from pseudoledger.audit.review.observers.base import SignedLease, Silent, signed_lease
from pseudoledger.audit.review.observers.ties import TIE_FACTS, remember, ties
from pseudoledger.audit.review.reading import Read
from pseudoledger.audit.review.sight import Sight

PARTIES = table(
    "parties",
    "The two parties of a lease (basis lease), or two lessors who ask to be paid on one account (basis account).",
    reads=("lease.signed", "claim.attested", "claim.revoked"),
    facts=(
        Fact(name="basis", sort=Sort.TEXT, says="lease or account"),
        Fact(name="number", sort=Sort.TEXT, says="The proposer's number of the lease"),
        Fact(name="pair", sort=Sort.TEXT, says="The two identities, in order"),
        Fact(name="same_chain", sort=Sort.TRUTH, says="Whether both keys belong to one identity today"),
        Fact(name="same_account", sort=Sort.TRUTH, says="Whether both named one account to be paid on"),
        Fact(
            name="both_ways",
            sort=Sort.TRUTH,
            says="Whether each has leased to the other",
        ),
        Fact(
            name="same_name",
            sort=Sort.TRUTH,
            says="Whether both have one registered name",
            missing="the registered names are sealed, or were not given",
        ),
        Fact(
            name="shared_name",
            sort=Sort.TEXT,
            says="The name that both have",
            missing="they have none in common",
        ),
        Fact(
            name="account",
            sort=Sort.TEXT,
            says="The account that both named",
            missing="they named none in common",
        ),
        *TIE_FACTS,
    ),
)


class RelatedParties(Silent):
    """Reads signatures of leases, and claims that tie identities to each other."""

    tables: ClassVar[tuple[Table, ...]] = (PARTIES,)
    reads: ClassVar[frozenset[str]] = frozenset(PARTIES.reads)

    def read(self, entry: Read, sight: Sight) -> Iterator[Observation]:
        """Yield one observation for the two parties, and one for each account met before under another lessor."""
        if entry.kind != "lease.signed":
            remember(entry, sight)
            return
        signed = signed_lease(entry, sight)
        if signed is None:
            return
        yield self._lease(entry, signed, sight)
        for means in signed.terms.payment_means:
            if means.account is not None:
                yield from self._account(entry, signed, means.account, sight)

    def _lease(self, entry: Read, signed: SignedLease, sight: Sight) -> Observation:
        lessor, lessee = signed.lessor, signed.lessee
        way = sight.notebook.get("leased", f"{lessee}>{lessor}")
        sight.notebook.put("leased", f"{lessor}>{lessee}", entry.index)
        cites: tuple[Cited, ...] = signed.cites
        facts: dict[str, FactValue] = {
            "basis": "lease",
            "number": signed.lease.number,
            "pair": " and ".join(sorted((lessor, lessee))),
            "same_chain": lessor == lessee,
            "both_ways": way is not None,
            "same_account": False,
        }
        if way is not None:
            cites = (sight.cite(way, "lease the other way"), *cites)
        said, claims = ties(lessor, lessee, entry.at, sight)
        facts |= said
        cites = (*claims, *cites)
        return Observation(
            table=PARTIES,
            at=entry.at,
            subject=f"{signed.id}/parties",
            facts=facts,
            cites=cites,
            parties=signed.parties,
            shown=_names(signed, facts, sight),
        )

    def _account(self, entry: Read, signed: SignedLease, account: str, sight: Sight) -> Iterator[Observation]:
        before = sight.notebook.get("account", account)
        if before is None:
            sight.notebook.put("account", account, [signed.lessor, entry.index])
            return
        other, index = before
        if other == signed.lessor:
            return
        yield Observation(
            table=PARTIES,
            at=entry.at,
            subject=f"{account}/{signed.lessor}",
            facts={
                "basis": "account",
                "number": signed.lease.number,
                "pair": " and ".join(sorted((other, signed.lessor))),
                "same_chain": False,
                "same_account": True,
                "account": account,
                "both_ways": False,
            },
            cites=(sight.cite(index, "first lease with this account"), *signed.cites),
            parties=(("lessor", signed.lessor), ("lessor before", other)),
        )


def _names(signed: SignedLease, facts: dict[str, FactValue], sight: Sight) -> dict[str, Shown]:
    """Compare the registered names, in the clear or as disclosures show them."""
    clear = (signed.terms.lessor_name, signed.terms.lessee_name)
    opened = tuple(sight.opened(signed.id, f"/terms/{role}_name") for role in ("lessor", "lessee"))
    names = [
        text if text is not None else None if one is None else one.value
        for text, one in zip(clear, opened, strict=True)
    ]
    first, second = names
    if first is None or second is None:
        return {}
    same = _plain(first) == _plain(second)
    source = opened[1] or opened[0]
    if source is None:
        facts["same_name"] = same
        if same:
            facts["shared_name"] = first
        return {}
    shown = {"same_name": Shown(value=same, opened=source)}
    if same:
        shown["shared_name"] = Shown(value=first, opened=source)
    return shown


def _plain(name: str) -> str:
    """Return a name without what says nothing: case, spaces, dots and commas."""
    return "".join(letter for letter in name.casefold() if letter not in " .,")
