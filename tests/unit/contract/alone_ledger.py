"""Scenarios of the gate, the family ledger and the family identity."""

import copy

from alone import alone, put
from msgspec.structs import replace

from play import DAY, FOUNDER, LEDGER, START, Deal, Table, changed, key
from play.papers import (
    NOWHERE,
    adopted,
    declared,
    demand,
    handover,
    pool,
    registered_file,
    revoked,
    simple,
)
from play.table import ORIGIN, POLICY
from pseudoledger.contract.book import Book
from pseudoledger.contract.case import Case
from pseudoledger.contract.ruleset import NAMES, NEWEST
from pseudoledger.contract.tables import TABLE_NAMES
from pseudoledger.identity.keys import Signer
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.payload import draft, parse

FIRST = NAMES[0]
ANA, BEN, CLEO, DAN = (key(name) for name in ("ana", "ben", "cleo", "dan"))


def founding(changes=(), *, aud=None, sub=ORIGIN, index=0, who=FOUNDER, rules=NEWEST) -> Case:
    """Put a founding before an empty book."""
    table = Table(rules=rules)
    tree = changed(
        {**_clear(table.history[0].payload), "policy": {**POLICY, "clock": "system"}}, dict(changes)
    )
    raw = envelope.sign(who, draft(tree), sub=sub, aud=aud, iat=START)
    statement = envelope.decode(raw)
    payload = parse(statement.payload)
    return replace(table.case(table.founding), book=Book(), statement=statement, payload=payload, index=index)


def _clear(payload):
    return payload.model_dump(mode="json", exclude_none=True)


def policy_change(number=1, **changes):
    founded = _clear(Table().history[0].payload)
    pins = {name: founded[name] for name in ("rules", "tables", "mode", "policy")}
    return {"type": "ledger.policy_changed", "v": 1, "number": number, **pins, **changes}


def key_change(to, number=1):
    return simple("ledger.key_changed", number=number, ledger_key=to.did)


def waiting(table, who, tree):
    """Let in a statement whose block is not sealed yet."""
    table._admit(table.sign(who, tree))
    return table


# Address, time and subject.


@alone("ledger.not_founded")
def nothing_comes_before_the_founding():
    return replace(put(Table(), ANA, pool()), book=Book())


@alone("statement.aud")
def another_ledgers_statement_does_not_replay():
    return put(Table(), ANA, pool(), aud="ab" * 32)


@alone("statement.aud")
def an_address_is_not_left_out():
    return put(Table(), ANA, pool(), aud=None)


@alone("statement.future")
def issued_too_far_ahead():
    return put(Table(), ANA, pool(), iat=START + 301)


@alone("statement.expired")
def expired_at_this_second():
    return put(Table(), ANA, pool(), exp=START)


@alone("statement.too_old")
def issued_longer_ago_than_the_policy_allows():
    return put(Table().later(31 * DAY), ANA, pool(), iat=START + DAY - 1)


@alone("statement.sub")
def a_policy_is_about_the_origin():
    return put(Table(), FOUNDER, registered_file(), "other.example")


@alone("statement.sub")
def an_opening_statement_is_about_its_issuer():
    return put(Table(), ANA, pool(), BEN.did)


@alone("statement.sub")
def an_identity_is_named_by_its_first_key():
    table = Table()
    rotated(table, ANA, BEN)
    return put(table, BEN, declared(), BEN.did)


@alone("statement.unknown_subject")
def a_later_statement_is_about_a_thing_of_the_book():
    return put(Table(), ANA, simple("lease.signed"), NOWHERE)


@alone("statement.unknown_subject")
def a_lease_is_no_offer():
    deal = Deal().proposed()
    return put(deal, deal.lessor, simple("offer.withdrawn"), deal.lease)


# Founding and governing.


@alone("ledger.founded_already")
def a_ledger_is_founded_by_entry_0():
    return founding(index=1)


@alone("statement.aud")
def a_founding_has_no_address():
    return founding(aud="ab" * 32)


@alone("statement.sub")
def a_founding_is_about_its_origin():
    return founding(sub="other.example")


@alone("ledger.one_key")
def founder_and_ledger_key_are_two():
    return founding({"/ledger_key": FOUNDER.did})


@alone("policy.not_possible")
def claims_do_not_exist_yet():
    return founding({"/policy/admission": "declared"}, rules=FIRST)


@alone("policy.not_possible")
def open_admission_needs_no_attestor():
    return founding({"/policy/attestors": [ANA.did]}, rules=FIRST)


@alone("policy.not_possible")
def a_table_is_pinned_once():
    tables = _clear(Table().history[0].payload)["tables"]
    assert len(tables) == len(TABLE_NAMES)
    return founding({"/tables/-": tables[0]}, rules=FIRST)


@alone("policy.not_possible")
def a_table_is_pinned_once_under_the_second_set():
    tables = _clear(Table().history[0].payload)["tables"]
    return founding({"/tables/-": tables[0]})


@alone("ledger.not_founder")
def a_stranger_governs_nothing():
    return put(Table(), ANA, registered_file())


@alone("ledger.number")
def policies_are_counted():
    return put(Table(), FOUNDER, policy_change(number=2))


@alone("ledger.number")
def ledger_keys_are_counted():
    return put(Table(), FOUNDER, key_change(ANA, number=2))


@alone("ledger.change_pending")
def one_policy_to_a_block():
    return put(waiting(Table(), FOUNDER, policy_change()), FOUNDER, policy_change(number=2))


@alone("ledger.change_pending")
def one_key_to_a_block():
    return put(waiting(Table(), FOUNDER, key_change(ANA)), FOUNDER, key_change(BEN, number=2))


@alone("ledger.clock_fixed")
def a_simulated_clock_stays_simulated():
    return put(Table(), FOUNDER, policy_change(policy={**POLICY, "clock": "system"}))


@alone("ledger.file_known")
def a_file_is_registered_once():
    table = Table()
    table.act(FOUNDER, registered_file())
    return put(table, FOUNDER, changed(registered_file(), {"/name": "other-rules"}))


@alone("ledger.key_used")
def a_partys_key_never_becomes_the_ledgers():
    table = Table()
    table.act(ANA, pool())
    return put(table, FOUNDER, key_change(ANA))


@alone("ledger.key_used")
def a_ledger_key_never_comes_back():
    table = Table()
    table.act(FOUNDER, key_change(ANA))
    return put(table, FOUNDER, key_change(LEDGER, number=2))


# Who signs.


@alone("identity.ledger_role")
def the_ledger_key_is_no_party():
    return put(Table(), LEDGER, pool())


@alone("identity.ledger_role")
def the_founder_is_no_party():
    return put(Table(), FOUNDER, pool())


@alone("identity.ledger_role")
def a_ledger_key_in_waiting_is_no_party():
    return put(waiting(Table(), FOUNDER, key_change(ANA)), ANA, pool())


@alone("identity.ledger_role")
def a_retired_ledger_key_is_no_party():
    table = Table()
    table.act(FOUNDER, key_change(ANA))
    return put(table, LEDGER, pool())


@alone("identity.key_retired")
def a_key_that_was_rotated_away():
    table = Table()
    rotated(table, ANA, BEN)
    return put(table, ANA, pool())


@alone("identity.key_revoked")
def a_key_that_was_revoked():
    table = Table()
    table.act(ANA, revoked())
    return put(table, ANA, pool())


@alone("identity.key_revoked")
def a_key_that_is_being_recovered():
    table = Table()
    table.act(ANA, declared(recovery=CLEO.did))
    table.act(CLEO, handover("identity.recovered", BEN.did), ANA.did)
    return put(table, ANA, pool())


@alone("policy.not_admitted")
def a_policy_of_claims_admits_nobody_yet():
    policy = Policy.model_validate({**POLICY, "admission": "declared", "attestors": ()})
    return replace(put(Table(rules=FIRST), ANA, pool()), policy=policy)


@alone("sealed.digest_reused")
def a_copied_seal():
    table = Table()
    tree = table.seal(ANA, pool()).tree
    table.act(ANA, tree, sealed_already=True)
    copy_of_it = {**pool(number="P2"), "_sd": tree["_sd"], "_sd_alg": "sha-256"}
    del copy_of_it["label"]
    return put(table, BEN, copy_of_it, sealed_already=True)


@alone("sealed.digest_reused")
def one_digest_in_two_places():
    deal = Deal().offered()
    tree = deal.table.seal(deal.lessee, deal.proposal()).tree
    facility, means = tree["terms"]["facility"], tree["terms"]["payment_means"][0]
    means["_sd"] = copy.deepcopy(facility["_sd"][:1])
    return put(deal, deal.lessee, tree, sealed_already=True)


@alone("table.unknown_row")
def a_chip_that_no_table_lists():
    return put(Table(), ANA, changed(pool(), {"/lines/0/chip": "abacus-9000"}))


@alone("table.unknown_row")
def a_currency_that_no_table_lists():
    return put(Table(), ANA, changed(demand(), {"/ceiling/currency": "XQQ"}))


@alone("table.unknown_row")
def a_place_that_no_table_lists():
    return put(Table(), ANA, changed(demand(), {"/places": ["DE", "QQ"]}))


# Identity.


def rotated(table, old, new, **members):
    """Rotate an identity; return the id of the adoption."""
    number = f"H{len(table.history)}"
    handed = table.act(old, handover("identity.rotated", new.did, number))
    return table.act(new, adopted(handed, **members), table.book.root_of(old.did))


@alone("identity.ledger_role")
def nobody_rotates_to_the_ledger_key():
    return put(Table(), ANA, handover("identity.rotated", LEDGER.did))


@alone("identity.ledger_role")
def nobody_names_the_founder_for_recovery():
    return put(Table(), ANA, declared(recovery=FOUNDER.did))


@alone("identity.not_subject")
def nobody_declares_for_somebody_else():
    return put(Table(), BEN, declared(), ANA.did)


@alone("identity.not_subject")
def nobody_revokes_somebody_else():
    return put(Table(), BEN, revoked(), ANA.did)


@alone("identity.commitment_fixed")
def a_next_key_stays():
    table = Table()
    table.act(ANA, declared(next="11" * 32))
    return put(table, ANA, declared(next="22" * 32))


@alone("identity.commitment_fixed")
def a_recovery_key_stays():
    table = Table()
    table.act(ANA, declared(recovery=BEN.did))
    return put(table, ANA, declared(recovery=CLEO.did))


@alone("identity.recovery_key_used")
def nobody_recovers_itself():
    return put(Table(), ANA, declared(recovery=ANA.did))


@alone("identity.recovery_key_used")
def a_party_is_no_recovery_key():
    table = Table()
    table.act(BEN, pool())
    return put(table, ANA, declared(recovery=BEN.did))


@alone("identity.key_used")
def a_key_that_acted_is_not_rotated_to():
    table = Table()
    table.act(BEN, pool())
    return put(table, ANA, handover("identity.rotated", BEN.did))


@alone("identity.key_used")
def a_key_does_not_rotate_to_itself():
    return put(Table(), ANA, handover("identity.rotated", ANA.did))


@alone("identity.key_used")
def a_key_that_acted_since_cannot_adopt():
    table = Table()
    handed = table.act(ANA, handover("identity.rotated", BEN.did))
    table.act(BEN, pool())
    return put(table, BEN, adopted(handed), ANA.did)


def _hash(signer: Signer) -> str:
    from hashlib import sha256

    return sha256(signer.did.encode()).hexdigest()


@alone("identity.not_next_key")
def only_the_committed_key_follows():
    table = Table()
    table.act(ANA, declared(next=_hash(BEN)))
    return put(table, ANA, handover("identity.rotated", CLEO.did))


@alone("identity.not_next_key")
def only_the_committed_key_is_recovered_to():
    table = Table()
    table.act(ANA, declared(next=_hash(BEN), recovery=CLEO.did))
    return put(table, CLEO, handover("identity.recovered", DAN.did), ANA.did)


@alone("identity.not_next_key")
def only_the_committed_key_revokes():
    table = Table()
    table.act(ANA, declared(next=_hash(BEN)))
    return put(table, ANA, revoked())


@alone("identity.no_handover")
def nothing_waits_to_be_adopted():
    return put(Table(), BEN, adopted(NOWHERE), ANA.did)


@alone("identity.no_handover")
def a_later_rotation_takes_the_place_of_the_first():
    table = Table()
    first = table.act(ANA, handover("identity.rotated", BEN.did))
    table.act(ANA, handover("identity.rotated", CLEO.did, "H2"))
    return put(table, BEN, adopted(first), ANA.did)


@alone("identity.not_new_key")
def only_the_new_key_adopts():
    table = Table()
    handed = table.act(ANA, handover("identity.rotated", BEN.did))
    return put(table, CLEO, adopted(handed), ANA.did)


@alone("identity.not_recovery_key")
def only_the_recovery_key_recovers():
    table = Table()
    table.act(ANA, declared(recovery=CLEO.did))
    return put(table, BEN, handover("identity.recovered", DAN.did), ANA.did)


@alone("identity.not_recovery_key")
def an_earlier_recovery_key_is_late_after_14_days():
    table = Table()
    table.act(ANA, declared(recovery=CLEO.did))
    rotated(table, ANA, BEN, recovery=DAN.did)
    table.later(14 * DAY)
    return put(table, CLEO, handover("identity.recovered", key("fresh").did), ANA.did)


@alone("identity.already_revoked")
def revoked_once():
    table = Table()
    table.act(ANA, revoked())
    return put(table, ANA, revoked("lost"))
