"""The lives of claims: made by a notary about a subject, with a stranger beside."""

from hashlib import sha256

from lives import Life

from play import DAY, START, Table, key
from play.claims import claim, revocation, shown
from play.papers import adopted, declared, handover, period, pool, revoked
from pseudoledger.statement.payload import jcs
from pseudoledger.statement.sealed import digests


class Attesting:
    """A notary, the subject of its claim, who is to read it, and a stranger."""

    def __init__(self, **policy) -> None:
        self.table = Table(policy=policy or None)
        self.notary, self.subject, self.reader, self.stranger = (
            key(f"claims {name}") for name in ("notary", "subject", "reader", "stranger")
        )
        self.fresh, self.recovery = key("claims fresh"), key("claims recovery")
        self.claim, self.digests = "", []

    def attest(self, number="C1", **members):
        ready = self.table.seal(self.notary, claim(number=number, **members)).tree
        self.claim = self.table.act(self.notary, ready, self.subject.did, sealed_already=True)
        self.digests = digests(jcs(ready))
        return self


def _claim(*steps, declared_only=False):
    def state():
        notary = key("claims notary").did
        people = Attesting(admission="declared", attestors=[notary]) if declared_only else Attesting()
        if not steps or steps[0] != "none":
            valid = period(START + 30 * DAY, START + 60 * DAY) if steps[:1] == ("later",) else None
            people.attest(**({"valid": valid} if valid else {}))
        for step in steps:
            if step == "revoked":
                people.table.act(people.notary, revocation(people.claim), people.subject.did)
            elif step == "over":
                people.table.later(365 * DAY)
            elif step == "subject rotated":
                _rotate(people)
            elif step == "subject revoked":
                people.table.act(people.subject, revoked(), people.subject.did)
            elif step == "notary revoked":
                people.table.act(people.notary, revoked(), people.notary.did)
            elif step == "subject recovered":
                _recover(people)
        return people

    return state


def _rotate(people):
    ref = people.table.act(people.subject, handover("identity.rotated", people.fresh.did), people.subject.did)
    people.table.act(people.fresh, adopted(ref), people.subject.did)


def _recover(people):
    first = people.subject.did
    people.table.act(people.subject, declared(recovery=people.recovery.did), first)
    people.table.act(people.subject, revoked(), first)
    ref = people.table.act(people.recovery, handover("identity.recovered", people.fresh.did), first)
    people.table.act(people.fresh, adopted(ref), first)


def _about(tree):
    return lambda people, _who: (tree(people), people.subject.did)


EVENTS = {
    "claim.attested": _about(lambda _: claim("country", number="C9")),
    "claim.attested, kyc": _about(lambda _: claim(number="C8")),
    "claim.attested, one's own word": _about(lambda _: claim("country", number="C7", tier="declared")),
    "claim.revoked": _about(lambda people: revocation(people.claim or sha256(b"none").hexdigest())),
    "disclosure.shown": lambda people, _who: (
        shown(people.claim or sha256(b"none").hexdigest(), people.reader.did, people.digests or ["A" * 43]),
        None,
    ),
    "pool.declared": lambda _people, _who: (pool(), None),
}
ROLES = ("notary", "subject", "fresh", "stranger")

LIVES = {
    "claim": Life(
        states={
            "none": _claim("none"),
            "in force": _claim(),
            "not yet": _claim("later"),
            "over": _claim("over"),
            "revoked": _claim("revoked"),
            "subject rotated": _claim("subject rotated"),
            "subject revoked": _claim("subject revoked"),
            "subject recovered": _claim("subject recovered"),
            "notary revoked": _claim("notary revoked"),
        },
        events=EVENTS,
        roles=ROLES,
    ),
    "admission": Life(
        states={
            "none": _claim("none", declared_only=True),
            "in force": _claim(declared_only=True),
            "not yet": _claim("later", declared_only=True),
            "over": _claim("over", declared_only=True),
            "revoked": _claim("revoked", declared_only=True),
            "subject rotated": _claim("subject rotated", declared_only=True),
            "subject recovered": _claim("subject recovered", declared_only=True),
            "notary revoked": _claim("notary revoked", declared_only=True),
        },
        events={
            "pool.declared": EVENTS["pool.declared"],
            "claim.revoked": EVENTS["claim.revoked"],
        },
        roles=ROLES,
    ),
}
