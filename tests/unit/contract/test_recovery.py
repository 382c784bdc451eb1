"""Rotation, recovery and what a thief cannot do with a stolen key."""

from hashlib import sha256

import pytest

from play import DAY, FOUNDER, START, Deal, key
from play.papers import adopted, declared, ended, handover, pool, registered_file, revoked, simple
from play.table import POLICY
from pseudoledger.contract.things import Chain

OWNER, SPARE, THIEF, ACCOMPLICE, SECOND, ANEW = (
    key(name) for name in ("owner", "spare", "thief", "accomplice", "second", "anew")
)


@pytest.fixture
def stolen(table):
    """An identity with a recovery key, whose key in force a thief has rotated away."""
    table.act(OWNER, declared(recovery=SPARE.did))
    rotate(table, OWNER, THIEF, recovery=ACCOMPLICE.did)
    return table


def rotate(table, old, new, **members):
    ref = table.act(old, handover("identity.rotated", new.did, f"H{len(table.history)}"))
    table.act(new, adopted(ref, **members), table.book.root_of(old.did))


def recover(table, by, to, **members):
    ref = table.act(by, handover("identity.recovered", to.did, f"H{len(table.history)}"), OWNER.did)
    table.act(to, adopted(ref, **members), OWNER.did)


def test_the_key_in_force_acts_for_all_that_the_chain_holds():
    deal, fresh = Deal().proposed(), key("fresh")
    rotate(deal.table, deal.lessor, fresh)
    assert deal.table.codes(deal.lessor, simple("lease.signed"), deal.lease) == {"identity.key_retired"}
    deal.table.act(fresh, simple("lease.signed"), deal.lease)
    assert deal.table.book.same_party(deal.lessor.did, fresh.did)
    assert deal.table.book.acting_key(deal.lessor.did) == fresh.did


def test_a_rotation_is_overridden_within_14_days(stolen):
    stolen.later(14 * DAY - 1)
    recover(stolen, SPARE, ANEW)
    assert stolen.book.get(Chain, OWNER.did).keys == (OWNER.did, THIEF.did, ANEW.did)
    assert stolen.codes(THIEF, pool()) == {"identity.key_retired"}


def test_the_stolen_key_stops_when_recovery_begins(stolen):
    stolen.act(SPARE, handover("identity.recovered", ANEW.did), OWNER.did)
    assert stolen.codes(THIEF, pool()) == {"identity.key_revoked"}


def test_rotating_twice_does_not_shake_off_the_owner(stolen):
    rotate(stolen, THIEF, SECOND)
    recover(stolen, SPARE, ANEW)
    assert stolen.book.acting_key(OWNER.did) == ANEW.did


def test_a_thiefs_recovery_key_ends_with_the_override(stolen):
    stolen.act(SPARE, handover("identity.recovered", ANEW.did), OWNER.did)
    answer = handover("identity.recovered", SECOND.did, "H99")
    assert stolen.codes(ACCOMPLICE, answer, OWNER.did) == {"identity.not_recovery_key"}
    assert stolen.book.get(Chain, OWNER.did).recovery == SPARE.did


def test_a_thiefs_own_recovery_does_not_shake_off_the_owner(stolen):
    recover(stolen, ACCOMPLICE, SECOND)
    recover(stolen, SPARE, ANEW)
    assert stolen.book.acting_key(OWNER.did) == ANEW.did


def test_a_thiefs_next_key_does_not_bind_the_owner(stolen):
    stolen.act(THIEF, declared(next=sha256(SECOND.did.encode()).hexdigest()), OWNER.did)
    recover(stolen, SPARE, ANEW)
    assert stolen.book.acting_key(OWNER.did) == ANEW.did


def test_with_a_next_key_there_is_nothing_to_rotate_to(table):
    table.act(OWNER, declared(next=sha256(ANEW.did.encode()).hexdigest(), recovery=SPARE.did))
    assert table.codes(OWNER, handover("identity.rotated", THIEF.did)) == {"identity.not_next_key"}
    rotate(table, OWNER, ANEW)
    assert table.book.get(Chain, OWNER.did).next is None


def test_a_revoked_identity_can_be_recovered(table):
    table.act(OWNER, declared(recovery=SPARE.did))
    table.act(SPARE, revoked("lost"), OWNER.did)
    recover(table, SPARE, ANEW)
    table.act(ANEW, pool())


def test_a_lease_ends_at_once_after_a_revocation():
    deal = Deal().signed()
    gone = deal.table.act(deal.lessee, revoked())
    deal.table.act(deal.lessor, ended(20_003, gone), deal.lease)


def test_a_recovery_key_can_be_named_again_at_adoption(table):
    table.act(OWNER, declared(recovery=SPARE.did))
    recover(table, SPARE, ANEW, recovery=SPARE.did)
    recover(table, SPARE, SECOND)


# The ledger's own keys and policy.


def founded(table):
    payload = table.history[0].payload.model_dump(mode="json", exclude_none=True)
    return {name: payload[name] for name in ("rules", "tables", "mode", "policy")}


def test_a_policy_acts_after_the_block_that_seals_it(table):
    changes = {**founded(table), "policy": {**POLICY, "open_max": 1}}
    change = table.sign(FOUNDER, {"type": "ledger.policy_changed", "v": 1, "number": 1, **changes})
    deal = Deal(table)
    table.submit(change, table.sign(deal.lessor, pool()))
    assert table.policy.open_max == 1
    deal.offered()
    assert table.codes(deal.lessor, {**_offer(deal), "number": "O2"}) == {"policy.quota"}


def _offer(deal):
    from play.papers import offer

    return offer(deal.pool)


def test_statements_of_the_block_are_judged_by_the_policy_before(table):
    deal = Deal(table).offered()
    changes = {**founded(table), "policy": {**POLICY, "open_max": 1}}
    change = table.sign(FOUNDER, {"type": "ledger.policy_changed", "v": 1, "number": 1, **changes})
    second = table.sign(deal.lessor, {**_offer(deal), "number": "O2"})
    answers = table.submit(change, second)
    assert [type(answer).__name__ for answer in answers] == ["Accepted", "Accepted"]


def test_the_block_that_seals_a_key_is_the_first_under_it(table):
    fresh = key("second ledger key")
    table.act(FOUNDER, simple("ledger.key_changed", number=1, ledger_key=fresh.did))
    assert table.history[-1].statement.iss == fresh.did
    assert table.book.ledger.ledger_key == fresh.did
    (retired,) = table.book.ledger.retired
    assert retired == (table.history[1].statement.iss, 2)
    table.act(FOUNDER, registered_file())
    assert table.history[-1].statement.iss == fresh.did
    assert table.replayed() == table.shelf.rows


def test_time_is_block_time(table):
    assert table.codes(OWNER, pool(), iat=START + 300) == frozenset()
    assert table.codes(OWNER, pool(), exp=START + 1) == frozenset()
    table.later(30 * DAY)
    assert table.codes(OWNER, pool(), iat=START) == frozenset()
