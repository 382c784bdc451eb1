"""A played ledger, a node over it in this process, and what the tests of the pages read out of HTML."""

import re
import threading
from contextlib import contextmanager
from html.parser import HTMLParser

import uvicorn

from play import DAY
from play.claims import claim
from play.papers import period
from pseudoledger.demo import billing, city, grant, month
from pseudoledger.demo.play import START
from pseudoledger.demo.stage import Stage
from pseudoledger.node.app import create_app
from pseudoledger.node.node import Node, Role, Standing
from pseudoledger.node.reading import Reader
from pseudoledger.node.submission import Unavailable
from pseudoledger.statement.values import instant_seconds

PAGES = [
    "overview",
    "blocks",
    "block",
    "statement",
    "lease",
    "leases",
    "identity",
    "offers",
    "demands",
    "invoices",
    "programmes",
    "programme",
    "vouchers",
    "voucher",
    "machines",
    "machine",
    "disputes",
    "dispute",
    "network",
    "missing",
]
"""Every page, by the name under which `Played` tells its path."""

VOID = {"br", "hr", "img", "input", "link", "meta"}


class TakesNothing:
    """The way in of a node that is only read."""

    async def submit(self, _statements):
        raise Unavailable("this node is only read")


class Played:
    """The demo's month up to its invoices, of which some are paid; its ledger stays open for more."""

    def __init__(self, directory):
        self.stage = stage = Stage.build(directory, seed=1, start=START, tell=lambda _: None)
        market = month.Market()
        month.declare(stage)
        month.offer(stage)
        month.demand(stage, market)
        month.mandate(stage, market)
        month.agree(stage, market)
        stage.until("2026-03-02T09:00:00Z")
        month.deliver(stage, market)
        stage.until("2026-03-10T01:00:00Z")
        billing.report(stage, market, "2026-03-10T00:00:00Z")
        stage.until("2026-03-15T09:00:00Z")
        billing.amend(stage, market)
        for week in ("2026-03-17", "2026-03-24", "2026-03-31"):
            stage.until(f"{week}T01:00:00Z")
            billing.report(stage, market, f"{week}T00:00:00Z")
        stage.until("2026-04-04T09:00:00Z")
        issued = billing.invoice(stage, market)
        stage.until("2026-04-20T09:00:00Z")
        billing.pay(stage, market, {"train-and-serve": issued["train-and-serve"]})
        self._attest(stage)
        self.town, self.dispute = self._grant(stage, market, issued["long-context"][0])
        self.market, self.issued = market, issued
        self.directory = directory
        self.forks = directory / "forks"
        self.standing = Standing()
        self.role = Role.FOUNDER
        self.now = instant_seconds("2026-04-28T00:00:00Z")
        self.publish()

    def _attest(self, stage):
        """A registry says of what sort north-lake is; the lessor has said so itself before."""
        for number, kind in enumerate(
            ("kyc", "country", "facility", "chip_inventory", "revenue_at_least", "affiliate_of"), 1
        ):
            more = {"party": stage.did("registry")} if kind == "affiliate_of" else {}
            valid = period(stage.now, stage.now + 365 * DAY)
            tree = claim(kind, number=f"R{number}", valid=valid, **more)
            stage.act("registry", tree, stage.did("north-lake"))

    def _grant(self, stage, market, invoice):
        """A city's programme with a voucher set aside, a machine that was sold, and a dispute that waits."""
        town = city.City()
        city.declare(stage)
        city.attest(stage, town)
        city.promise(stage, town)
        city.sell(stage, town, market)
        city.hand_over(stage, town)
        grant.lease(stage, town)
        matter = {"invoice": invoice, "amount_minor": 100_00}
        opened = {"type": "dispute.opened", "number": "Q-1", "matter": matter, "reason": "quality"}
        return town, stage.act("long-context", opened, market.leases["long-context"])

    def publish(self):
        self.stage.registrar.publish()

    @property
    def lease(self):
        return self.market.leases["train-and-serve"]

    @property
    def invoice(self):
        return self.issued["long-context"][0]

    def app(self):
        """The whole application of a node over this ledger."""
        reader = Reader(self.directory / "ledger")
        node = Node(
            reader=reader,
            submitter=TakesNothing(),
            role=self.role,
            now=lambda: self.now,
            forks=self.forks,
            standing=lambda: self.standing,
        )
        return create_app(node), reader

    def pages(self):
        """One address of each page, by the name of the page."""
        return {
            "overview": "/",
            "blocks": "/blocks",
            "block": "/blocks/40",
            "statement": f"/statements/{self.invoice}",
            "lease": f"/leases/{self.lease}",
            "leases": "/leases",
            "identity": f"/identities/{self.stage.did('north-lake')}",
            "offers": "/offers",
            "demands": "/demands",
            "invoices": "/invoices",
            "programmes": "/programmes",
            "programme": f"/programmes/{self.town.programme}",
            "vouchers": "/vouchers",
            "voucher": f"/vouchers/{self.town.voucher}",
            "machines": "/machines",
            "machine": f"/machines/{self.town.machine}",
            "disputes": "/disputes",
            "dispute": f"/disputes/{self.dispute}",
            "network": "/network",
            "missing": "/nothing",
        }


@contextmanager
def served(app):
    """Serve an application on a free port of this machine; yield its URL."""
    config = uvicorn.Config(app, port=0, log_level="error", ws="none", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    started = threading.Event()
    startup = server.startup

    async def tell(sockets=None):
        await startup(sockets)
        started.set()

    server.startup = tell
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(30)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)


class Read(HTMLParser):
    """What tests ask about a page."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text, self.loose = [], [], []
        self._open, self._apart = [], 0
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        if tag in VOID:
            return
        # Technical text, foreign text, and what a party wrote is isolated and belongs to no language.
        apart = tag in {"bdi", "code", "time", "title", "option"} or attributes.get("lang") == "en"
        self._open.append((tag, apart))
        self._apart += apart

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        opened, apart = self._open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"
        self._apart -= apart

    def handle_data(self, data):
        self.text.append(data)
        if not self._apart:
            self.loose.append(re.sub("\u2068[^\u2069]*\u2069", "", data))

    @property
    def whole(self):
        assert not self._open
        return " ".join(" ".join(self.text).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]
