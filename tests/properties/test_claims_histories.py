"""Random histories of claims: what counts is what a plain reading of the statements says, and all of it replays."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from play import DAY, Table, key
from play.claims import claim, revocation
from play.papers import adopted, handover, period, revoked
from play.table import Accepted
from pseudoledger.contract.claims import in_force, standing
from pseudoledger.contract.things.claim import Claim

PEOPLE = [key(f"claims history {number}") for number in range(4)]
NEXT = [[key(f"claims history {number} next {turn}") for turn in range(6)] for number in range(4)]


class History:
    """A ledger, and what a reader of its statements would write down beside it."""

    def __init__(self, seed):
        self.table, self.random = Table(), random.Random(seed)
        self.acting, self.turns, self.out = list(PEOPLE), [0] * 4, set()
        self.said = {}

    def step(self):
        self.random.choice(
            (self.attest, self.attest, self.attest, self.take_back, self.wait, self.rotate, self.leave)
        )()

    def attest(self):
        attestor, subject = self.random.randrange(4), self.random.randrange(4)
        start = self.table.now + self.random.randrange(-5, 5) * DAY
        until = start + self.random.randrange(1, 12) * DAY
        kind = self.random.choice(("kyc", "country", "research_project"))
        tier = self.random.choice(("declared", "documented", "inspected"))
        tree = claim(kind, number=f"C{len(self.said)}", tier=tier, valid=period(start, until))
        answer = self.register(attestor, tree, PEOPLE[subject].did)
        own = attestor == subject
        allowed = attestor not in self.out and until > self.table.now and own == (tier == "declared")
        allowed = allowed and not (own and kind != "country")
        assert isinstance(answer, Accepted) == allowed
        if allowed:
            self.said[answer.statement.id] = [attestor, subject, kind, start, until, False]

    def take_back(self):
        if self.said:
            ref = self.random.choice(list(self.said))
            attestor, subject, *_, gone = self.said[ref]
            who = self.random.choice((attestor, subject))
            answer = self.register(who, revocation(ref), PEOPLE[subject].did)
            allowed = who == attestor and not gone and who not in self.out
            assert isinstance(answer, Accepted) == allowed
            self.said[ref][-1] = gone or allowed

    def wait(self):
        self.table.later(self.random.randrange(1, 4) * DAY)

    def rotate(self):
        who = self.random.randrange(4)
        if who not in self.out and self.turns[who] < len(NEXT[who]):
            fresh, first = NEXT[who][self.turns[who]], PEOPLE[who].did
            number = f"H{self.turns[who]}"
            ref = self.table.act(self.acting[who], handover("identity.rotated", fresh.did, number), first)
            self.table.act(fresh, adopted(ref), first)
            self.acting[who], self.turns[who] = fresh, self.turns[who] + 1

    def leave(self):
        who = self.random.randrange(4)
        if self.random.random() < 0.2 and who not in self.out:
            self.table.act(self.acting[who], revoked(), PEOPLE[who].did)
            self.out.add(who)

    def register(self, who, tree, sub):
        (answer,) = self.table.submit(self.table.sign(self.acting[who], tree, sub))
        return answer

    def counts(self, ref):
        attestor, subject, _, start, until, gone = self.said[ref]
        return not gone and start <= self.table.now < until and not {attestor, subject} & self.out

    def check(self):
        book, now = self.table.book, self.table.now
        for ref in self.said:
            word = standing(book, book.get(Claim, ref), now).word
            assert (word == "in force") == self.counts(ref)
        for subject in range(4):
            for attestor in range(4):
                found = {
                    ref for ref, _ in in_force(book, PEOPLE[subject].did, [self.acting[attestor].did], now)
                }
                wanted = {
                    ref
                    for ref, said in self.said.items()
                    if said[:2] == [attestor, subject] and self.counts(ref)
                }
                assert found == wanted


@given(seed=st.integers(0, 2**32 - 1), steps=st.integers(1, 40))
@settings(max_examples=40)
def test_what_counts_is_what_was_said(seed, steps):
    history = History(seed)
    for _ in range(steps):
        history.step()
        history.check()
    assert history.table.replayed() == history.table.shelf.rows
