"""Rule sets beside each other: an older one does not know newer kinds, and a ledger may move to a newer one."""

import os
from pathlib import Path

import pytest

from play import DAY, FOUNDER, START, Table, key
from play.claims import claim
from play.papers import demand, mandate, match, offer, pool
from play.table import Refusal
from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.cli.examples import example
from pseudoledger.contract.ruleset import NAMES, Court, named, newest, released
from pseudoledger.contract.things import THING_OF_SUBJECT, Demand, Match
from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Refused, Registered, Registrar
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.kinds import KINDS, Subject, kinds_under
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.kinds.market import DemandPublished, DemandPublished2
from pseudoledger.statement.payload import canonical_kind, draft, jcs, parse

FIRST, SECOND = NAMES[0], NAMES[1]
LATER = [kind for kind in KINDS.values() if kind.since > 1]
ANA, BOB = key("ana"), key("bob")
REPORT = {"sha256": "0f" * 32, "media_type": "application/json", "bytes": 7}


def unknown(name, v):
    """What a payload of a kind that nobody knows is answered, but for its name."""
    with pytest.raises(MalformedError) as caught:
        canonical_kind(jcs({"type": name, "v": v}), {})
    return caught.value.findings


def policy_change(table, rules, number=1):
    state = table.book.ledger
    pinned = named(rules)
    return {
        "type": "ledger.policy_changed",
        "v": 1,
        "number": number,
        "rules": {"name": pinned.name, "sha256": pinned.sha256},
        "tables": [{"name": name, "sha256": sha256} for name, sha256 in state.pins.tables],
        "mode": "single",
        "policy": state.pins.read_policy().model_dump(mode="json"),
    }


def test_sets_are_counted_and_new_ledgers_have_the_newest():
    assert [rule_set.number for rule_set in released().values()] == list(range(1, len(NAMES) + 1))
    assert newest().name == NAMES[-1]
    assert Table().book.ledger.pins.rules == (newest().name, newest().sha256)


def test_every_set_knows_its_kinds_in_one_version_each():
    for rule_set in released().values():
        assert rule_set.kinds == kinds_under(rule_set.number)
        names = [name for name, _ in rule_set.kinds]
        assert len(names) == len(set(names))
        assert set(rule_set.stages) == set(names)
    assert {kind.since for kind in KINDS.values()} <= set(range(1, len(NAMES) + 1))


def test_every_subject_that_names_a_thing_says_which():
    plain = {Subject.ORIGIN, Subject.ISSUER, Subject.IDENTITY}
    assert {kind.subject for kind in KINDS.values()} - plain <= set(THING_OF_SUBJECT)


@pytest.mark.parametrize("kind", LATER, ids=lambda kind: kind.name)
def test_a_kind_of_a_later_set_is_unknown_under_the_first(kind):
    table = Table(rules=FIRST)
    tree = {**example(kind), "type": kind.name, "v": kind.v}
    (answer,) = table.submit(table.sign(ANA, tree, ANA.did))
    assert isinstance(answer, Refusal)
    assert answer.findings == unknown(kind.name, kind.v)
    # Not even its shape is looked at.
    with pytest.raises(MalformedError) as caught:
        parse(jcs({"type": kind.name, "v": kind.v, "surprise": 1}), named(FIRST).kinds)
    assert caught.value.findings == unknown(kind.name, kind.v)


def test_a_ledger_moves_to_the_next_set_after_the_block_that_seals_the_change():
    table = Table(rules=FIRST)
    table.act(ANA, pool())
    change = table.sign(FOUNDER, policy_change(table, SECOND))
    seen = []
    seal = table._seal_block

    def sealing():
        seen.append(table.book.ledger.pins.rules[0])
        seal()

    table._seal_block = sealing
    table.submit(change, table.sign(ANA, pool(number="P2")))
    assert seen == [FIRST], "the block of the change is still under the set before"
    assert table.book.ledger.pins.rules == (SECOND, named(SECOND).sha256)
    del table._seal_block
    table.act(ANA, pool(number="P3"))
    assert table.replayed() == table.shelf.rows


def test_a_demand_of_the_first_set_is_matched_under_the_next_with_a_reason():
    table, carol = Table(rules=FIRST), key("carol")
    stock = table.act(ANA, pool())
    offered = table.act(ANA, offer(stock))
    early = {name: value for name, value in demand().items() if name != "near"} | {"v": 1}
    wanted = table.act(BOB, early)
    principal = table.act(BOB, mandate(carol.did))
    later = match(offered, [principal], START + 5 * DAY, report=REPORT)
    assert table.codes(carol, later, wanted) == {"payload.unknown_kind"}
    table.submit(table.sign(FOUNDER, policy_change(table, SECOND)))
    assert table.codes(BOB, early | {"number": "D2"}) == {"payload.unknown_kind"}
    brought = table.act(carol, later, wanted)
    # Read again from the shelf: what was signed in the first version stays in it.
    table.reopen()
    held = table.book.get(Demand, wanted)
    assert type(held.payload) is DemandPublished
    assert (table.book.get(Match, brought).reason, table.book.get(Match, brought).report) == (
        "cheapest",
        REPORT["sha256"],
    )
    near = table.act(BOB, demand(number="D2", near={"country": "FI", "km_max": 1_500}))
    table.reopen()
    held = table.book.get(Demand, near)
    assert type(held.payload) is DemandPublished2
    assert (held.payload.near.place, held.payload.near.km_max) == ("FI", 1_500)
    assert table.replayed() == table.shelf.rows


# The same with files, the registrar and the verifier.

POLICY = Policy.model_validate(
    {
        "admission": "open",
        "attestors": (),
        "open_max": 10,
        "commission_cap_bps": 500,
        "max_age_seconds": 86_400,
        "clock": "simulated",
    }
)


def founded(folder: Path, rules: str) -> Registrar:
    ledger_key = Signer.from_seed(bytes([9]) * 32)
    return Registrar.found(
        folder / "ledger",
        origin="moving.example",
        founder=FOUNDER,
        signer=ledger_key,
        last_signed=LastSigned.create(folder / "ledger.last-signed"),
        clock=lambda: START * 1000,
        policy=POLICY,
        nonce=bytes(32),
        rules=named(rules),
    )


def govern(registrar: Registrar, rules: str, number: int = 1, **policy):
    state, pinned = registrar.state, named(rules)
    tree = {
        "type": "ledger.policy_changed",
        "v": 1,
        "number": number,
        "rules": {"name": pinned.name, "sha256": pinned.sha256},
        "tables": [{"name": name, "sha256": sha256} for name, sha256 in state.pins.tables],
        "mode": "single",
        "policy": {**POLICY.model_dump(mode="json"), **policy},
    }
    (answer,) = registrar.govern(
        [envelope.sign(FOUNDER, draft(tree), sub=state.origin, aud=state.id, iat=START)]
    )
    return answer


def sent(registrar: Registrar, tree, sub: str | None = None, *, who=ANA):
    ready = sealed.seal(tree, aud=registrar.state.id, iss=who.did, random=os.urandom)
    raw = envelope.sign(who, draft(ready.tree), sub=sub or who.did, aud=registrar.state.id, iat=START)
    (answer,) = registrar.register([raw])
    return answer


def test_a_ledger_of_the_first_set_goes_on_under_the_second_and_verifies(tmp_path):
    with founded(tmp_path, FIRST) as registrar:
        assert isinstance(sent(registrar, pool()), Registered)
        assert isinstance(govern(registrar, SECOND), Registered)
        assert registrar.state.pins.rules[0] == SECOND
        assert isinstance(sent(registrar, pool(number="P2")), Registered)
        backward = govern(registrar, FIRST, number=2)
        assert isinstance(backward, Refused)
        assert [finding.code for finding in backward.findings] == ["ledger.older_rules"]
    report = verify(tmp_path / "ledger")
    assert report.verdict is Verdict.VALID, report.first


def test_a_ledger_that_moved_can_admit_by_claims_and_verifies(tmp_path):
    notary = key("notary")
    with founded(tmp_path, FIRST) as registrar:
        sent(registrar, pool())
        declared_too_early = {"admission": "declared", "attestors": [notary.did]}
        early = govern(registrar, SECOND, **declared_too_early)
        assert [finding.code for finding in early.findings] == ["policy.not_possible"], (
            "judged by the first set"
        )
        attested = claim("country", tier="declared")
        answer = sent(registrar, attested, ANA.did)
        assert answer.findings == unknown("claim.attested", 1)
        assert isinstance(govern(registrar, SECOND), Registered)
        assert isinstance(govern(registrar, SECOND, number=2, **declared_too_early), Registered)
        answer = sent(registrar, pool(number="P2"))
        assert [finding.code for finding in answer.findings] == ["policy.not_attested"]
        assert isinstance(sent(registrar, claim(), ANA.did, who=notary), Registered)
        assert isinstance(sent(registrar, pool(number="P2")), Registered)
    report = verify(tmp_path / "ledger")
    assert report.verdict is Verdict.VALID, report.first
    assert report.entries == 12


def test_the_verifier_finds_a_newer_kind_on_a_ledger_of_the_first_set(tmp_path, monkeypatch):
    """A writer that does not keep to the rule set in force is caught by the one who verifies."""
    with founded(tmp_path, FIRST) as registrar:
        monkeypatch.setattr(Court, "read", lambda _court, raw: parse(raw))
        monkeypatch.setattr(Court, "admit", lambda *_: ())
        monkeypatch.setattr(Court, "fold", lambda court, *rest: court.rules.fold(court._case(*rest)))
        assert isinstance(sent(registrar, claim("country", tier="declared"), ANA.did), Registered)
        monkeypatch.undo()
    report = verify(tmp_path / "ledger")
    assert report.verdict is Verdict.BROKEN
    assert (report.first.entry, report.first.code) == (2, "payload.unknown_kind")
