# ruff: noqa: ARG002 - every act takes the same three numbers
"""Honest and cheating parties at random: whatever they sign, the books stay right.

Each step somebody signs something: what an honest party would, or the same with a number, name or reference
changed, or with another signer. The registrar accepts or refuses. After every step the book is compared with
a model that reads nothing but the accepted statements.
"""

from collections import Counter
from itertools import pairwise
from random import Random

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from market_model import MarketModel

from play import papers
from play.histories import random_histories
from play.papers import DAY, HOUR, START, changed
from play.table import Accepted, Table, key
from pseudoledger.contract.derive import billable
from pseudoledger.contract.things import Chain, Invoice, Lease, MeteredLine, OpenPapers, Usage
from pseudoledger.errors import MalformedError

PICK = st.integers(0, 2**16)
LESSORS = tuple(key(f"machine lessor {n}") for n in range(2))
LESSEES = tuple(key(f"machine lessee {n}") for n in range(3))
EVERYBODY = (*LESSORS, *LESSEES, key("machine stranger"))
OPEN_MAX = 5


ACTS = (
    *(
        "wait",
        "wait",
        "wait",
        "offer",
        "propose",
        "sublet",
        "sublet",
        "answer_proposal",
        "amend",
        "end",
        "reclaim",
    ),
    *("deliver", *["report"] * 5, *["answer_report"] * 3, "correct", "correct"),
    *(*["bill"] * 4, *["answer_invoice"] * 3, "credit", "credit", *["pay"] * 3, "refund", "answer_payment"),
    *("rotate", *["cheat"] * 4),
)
"""What parties do, the commoner more than once. Each takes three numbers: one to pick among things, a share in
percent that beyond 100 is a cheat, and one below twelve."""


class Market(RuleBasedStateMachine):
    """Two lessors, three lessees and a stranger on one ledger."""

    def __init__(self) -> None:
        super().__init__()
        self.table = Table(policy={"open_max": OPEN_MAX})
        self.model = MarketModel()
        self.read = 0
        self.counter = Counter()
        self.attempts = []
        self.acting = {who.did: who for who in EVERYBODY}
        self.spare = self.steps = 0

    # Helpers.

    def number(self, letter):
        """A fresh number; now and then one that may stand on a document already."""
        self.counter[letter] += 1
        drawn = self.counter[letter]
        return f"{letter}-{drawn // 2 if drawn % 7 == 0 else drawn}"

    def signer(self, did):
        """The key in force of whoever a did belongs to."""
        return self.acting[self.table.book.root_of(did)]

    def attempt(self, who, tree, sub=None):
        """Sign and submit; return the id if it was accepted."""
        self.attempts = [*self.attempts[-40:], (who, tree, sub)]
        try:
            raw = self.table.sign(who, tree, sub)
        except MalformedError:
            return None
        (answer,) = self.table.submit(raw)
        for item in self.table.history[self.read :]:
            self.model.read(item)
        self.read = len(self.table.history)
        return answer.statement.id if isinstance(answer, Accepted) else None

    def pick(self, items, pick):
        items = list(items)
        return items[pick % len(items)] if items else None

    def lease(self, pick):
        """Pick a lease, mostly one that was signed."""
        signed = [lease for lease in self.model.leases.values() if lease.signed_at is not None]
        return self.pick(signed if signed and pick % 8 else self.model.leases.values(), pick // 8)

    def sides(self, lease):
        terms = lease.proposal.terms
        return self.signer(terms.lessor), self.signer(terms.lessee)

    @initialize(picks=st.lists(PICK, min_size=3, max_size=3))
    def open(self, picks):
        """Begin with some offers, leases and deliveries, so that there is something to quarrel about."""
        for place, pick in enumerate(picks):
            self.offer(pick, place, 5)
            self.propose(pick * 20 + 1, 2 + place, pick)
            self.deliver(place * 3 + 1, 0, pick)

    @rule(salt=st.integers(0, 2**32 - 1))
    def step(self, salt):
        """Somebody does something. One rule, so that no act is left out of a run, and mixed with the number
        of the step, so that a repeated draw is not a repeated act."""
        self.steps += 1
        chance = Random(f"{salt} {self.steps}")
        act = chance.choice(ACTS)
        getattr(self, act)(chance.randrange(2**16), chance.randrange(105), chance.randrange(12))

    # Time passes.

    def wait(self, pick, part, few):
        self.table.later((1 + part % 50 if pick % 2 else 1 + few) * HOUR)

    # Market and lease.

    def offer(self, pick, part, few):
        count = 1 + few % 6
        who = self.signer(self.pick(LESSORS, pick).did)
        lines = [{"id": "h100", "resource": "chip", "chip": papers.H100, "count": 6}]
        pool = self.pick(self.model.pools, pick // 7) if pick % 3 else None
        pool = pool or self.attempt(who, papers.pool(number=self.number("P"), lines=lines))
        offered = [{**lines[0], "count": count, "pool_line": "h100"}]
        tariff = {
            "currency": "EUR",
            "lines": [{"line": "h100", "basis": "metered", "price_micro": 2_235_000}],
        }
        tree = papers.offer(pool, number=self.number("O"), lines=offered, tariff=tariff)
        self.attempt(who, tree)

    def propose(self, pick, part, few):
        count, start, days = 1 + few % 5, part % 5 - 2, 2 + part % 19
        offer_id = self.pick(self.model.offers, pick)
        if offer_id is None:
            return
        item = next(i for i in self.table.history if i.statement.id == offer_id)
        lessor, lessee = self.signer(item.statement.iss), self.signer(self.pick(LESSEES, pick // 5).did)
        begins = max(START, self.table.now + start * DAY)
        terms = papers.terms(lessor.did, lessee.did, offer_id)
        changes = {"/lines/0/count": count, "/period": papers.period(begins, begins + days * DAY)}
        if pick % 4 == 0:
            changes["/tariff/lines/0/basis"] = "reserved"
        valid = self.table.now + 3 * DAY
        tree = papers.proposal(changed(terms, changes), offer_id, valid, number=self.number("L"))
        lease = self.attempt(lessee, tree)
        if lease and pick % 5 and self.attempt(lessor, papers.simple("lease.signed"), lease) and pick % 6:
            ref = self.attempt(lessor, papers.delivery(("h100", count), number=self.number("V")), lease)
            self.attempt(lessee, papers.simple("delivery.accepted", delivery=ref), lease)

    def sublet(self, pick, part, few):
        count = 1 + few % 4
        head = self.lease(pick)
        if head is None or head.signed_at is None:
            return
        lessor, tenant = self.sides(head)[1], self.signer(self.pick(EVERYBODY, pick // 3).did)
        wanted = self.attempt(tenant, papers.demand(number=self.number("D")))
        if wanted is None:
            return
        terms = head.versions[-1][1].model_dump(mode="json", exclude_none=True)
        line = {
            **{name: terms["lines"][0][name] for name in ("id", "resource", "chip", "purpose")},
            "equivalence_ppm": 1,
            "count": count,
            "head_lease": head.id,
            "head_line": "h100",
        }
        made = papers.terms(lessor.did, tenant.did, "")
        made = changed(made, {"/lines/0": line, "/period": terms["period"]})
        valid = self.table.now + DAY
        lease = self.attempt(lessor, papers.proposal(made, wanted, valid, number=self.number("S")))
        if lease:
            self.attempt(tenant, papers.simple("lease.signed"), lease)

    def answer_proposal(self, pick, part, few):
        kind = ("lease.signed", "lease.rejected", "lease.cancelled")[few % 3]
        lease = self.lease(pick)
        if lease is not None:
            lessor, lessee = self.sides(lease)
            self.attempt(lessee if kind == "lease.cancelled" else lessor, papers.simple(kind), lease.id)

    def amend(self, pick, part, few):
        count, start, days = 1 + few % 6, part % 4, part % 11 - 4
        heads = [self.model.leases[t.place[0]] for t in self.model.takings if t.offer is None]
        lease = self.pick(heads, pick) if heads and pick % 2 else self.lease(pick)
        if lease is None or lease.signed_at is None:
            return
        lessor, lessee = self.sides(lease)
        ids = [ref for ref, said in lease.amendments.items() if said.terms is lease.versions[-1][1]]
        newest = ids[0] if ids else lease.id
        terms = lease.versions[-1][1].model_dump(mode="json", exclude_none=True)
        terms = _in_the_clear(terms)
        until = lease.versions[-1][1].period.until_seconds + days * DAY
        changes = {"/lines/0/count": count, "/period/until": papers.instant(max(until, START + 2 * DAY))}
        changes |= {"/lessor": lessor.did, "/lessee": lessee.did}
        at = self.table.now + start * DAY
        tree = papers.amendment(
            changed(terms, changes), newest, at, self.table.now + 2 * DAY, number=self.number("A")
        )
        ref = self.attempt(lessor, tree, lease.id)
        if ref and pick % 4:
            self.table.later(pick % 3 * HOUR)
            self.attempt(lessee, papers.simple("amendment.signed", amendment=ref), lease.id)

    def end(self, pick, part, few):
        code = (0, 0, 1, 10_000, 20_000, 20_003)[few % 6]
        lease = self.lease(pick)
        if lease is not None:
            lessor, lessee = self.sides(lease)
            entry = self.pick(self.model.invoices, pick // 9) if code >= 20_000 else None
            self.attempt(lessee if code == 1 else lessor, papers.ended(code, entry), lease.id)

    def reclaim(self, pick, part, few):
        days = 6 + few % 4
        lease = self.lease(pick)
        if lease is not None:
            tree = papers.reclaim(self.table.now + days * DAY, number=self.number("R"))
            self.attempt(self.sides(lease)[0], tree, lease.id)

    # Delivery and usage.

    def deliver(self, pick, part, few):
        count = 1 + few % 5
        lease = self.lease(pick)
        if lease is None:
            return
        lessor, lessee = self.sides(lease)
        ref = self.attempt(lessor, papers.delivery(("h100", count), number=self.number("V")), lease.id)
        if ref and pick % 3 == 0:
            self.attempt(lessee, papers.delivery_refused(ref), lease.id)
        elif ref and pick % 3 == 1:
            self.attempt(lessee, papers.simple("delivery.accepted", delivery=ref), lease.id)

    def report(self, pick, part, few):
        """Report from the last report, or the first delivery, until now or the next change of terms."""
        lease = self.lease(pick)
        if lease is None or lease.signed_at is None:
            return
        now, held = self.table.now, self.model.in_force(lease, "h100")
        since = [d["since"] or d["by"] for d in lease.deliveries.values() if not d["refused"]]
        start = held[-1]["until"] if held else max(lease.versions[0][0], min(since, default=now))
        ends = [at for at, _ in lease.versions if at > start]
        last = lease.ended_at or lease.versions[-1][1].period.until_seconds
        until = min(now, last, *ends)
        if start >= until:
            return
        room = self.model.room(lease, "h100", start, until, now)
        reading = sum(r["quantity"] for r in held) + room * part // 100
        tree = papers.usage("h100", start, until, reading, downtime_s=min(few * 600, until - start))
        self.attempt(self.sides(lease)[0], tree, lease.id)

    def answer_report(self, pick, part, few):
        lease = self.lease(pick)
        ref = self.pick(lease.reports, pick // 11) if lease else None
        if ref is None:
            return
        lessee, report = self.sides(lease)[1], lease.reports[ref]
        tree = papers.simple("usage.confirmed", report=ref)
        if pick % 2:
            tree = papers.contested(ref, report["quantity"] * part // 100)
        self.attempt(lessee, tree, lease.id)

    def correct(self, pick, part, few):
        lease = self.lease(pick)
        ref = self.pick(lease.reports, pick // 13) if lease else None
        if ref is None:
            return
        old = lease.reports[ref]
        reading = old["base"] + old["quantity"] * part // 100
        tree = papers.usage("h100", old["start"], old["until"], reading, replaces=ref)
        self.attempt(self.sides(lease)[0], tree, lease.id)

    # Billing.

    def bill(self, pick, part, few):
        """Bill each report of a lease that can be billed, at times with a wrong quantity."""
        off = {1: 1, 2: 3600}.get(few, 0)
        lease = self.lease(pick)
        if lease is None:
            return
        lessor, book = self.sides(lease)[0], self.table.book
        for ref, report in list(lease.reports.items()):
            usage = book.get(Usage, ref)
            terms = lease.terms_at(report["start"])
            rate, count = terms.tariff.lines[0], terms.lines[0].count
            metered = book.get(MeteredLine, f"{lease.id}/h100")
            quantity = billable(usage, rate, metered, count, self.table.now)
            if quantity is None or (usage.billed_by and pick % 3):
                continue
            line = papers.usage_line([ref], quantity + off)
            names = {terms: key for key, terms in self.names(lease)}
            tree = papers.invoice(
                [line],
                number=self.number("I"),
                start=report["start"],
                until=report["until"],
                contract=names[id(terms)],
                due=self.table.now + 14 * DAY,
            )
            self.attempt(lessor, tree, lease.id)

    def names(self, lease):
        yield lease.id, id(lease.versions[0][1])
        for ref, said in lease.amendments.items():
            yield ref, id(said.terms)

    def answer_invoice(self, pick, part, few):
        ref = self.pick(self.model.invoices, pick)
        if ref is None:
            return
        lessor, lessee = self.sides(self.model.leases[self.model.invoices[ref]["lease"]])
        total = self.model.invoices[ref]["said"].total_minor
        acts = (
            (lessee, papers.simple("invoice.accepted")),
            (lessee, papers.rejected(total * part // 100)),
            (lessor, papers.simple("invoice.cancelled")),
        )
        self.attempt(*self.pick(acts, pick // 17), ref)

    def credit(self, pick, part, few):
        ref = self.pick(self.model.invoices, pick)
        if ref is None:
            return
        invoice = self.model.invoices[ref]
        said, before = invoice["said"], sum(c.net_minor for c in invoice["credits"])
        taxed = sum(c.tax_minor for c in invoice["credits"])
        net = max(1, said.net_minor * part // 100)
        tax = papers.half_even(papers.Fraction((before + net) * 1900, 10_000)) - taxed
        tree = papers.credit([("h100", net)], number=self.number("C"))
        changes = {"/tax_subtotals/0/tax_minor": tax, "/tax_minor": tax, "/total_minor": net + tax}
        who = self.sides(self.model.leases[invoice["lease"]])[0]
        self.attempt(who, changed(tree, changes), ref)

    def pay(self, pick, part, few):
        ref = self.pick(self.model.invoices, pick)
        if ref is None:
            return
        lessor, lessee = self.sides(self.model.leases[self.model.invoices[ref]["lease"]])
        amount = max(1, self.model.invoices[ref]["said"].total_minor * part // 100)
        settles = [("invoice", ref, amount)]
        tree = papers.payment(lessor.did, settles, reference=f"RF{few}", number=self.number("Z"))
        self.attempt(lessee, tree)

    def refund(self, pick, part, few):
        due = [ref for ref in self.model.invoices if self.model.open(ref) < 0]
        ref = self.pick(due, pick)
        if ref is None:
            return
        lessor, lessee = self.sides(self.model.leases[self.model.invoices[ref]["lease"]])
        settles = [("invoice", ref, max(1, -self.model.open(ref) * part // 100))]
        tree = papers.payment(lessee.did, settles, reference=f"RF{few}", number=self.number("Z"))
        self.attempt(lessor, tree)

    def answer_payment(self, pick, part, few):
        ref = self.pick(self.model.payments, pick)
        if ref is not None:
            payee = self.signer(self.model.payments[ref]["said"].payee)
            tree = papers.denied() if pick % 3 == 0 else papers.simple("payment.confirmed")
            self.attempt(payee, tree, ref)

    # Identity.

    def rotate(self, pick, part, few):
        root = self.pick(EVERYBODY, pick).did
        self.spare += 1
        fresh = key(f"machine spare {self.spare}") if pick % 4 else self.pick(EVERYBODY, pick // 3)
        tree = papers.handover("identity.rotated", fresh.did, self.number("H"))
        ref = self.attempt(self.acting[root], tree, root)
        if ref and self.attempt(fresh, papers.adopted(ref), root):
            self.acting[root] = fresh

    # Cheating.

    def cheat(self, pick, part, few):
        """Try again something that was tried before: as somebody else, or with a number changed."""
        if not self.attempts:
            return
        who, tree, sub = self.pick(self.attempts, pick)
        other, by, what = self.pick(EVERYBODY, pick // 7), (-1, 1, 7, 3600, 2**40)[few % 5], part % 3
        numbers = list(_numbers(tree, ""))
        if what == 0 or not numbers:
            self.attempt(self.signer(other.did), tree, sub)
            return
        pointer, value = numbers[pick % len(numbers)]
        fresh = {"/number": self.number("N")} if "number" in tree and what == 1 else {}
        self.attempt(who, changed(tree, {pointer: max(0, value + by), **fresh}), sub)

    # What always holds.

    @invariant()
    def open_amounts_are_right(self):
        for ref in self.model.invoices:
            invoice = self.table.book.get(Invoice, ref)
            assert invoice.open_minor == self.model.open(ref)
            assert invoice.confirmed_minor == self.model.paid(ref, ("confirmed",))
            assert self.model.credited(ref) <= invoice.total_minor
            assert not self.model.invoices[ref]["cancelled"] or self.model.paid(ref) == 0

    @invariant()
    def stock_is_never_oversold(self):
        assert self.model.oversold() is None

    @invariant()
    def usage_fits_its_time(self):
        now = self.table.now
        for lease in self.model.leases.values():
            reports = self.model.in_force(lease, "h100")
            for report in reports:
                assert report["quantity"] >= 0
                room = self.model.room(lease, "h100", report["start"], report["until"], now)
                assert report["quantity"] <= room
                assert report["until"] <= now
            for first, second in pairwise(reports):
                assert first["until"] == second["start"]
            if lease.reports:
                metered = self.table.book.get(MeteredLine, f"{lease.id}/h100")
                assert metered.chip_seconds == sum(report["quantity"] for report in reports)

    @invariant()
    def nothing_is_billed_twice(self):
        billed = self.model.billed()
        reports = [ref for refs, _, _ in billed for ref in refs]
        assert len(set(reports)) == len(reports)
        spent = Counter()
        for refs, quantity, lease_id in billed:
            report = self.model.leases[lease_id].reports[refs[0]]
            spent[lease_id, report["start"], report["until"]] += quantity
        for (lease_id, start, until), quantity in spent.items():
            lease = self.model.leases[lease_id]
            assert quantity <= self.model.room(lease, "h100", start, until, self.table.now)

    @invariant()
    def references_and_numbers_are_used_once(self):
        references = self.model.references_in_use()
        assert len(set(references)) == len(references)
        for numbers in self.model.numbers.values():
            assert len(set(numbers)) == len(numbers)

    @invariant()
    def identities_are_apart(self):
        keys = [did for _, chain in self.table.book.all(Chain) for did in chain.keys]
        assert len(set(keys)) == len(keys)
        assert not any(map(self.table.book.ledger.is_own_key, keys))
        for did, root in self.model.owner.items():
            assert self.table.book.root_of(did) == root

    @invariant()
    def quotas_hold(self):
        for _, waiting in self.table.book.all(OpenPapers):
            assert sum(until > self.table.now for until in waiting.until.values()) <= OPEN_MAX

    @invariant()
    def leases_are_between_two(self):
        for ref, lease in self.table.book.all(Lease):
            assert not self.table.book.same_party(lease.lessor, lease.lessee), ref

    def teardown(self):
        assert self.table.replayed() == self.table.shelf.rows
        assert self.table.reopen().replayed() == self.table.shelf.rows


def _numbers(tree, pointer):
    """Yield every number of a payload with its place, but for type and version."""
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for name, value in items:
        place = f"{pointer}/{name}"
        if isinstance(value, dict | list):
            yield from _numbers(value, place)
        elif type(value) is int and place != "/v":
            yield place, value


def _in_the_clear(terms):
    """Terms without the digests of the statement that carried them."""
    if isinstance(terms, dict):
        return {name: _in_the_clear(value) for name, value in terms.items() if name != "_sd"}
    return [_in_the_clear(item) for item in terms] if isinstance(terms, list) else terms


def test_a_market_of_honest_and_cheating_parties():
    random_histories(Market, examples=20, steps=150)


@pytest.mark.long
def test_a_long_market_of_honest_and_cheating_parties():
    random_histories(Market, examples=60, steps=500)
