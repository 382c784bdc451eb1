"""Leases, invoices, offers, demands and identities: lists in pages, and one by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, Literal, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel

from pseudoledger.contract.account import lease_account
from pseudoledger.contract.book import Book, decode, sort_name
from pseudoledger.contract.derive import demand_status, invoice_status, lease_status, offer_status
from pseudoledger.contract.things import Chain, Demand, Invoice, Lease, Offer, Thing
from pseudoledger.ledger import query
from pseudoledger.ledger.query import ThingRow
from pseudoledger.ledger.store import Store
from pseudoledger.market.search import Search, demand_fits, fitting_lines
from pseudoledger.node.api import items
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, Absent, ApiRoute
from pseudoledger.node.api.models import (
    DemandItem,
    IdentityItem,
    InvoiceItem,
    InvoiceStatus,
    LeaseItem,
    LeaseStatement,
    LeaseStatus,
    OfferItem,
    Page,
)
from pseudoledger.node.api.parameters import (
    CURRENCY,
    DID,
    Cursor,
    Limit,
    Order,
    Party,
    Sort,
    StatementId,
    key_of,
    number_of,
    read_cursor,
    write_cursor,
)
from pseudoledger.node.node import Node
from pseudoledger.node.reading import View

T = TypeVar("T", bound=Thing)
ItemT = TypeVar("ItemT", bound=BaseModel)

EXAMINED_MAX = 5_000
"""Things that one page looks at; where none of them fit, it is empty and says where to go on."""

_OPENED_BY = {
    Lease: "lease.proposed",
    Invoice: "invoice.issued",
    Offer: "offer.published",
    Demand: "demand.published",
}


class Listing:
    """How one page of a list is cut from rows in order."""

    def __init__(self, view: View, now: int, limit: int) -> None:
        self._view, self._now, self._limit = view, now, limit

    def page(
        self,
        cls: type[T],
        rows: Iterable[ThingRow],
        place: Callable[[ThingRow], str],
        keep: Callable[[str, T], bool],
        item: Callable[[str, T, int], ItemT],
    ) -> Page[ItemT]:
        """Return the first things that fit; `rows` holds at most EXAMINED_MAX + 1."""
        found: list[ItemT] = []
        last: ThingRow | None = None
        for number, row in enumerate(rows):
            if len(found) == self._limit or number == EXAMINED_MAX:
                assert last is not None, "a limit is at least one"
                return Page(items=found, next=place(last), as_of=self._now)
            thing = decode(cls, row.key, row.value)
            if keep(row.key, thing):
                found.append(item(row.key, thing, self._now))
            last = row
        return Page(items=found, next=None, as_of=self._now)

    def by_entry(
        self,
        cls: type[T],
        sort: Order,
        cursor: str | None,
        keep: Callable[[str, T], bool],
        item: Callable[[str, T, int], ItemT],
    ) -> Page[ItemT]:
        """Return a page by the index of the entry that opened each thing."""
        name = f"{sort_name(cls)} {sort}"
        rows = query.things_by_entry(
            self._view.store,
            sort_name(cls),
            _OPENED_BY[cls],
            after=number_of(cursor, name),
            newest=sort == "-entry",
            limit=EXAMINED_MAX + 1,
        )
        return self.page(cls, rows, lambda row: write_cursor(name, row.place), keep, item)


def _one(view: View, cls: type[T], key: str) -> T:
    thing = view.book.get(cls, key)
    if thing is None:
        raise Absent(f"there is no {sort_name(cls)} {key} on this ledger")
    return thing


def _root(view: View, did: str | None) -> str | None:
    return None if did is None else view.book.root_of(did)


def router(node: Node) -> APIRouter:
    """Return the routes of all lists."""
    routes = APIRouter(route_class=ApiRoute, responses={**BAD_PARAMETERS})
    for add in (_leases, _invoices, _offers, _demands, _identities):
        add(routes, node)
    return routes


def _leases(routes: APIRouter, node: Node) -> None:
    @routes.get("/leases", tags=["leases"], summary="List leases")
    def leases(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        status: Annotated[LeaseStatus | None, Query(description="Only those that stand so now.")] = None,
        currency: Annotated[str | None, Query(pattern=CURRENCY, description="Only those in it.")] = None,
    ) -> Page[LeaseItem]:
        """List leases from their proposal on, also those that never came about."""
        now = node.now()
        with node.reader.view() as view:
            root = _root(view, party)

            def keep(_key: str, lease: Lease) -> bool:
                return (
                    (root is None or root in (lease.lessor, lease.lessee))
                    and (status is None or lease_status(lease, now) == status)
                    and (currency is None or lease.currency == currency)
                )

            return Listing(view, now, limit).by_entry(Lease, sort, cursor, keep, items.lease)

    @routes.get("/leases/{id}", tags=["leases"], summary="One lease", responses={**NOT_FOUND})
    def lease(id: StatementId) -> LeaseItem:  # noqa: A002 - the name in the path
        """Return one lease."""
        with node.reader.view() as view:
            return items.lease(id, _one(view, Lease, id), node.now())

    @routes.get(
        "/leases/{id}/account", tags=["leases"], summary="Account of a lease", responses={**NOT_FOUND}
    )
    def account(id: StatementId) -> LeaseStatement:  # noqa: A002 - the name in the path
        """Draw up the account of a lease: agreed, used, billed, credited, paid, open."""
        with node.reader.view() as view:
            _one(view, Lease, id)
            drawn = lease_account(Book(_OfLease(view.store, id)), id, node.now())
            return LeaseStatement.model_validate(
                {
                    **asdict(drawn),
                    "billed_minor": drawn.billed_minor,
                    "credited_minor": drawn.credited_minor,
                    "voucher_minor": drawn.voucher_minor,
                    "paid_minor": drawn.paid_minor,
                    "disputed_minor": drawn.disputed_minor,
                    "owed_credit_minor": drawn.owed_credit_minor,
                    "open_minor": drawn.open_minor,
                }
            )


class _OfLease:
    """A shelf on which only the reports, invoices and disputes of one lease are found when all are asked for."""

    def __init__(self, store: Store, lease: str) -> None:
        self._store = store
        self._things = list(query.things_of_lease(store, lease))

    def read(self, sort: str, key: str) -> bytes | None:
        """Return the stored JSON of one thing, or None."""
        return self._store.read(sort, key)

    def things(self, sort: str) -> Iterator[tuple[str, bytes]]:
        """Yield the things of the lease by key."""
        yield from sorted((key, value) for name, key, value in self._things if name == sort)


def _invoices(routes: APIRouter, node: Node) -> None:
    @routes.get("/invoices", tags=["invoices"], summary="List invoices")
    def invoices(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Annotated[
            Literal["-entry", "entry", "due_at", "-due_at"],
            Query(description="By entry or due time; with `-` the newest or latest first."),
        ] = "-entry",
        party: Party = None,
        lease: Annotated[
            str | None, Query(pattern=r"^[0-9a-f]{64}$", description="Only those of this lease.")
        ] = None,
        status: Annotated[InvoiceStatus | None, Query(description="Only those that stand so now.")] = None,
        currency: Annotated[str | None, Query(pattern=CURRENCY, description="Only those in it.")] = None,
    ) -> Page[InvoiceItem]:
        """List invoices, also those of brokers for their commission."""
        now = node.now()
        with node.reader.view() as view:
            root = _root(view, party)

            def keep(_key: str, invoice: Invoice) -> bool:
                return (
                    (root is None or root in (invoice.issuer, invoice.payer))
                    and (lease is None or invoice.lease == lease)
                    and (status is None or invoice_status(invoice, now) == status)
                    and (currency is None or invoice.currency == currency)
                )

            listing = Listing(view, now, limit)
            if sort in ("-entry", "entry"):
                return listing.by_entry(Invoice, sort, cursor, keep, items.invoice)
            name = f"invoice {sort}"
            place = read_cursor(cursor, name, int, str)
            rows = query.invoices_by_due(
                view.store,
                after=None if place is None else (int(place[0]), str(place[1])),
                latest=sort == "-due_at",
                limit=EXAMINED_MAX + 1,
            )
            return listing.page(
                Invoice, rows, lambda row: write_cursor(name, row.place, row.key), keep, items.invoice
            )

    @routes.get("/invoices/{id}", tags=["invoices"], summary="One invoice", responses={**NOT_FOUND})
    def invoice(id: StatementId) -> InvoiceItem:  # noqa: A002 - the name in the path
        """Return one invoice."""
        with node.reader.view() as view:
            return items.invoice(id, _one(view, Invoice, id), node.now())


def _offers(routes: APIRouter, node: Node) -> None:
    @routes.get("/offers", tags=["market"], summary="List offers")
    def offers(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        status: Annotated[
            Literal["open", "withdrawn", "over"] | None, Query(description="Only those that stand so now.")
        ] = None,
        chip: Annotated[
            str | None, Query(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$", description="Only those with this chip.")
        ] = None,
        country: Annotated[str | None, Query(pattern=r"^[A-Z]{2}$", description="Only those there.")] = None,
        currency: Annotated[str | None, Query(pattern=CURRENCY, description="Only those in it.")] = None,
        price_micro: Annotated[
            int | None,
            Query(ge=0, le=2**53 - 1, description="Only those with a line at most so dear a unit and hour."),
        ] = None,
        q: Annotated[
            str | None,
            Query(
                min_length=1, max_length=200, description="Only those that say so: id, number, party, chip."
            ),
        ] = None,
    ) -> Page[OfferItem]:
        """List offers: the board of standing supply, with the search of the pages."""
        now = node.now()
        search = Search(
            chip=chip or "",
            country=country or "",
            currency=currency or "",
            price_micro=price_micro,
            text=q or "",
        )
        with node.reader.view() as view:
            root = _root(view, party)

            def keep(key: str, offer: Offer) -> bool:
                return (
                    (root is None or root == offer.lessor)
                    and (status is None or offer_status(offer, now) == status)
                    and bool(fitting_lines(view.book, key, offer, search))
                )

            return Listing(view, now, limit).by_entry(Offer, sort, cursor, keep, items.offer)

    @routes.get("/offers/{id}", tags=["market"], summary="One offer", responses={**NOT_FOUND})
    def offer(id: StatementId) -> OfferItem:  # noqa: A002 - the name in the path
        """Return one offer."""
        with node.reader.view() as view:
            return items.offer(id, _one(view, Offer, id), node.now())


def _demands(routes: APIRouter, node: Node) -> None:
    @routes.get("/demands", tags=["market"], summary="List demands")
    def demands(
        *,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        status: Annotated[
            Literal["open", "closed", "over"] | None, Query(description="Only those that stand so now.")
        ] = None,
        purpose: Annotated[
            Literal["train", "infer", "other"] | None, Query(description="Only those for it.")
        ] = None,
        chip: Annotated[
            str | None,
            Query(pattern=r"^[a-z0-9][a-z0-9.-]{0,63}$", description="Only those that would take this chip."),
        ] = None,
        q: Annotated[
            str | None,
            Query(
                min_length=1, max_length=200, description="Only those that say so: id, number, party, chip."
            ),
        ] = None,
    ) -> Page[DemandItem]:
        """List demands: standing need."""
        now = node.now()
        search = Search(chip=chip or "", text=q or "")
        with node.reader.view() as view:
            root = _root(view, party)

            def keep(key: str, demand: Demand) -> bool:
                return (
                    (root is None or root == demand.lessee)
                    and (status is None or demand_status(demand, now) == status)
                    and (purpose is None or demand.payload.purpose == purpose)
                    and demand_fits(view.book, key, demand, search)
                )

            return Listing(view, now, limit).by_entry(Demand, sort, cursor, keep, items.demand)

    @routes.get("/demands/{id}", tags=["market"], summary="One demand", responses={**NOT_FOUND})
    def demand(id: StatementId) -> DemandItem:  # noqa: A002 - the name in the path
        """Return one demand."""
        with node.reader.view() as view:
            return items.demand(id, _one(view, Demand, id), node.now())


def _identities(routes: APIRouter, node: Node) -> None:
    @routes.get("/identities", tags=["identities"], summary="List identities")
    def identities(
        cursor: Cursor = None,
        limit: Limit = 50,
        label: Annotated[
            str | None, Query(min_length=1, max_length=200, description="Only those with exactly this label.")
        ] = None,
        revoked: Annotated[
            bool | None, Query(description="Only those whose key is, or is not, in force.")
        ] = None,
    ) -> Page[IdentityItem]:
        """List identities that were declared or rotated, by their first key."""
        with node.reader.view() as view:

            def keep(_key: str, chain: Chain) -> bool:
                return (label is None or chain.label == label) and (
                    revoked is None or (chain.revoked_by is not None) == revoked
                )

            after = key_of(cursor, "chain")
            rows = query.things_by_key(view.store, "chain", after=after, limit=EXAMINED_MAX + 1)
            return Listing(view, node.now(), limit).page(
                Chain, rows, lambda row: write_cursor("chain", row.key), keep, items.identity
            )

    @routes.get("/identities/{did}", tags=["identities"], summary="One identity", responses={**NOT_FOUND})
    def identity(
        did: Annotated[str, Path(pattern=DID, description="Any key of its chain, as did:key.")],
    ) -> IdentityItem:
        """Return the identity that a key belongs to; a key that was never declared has none."""
        with node.reader.view() as view:
            root = view.book.root_of(did)
            return items.identity(root, _one(view, Chain, root), node.now())
