"""Leases, invoices, offers, demands and identities: lists in pages, and one by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query

from pseudoledger.contract.account import lease_account
from pseudoledger.contract.book import Book
from pseudoledger.contract.derive import demand_status, invoice_status, lease_status, offer_status
from pseudoledger.contract.things import Chain, Demand, Invoice, Lease, Offer
from pseudoledger.ledger import query
from pseudoledger.ledger.store import Store
from pseudoledger.market.search import Search, demand_fits, fitting_lines
from pseudoledger.node.api import items, listing
from pseudoledger.node.api.failures import BAD_PARAMETERS, NOT_FOUND, ApiRoute
from pseudoledger.node.api.listing import Listing, one, root_of
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
    DID,
    Currency,
    Cursor,
    DemandSearch,
    DemandStatus,
    Limit,
    OfferSearch,
    OfferStatus,
    OfLease,
    Party,
    Purpose,
    Sort,
    StatementId,
    key_of,
    read_cursor,
    write_cursor,
)
from pseudoledger.node.node import Node
from pseudoledger.node.reading import View


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
        currency: Currency = None,
    ) -> Page[LeaseItem]:
        """List leases from their proposal on, also those that never came about."""
        now = node.now()
        with node.reader.view() as view:
            root = root_of(view, party)

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
            return items.lease(id, one(view, Lease, id), node.now())

    @routes.get(
        "/leases/{id}/account", tags=["leases"], summary="Account of a lease", responses={**NOT_FOUND}
    )
    def account(id: StatementId) -> LeaseStatement:  # noqa: A002 - the name in the path
        """Draw up the account of a lease: agreed, used, billed, credited, paid, open."""
        with node.reader.view() as view:
            one(view, Lease, id)
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
        lease: OfLease = None,
        status: Annotated[InvoiceStatus | None, Query(description="Only those that stand so now.")] = None,
        currency: Currency = None,
    ) -> Page[InvoiceItem]:
        """List invoices, also those of brokers for their commission."""
        now = node.now()
        with node.reader.view() as view:
            root = root_of(view, party)

            def keep(_key: str, invoice: Invoice) -> bool:
                return (
                    (root is None or root in (invoice.issuer, invoice.payer))
                    and (lease is None or invoice.lease == lease)
                    and (status is None or invoice_status(invoice, now) == status)
                    and (currency is None or invoice.currency == currency)
                )

            cut = Listing(view, now, limit)
            if sort in ("-entry", "entry"):
                return cut.by_entry(Invoice, sort, cursor, keep, items.invoice)
            name = f"invoice {sort}"
            place = read_cursor(cursor, name, int, str)
            rows = query.invoices_by_due(
                view.store,
                after=None if place is None else (int(place[0]), str(place[1])),
                latest=sort == "-due_at",
                limit=listing.EXAMINED_MAX + 1,
            )
            return cut.page(
                Invoice, rows, lambda row: write_cursor(name, row.place, row.key), keep, items.invoice
            )

    @routes.get("/invoices/{id}", tags=["invoices"], summary="One invoice", responses={**NOT_FOUND})
    def invoice(id: StatementId) -> InvoiceItem:  # noqa: A002 - the name in the path
        """Return one invoice."""
        with node.reader.view() as view:
            return items.invoice(id, one(view, Invoice, id), node.now())


def offers_that(
    view: View, now: int, search: Search, *, party: str | None, status: str | None
) -> Callable[[str, Offer], bool]:
    """Return the test that an offer of a list has to pass."""
    root = root_of(view, party)

    def keep(key: str, offer: Offer) -> bool:
        return (
            (root is None or root == offer.lessor)
            and (status is None or offer_status(offer, now) == status)
            and bool(fitting_lines(view.book, key, offer, search))
        )

    return keep


def demands_that(
    view: View, now: int, search: Search, *, party: str | None, status: str | None, purpose: str | None
) -> Callable[[str, Demand], bool]:
    """Return the test that a demand of a list has to pass."""
    root = root_of(view, party)

    def keep(key: str, demand: Demand) -> bool:
        return (
            (root is None or root == demand.lessee)
            and (status is None or demand_status(demand, now) == status)
            and (purpose is None or demand.payload.purpose == purpose)
            and demand_fits(view.book, key, demand, search)
        )

    return keep


def _offers(routes: APIRouter, node: Node) -> None:
    @routes.get("/offers", tags=["market"], summary="List offers")
    def offers(
        *,
        search: OfferSearch,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        status: OfferStatus = None,
    ) -> Page[OfferItem]:
        """List offers: the board of standing supply, with the search of the pages."""
        now = node.now()
        with node.reader.view() as view:
            keep = offers_that(view, now, search, party=party, status=status)
            return Listing(view, now, limit).by_entry(Offer, sort, cursor, keep, items.offer)

    @routes.get("/offers/{id}", tags=["market"], summary="One offer", responses={**NOT_FOUND})
    def offer(id: StatementId) -> OfferItem:  # noqa: A002 - the name in the path
        """Return one offer."""
        with node.reader.view() as view:
            return items.offer(id, one(view, Offer, id), node.now())


def _demands(routes: APIRouter, node: Node) -> None:
    @routes.get("/demands", tags=["market"], summary="List demands")
    def demands(
        *,
        search: DemandSearch,
        cursor: Cursor = None,
        limit: Limit = 50,
        sort: Sort = "-entry",
        party: Party = None,
        status: DemandStatus = None,
        purpose: Purpose = None,
    ) -> Page[DemandItem]:
        """List demands: standing need."""
        now = node.now()
        with node.reader.view() as view:
            keep = demands_that(view, now, search, party=party, status=status, purpose=purpose)
            return Listing(view, now, limit).by_entry(Demand, sort, cursor, keep, items.demand)

    @routes.get("/demands/{id}", tags=["market"], summary="One demand", responses={**NOT_FOUND})
    def demand(id: StatementId) -> DemandItem:  # noqa: A002 - the name in the path
        """Return one demand."""
        with node.reader.view() as view:
            return items.demand(id, one(view, Demand, id), node.now())


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
            rows = query.things_by_key(view.store, "chain", after=after, limit=listing.EXAMINED_MAX + 1)
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
            return items.identity(root, one(view, Chain, root), node.now())
