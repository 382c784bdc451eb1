"""Which address shows which page."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from pseudoledger.node.node import Node
from pseudoledger.node.pages import (
    assets,
    blocks,
    disputes,
    foreign,
    identity,
    invoices,
    lease,
    machines,
    market,
    network,
    statement,
    vouchers,
)
from pseudoledger.node.pages.overview import Overview
from pseudoledger.node.pages.site import MakePage, Site


def routes(node: Node) -> list[BaseRoute]:
    """Return the routes of all pages of a node, and of what they are made with."""
    site = Site(node)
    pages: dict[str, MakePage] = {
        "/": Overview().make,
        "/blocks": blocks.make_list,
        "/blocks/{height}": blocks.make_block,
        "/statements/{id}": statement.make,
        "/leases": lease.make_list,
        "/leases/{id}": lease.make_lease,
        "/identities/{did}": identity.make,
        "/offers": market.make_offers,
        "/demands": market.make_demands,
        "/invoices": invoices.make,
        "/programmes": vouchers.make_programmes,
        "/programmes/{id}": vouchers.make_programme,
        "/vouchers": vouchers.make_vouchers,
        "/vouchers/{id}": vouchers.make_voucher,
        "/machines": machines.make_list,
        "/machines/{id}": machines.make_machine,
        "/disputes": disputes.make_list,
        "/disputes/{id}": disputes.make_dispute,
        "/foreign/{ledger}/{id}": foreign.make,
        "/network": network.make,
    }
    return [
        Route("/assets/{version}/{name}", assets.serve),
        *(Route(path, site.endpoint(make)) for path, make in pages.items()),
    ]
