"""What review finds of the custody of machines on a real ledger of the second rule set."""

import pytest
from town import DAY, reviewed, serials

H100 = "nvidia-h100-sxm5-80gb"
PAPER = {"sha256": "5a" * 32, "media_type": "application/pdf", "bytes": 10}


def machine(town, who, country, serial, number="S-1"):
    tree = {"type": "asset.registered", "number": number, "serial": serial, "chip": H100, "count": 8}
    return town.act(who, {**tree, "parts": [], "country": country})


def send(town, who, to, asset, **more):
    tree = {"type": "asset.moved", "number": town.number("W"), "to": town.did(to), "reason": "sale"}
    return town.act(who, {**tree, **more}, asset)


def receive(town, who, move, asset, country, **more):
    tree = {"type": "asset.received", "move": move, "country": country, "condition": "intact"}
    return town.act(who, {**tree, **more}, asset)


def rules(dossier):
    return [(one.rule, one.state, one.severity) for one in dossier.findings]


@pytest.mark.parametrize(
    ("days", "country", "more", "found"),
    [
        (2, "SE", {}, []),
        (31, "SE", {}, ["long-on-the-way"]),
        (2, "DE", {}, ["border-without-paper"]),
        (2, "DE", {"evidence": PAPER}, []),
        (2, "SE", {"condition": "damaged"}, ["not-intact"]),
    ],
)
def test_a_step_of_custody(town, days, country, more, found):
    asset = machine(town, "north", "SE", *serials("m", 1))
    move = send(town, "north", "south", asset)
    town.now += days * DAY
    receipt = receive(town, "south", move, asset, country, **more)
    dossier = reviewed(town, "custody")
    assert [one.rule for one in dossier.findings] == found
    for one in dossier.findings:
        roles = [(entry.role, entry.id) for entry in one.entries]
        assert roles == [("registration", asset), ("sending", move), ("receipt", receipt)]
        assert {(party.role, party.did) for party in one.parties} == {
            ("owner", town.did("north")),
            ("holder", town.did("north")),
            ("receiver", town.did("south")),
        }


def test_the_margin_of_a_long_way_is_exact(town):
    asset = machine(town, "north", "SE", *serials("m", 1))
    move = send(town, "north", "south", asset)
    town.now += 31 * DAY - 60
    receive(town, "south", move, asset, "SE")
    (one,) = reviewed(town, "custody").findings
    (margin,) = one.margins
    assert (margin.line, margin.difference_exact, margin.side) == ("transit_vs_30_days", str(DAY), "above")
    assert "the move pins no waybill" in one.evidence_for
    assert "the receiver says it arrived intact" in one.evidence_against


def test_what_nobody_signed_for(town):
    asset = machine(town, "north", "SE", *serials("m", 1))
    send(town, "north", "south", asset)
    second = send(town, "north", "hill", asset)
    assert rules(reviewed(town, "custody")) == [("announced-and-replaced", "raised", "question")]
    town.now += 40 * DAY
    town.declare("lake")
    found = {one.rule: one for one in reviewed(town, "custody").findings}
    assert set(found) == {"announced-and-replaced", "signed-for-by-nobody"}
    assert found["signed-for-by-nobody"].entries[-1].id == second
    receive(town, "hill", second, asset, "SE")
    found = {one.rule: one for one in reviewed(town, "custody").findings}
    assert set(found) == {"announced-and-replaced", "long-on-the-way"}
    assert "moves that others replaced before anybody signed: 1" in found["long-on-the-way"].evidence_for


@pytest.mark.parametrize("part", [False, True])
def test_a_delivery_beside_custody(town, part):
    whole, chip = serials("m", 2)
    tree = {"type": "asset.registered", "number": "S-1", "serial": whole, "chip": H100, "count": 8}
    asset = town.act("north", {**tree, "parts": [chip], "country": "SE"})
    lease = town.lease("north", "lake", town.offer("north", H100, "SE"))
    town.deliver("north", "lake", lease, serials=[chip if part else whole])
    assert rules(reviewed(town, "custody")) == []
    town.now += 40 * DAY
    send(town, "north", "south", asset, reason="lease")
    lease = town.lease("north", "hill", town.offer("north", H100, "SG"))
    town.deliver("north", "hill", lease, serials=[chip if part else whole])
    assert rules(reviewed(town, "custody")) == [
        ("delivered-elsewhere", "raised", "priority"),
        ("delivered-on-its-way", "raised", "question"),
    ]


def test_an_unknown_country_is_said_to_be_unknown(town):
    asset = machine(town, "north", "ZZ", *serials("m", 1))
    move = send(town, "north", "south", asset)
    receive(town, "south", move, asset, "SE")
    (one,) = reviewed(town, "custody").findings
    assert (one.rule, one.state) == ("border-without-paper", "unknown")
    assert [missing.fact for missing in one.unknown] == ["earlier_country"]
