# ruff: noqa: ARG002 - every act takes the same two numbers
"""Machines at random: registered, sent, received, delivered, by whoever likes to try.

Who holds what is worked out from the accepted statements alone and compared with the book.
"""

from collections import Counter

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from play import Deal, papers
from play.histories import random_histories
from play.machines import moved, received, registered
from play.papers import DAY, H100
from play.table import Accepted, key
from pseudoledger.contract.census import census
from pseudoledger.contract.custody import custody_chain
from pseudoledger.contract.things.asset import Asset
from pseudoledger.errors import MalformedError

PICK = st.integers(0, 2**16)
SERIALS = tuple(f"{number:02x}" * 32 for number in range(1, 9))
REASONS = ("sale", "lease", "repair", "relocation", "return", "storage", "other")
PLACES = ("DE", "FR", "NL", "CN")
ACTS = ("register", "register", "move", "move", "move", "receive", "receive", "receive", "deliver", "wait")


class Machines(RuleBasedStateMachine):
    """A lease that runs, and four parties that send machines to each other."""

    def __init__(self):
        super().__init__()
        self.deal = Deal().running()
        self.table = self.deal.table
        self.people = (self.deal.lessor, self.deal.lessee, self.deal.broker, key("a carrier"))
        self.counter = Counter()
        self.holder, self.owner, self.waiting, self.of_serial = {}, {}, {}, {}
        self.passed = {}

    def number(self, letter):
        self.counter[letter] += 1
        return f"{letter}{self.counter[letter]}"

    def attempt(self, who, tree, sub=None):
        try:
            raw = self.table.sign(who, tree, sub)
        except MalformedError:
            return None
        (answer,) = self.table.submit(raw)
        return answer.statement.id if isinstance(answer, Accepted) else None

    def asset(self, pick):
        return list(self.holder)[pick % len(self.holder)] if self.holder else None

    @rule(act=st.sampled_from(ACTS), pick=PICK, other=PICK)
    def step(self, act, pick, other):
        getattr(self, act)(pick, other)

    def wait(self, pick, other):
        self.table.later((pick % 3) * DAY)

    def register(self, pick, other):
        who, serial = self.people[other % 4], SERIALS[pick % 8]
        parts = sorted({SERIALS[(pick // 8) % 8]} - {serial}) if pick % 3 == 0 else []
        tree = registered(serial, number=self.number("S"), parts=parts, count=1 + pick % 8)
        ref = self.attempt(who, tree)
        known = {serial, *parts} & set(self.of_serial)
        assert not (ref and known)
        if ref:
            self.of_serial |= dict.fromkeys((serial, *parts), ref)
            self.holder[ref] = self.owner[ref] = who.did
            self.passed[ref] = ["DE"]

    def move(self, pick, other):
        ref = self.asset(pick)
        if ref is None:
            return
        who = self.people[other % 4] if other % 5 == 0 else self._signer(self.holder[ref])
        to, reason = self.people[other // 4 % 4], REASONS[other // 16 % 7]
        move = self.attempt(who, moved(to.did, reason, self.number("W")), ref)
        if move:
            assert who.did == self.holder[ref]
            assert reason != "sale" or who.did == self.owner[ref]
            self.waiting[ref] = (move, to.did, reason)

    def receive(self, pick, other):
        ref = self.asset(pick)
        if ref is None:
            return
        move, to, reason = self.waiting.get(ref, (papers.NOWHERE, self.people[other % 4].did, ""))
        who = self.people[other % 4] if other % 5 == 0 else self._signer(to)
        place = PLACES[other // 4 % 4]
        if self.attempt(who, received(move, place), ref):
            assert who.did == to
            assert ref in self.waiting
            del self.waiting[ref]
            self.holder[ref] = who.did
            self.owner[ref] = who.did if reason == "sale" else self.owner[ref]
            self.passed[ref].append(place)

    def deliver(self, pick, other):
        serial = SERIALS[pick % 8]
        tree = papers.delivery(("h100", 1), serials=[serial], number=self.number("V"))
        ref = self.attempt(self.deal.lessor, tree, self.deal.lease)
        holder = self.holder.get(self.of_serial.get(serial))
        assert not ref or holder in {None, self.deal.lessor.did}

    def _signer(self, did):
        return next(who for who in self.people if who.did == did)

    @invariant()
    def the_book_says_who_holds_what(self):
        for ref, holder in self.holder.items():
            asset = self.table.book.get(Asset, ref)
            assert (asset.held_by, asset.owned_by) == (holder, self.owner[ref])
            assert (asset.waiting.id if asset.waiting else None) == self.waiting.get(ref, (None,))[0]

    @invariant()
    def a_chain_has_no_hole(self):
        for ref in self.holder:
            chain = custody_chain(self.table.book, ref, self.table.now)
            assert [step.country for step in chain.steps] == self.passed[ref]
            assert [step.until for step in chain.steps] == [
                *(step.since for step in chain.steps[1:]),
                None,
            ]
            assert all(gap.until is None or gap.since <= gap.until for gap in chain.gaps)

    @invariant()
    def every_chip_is_counted_once(self):
        found = [item for item in census(self.table.book, self.table.now) if item.chip == H100]
        for item in found:
            assert item.attested + item.delivered + item.declared == item.total
            assert min(item.attested, item.delivered, item.declared) >= 0
        held = sum(self.table.book.get(Asset, ref).count for ref in self.holder)
        assert held <= sum(item.total for item in found) <= held + 8

    def teardown(self):
        assert self.table.replayed() == self.table.shelf.rows


def test_machines_at_random():
    random_histories(Machines, examples=20, steps=60)


@pytest.mark.long
def test_many_machines_at_random():
    random_histories(Machines, examples=200, steps=200)
