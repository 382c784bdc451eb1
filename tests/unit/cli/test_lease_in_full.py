"""Leases in full by the command line, with a thousand statements of others around them.

A lease over two sorts of chips, its sublease and the sublease of that, amendments, reclaim, downtime, quotas, and
what all leases amount to taken together. The how-to page runs as it stands.
"""

import pytest
from crowd import commands, crowd, do, found, refused, told, verified

from pseudoledger.cli.main import run

H100, MI300X = "nvidia-h100-sxm5-80gb", "amd-mi300x"
OPEN = "--from 2026-03-01 --until 2026-12-31"
MONTH = "--from 2026-03-01 --length 30d"
RESERVED = "--template reserved-term"
PLACE = "--site 'hall 2' --owner 'Town Works' --operator 'North Lake Oy'"


@pytest.fixture
def market(tmp_path, monkeypatch):
    """Alice leases two sorts of chips to bob, for two purposes; somebody else has seen where they were made."""
    found(tmp_path, monkeypatch)
    crowd()
    do(
        f"pl pool declare P1 --line h100=16x{H100} --line mi300x=8x{MI300X} --as alice",
        f"pl claim attest I1 --about alice --claim chip_inventory --chips {H100}=16@TW --chips {MI300X}=8@KR"
        " --thing P1 --from 2026-02-20 --length 300d --as judy",
        "pl offer publish O1 --pool P1 --line h100=8@2.20/h --line mi300x=8@1.80/h --currency USD --country DE"
        f" --basis reserved {OPEN} {PLACE} --as alice",
        *commands("change-and-sublet.md")[:2],
    )
    return monkeypatch


def sublet(capsys):
    """Bob leases four of his eight on to carol, and carol two of these to judy."""
    demand = f"--length 20d {OPEN}"
    do(f"pl demand publish D2 --line h100=4x{H100} {demand} --as carol")
    offered = f"pl lease propose S1 {RESERVED} --sublet L1/h100=4@3.10/h --answers D2 {MONTH} --as bob"
    refused(capsys, f"{offered} --residency patients=US", "sublease.residency")
    refused(capsys, f"{offered} --purpose infer", "sublease.purpose")
    do(
        offered,
        "pl lease sign S1 --as carol",
        f"pl demand publish D3 --line h100=2x{H100} {demand} --as judy",
        f"pl lease propose S2 {RESERVED} --sublet S1/h100=2@3.60/h --answers D3 {MONTH} --as carol",
        "pl lease sign S2 --as judy",
    )
    again = "pl lease propose S3 --template reserved-term --sublet L1/h100=5@3.10/h --answers D2"
    do(f"{again} {MONTH} --as bob")
    refused(capsys, "pl lease sign S3 --as carol", "stock.taken")


def test_a_lease_says_for_every_line_what_it_is_for_and_where_it_stands(market, capsys):
    lease = told(capsys, "pl lease show L1")
    assert [(line["id"], line["purpose"], line["equivalence_ppm"]) for line in lease["terms"]["lines"]] == [
        ("h100", "train", 1_000_000),
        ("mi300x", "infer", 1_300_000),
    ]
    assert lease["terms"]["facility"] == {"country": "DE"}
    opened = f"pl show {lease['id']} --disclosures keys/disclosures/{lease['id']}.disclosures.json"
    capsys.readouterr()
    do(opened)
    said = " ".join(capsys.readouterr().out.split())
    assert "/terms/facility/owner Town Works" in said
    assert "/terms/facility/operator North Lake Oy" in said
    wrong = "lease propose L9 --line O1/h100=1 --purpose cores=train --from 2026-03-01 --length 1d --as bob"
    assert run(wrong.split()) == 2
    assert "no line 'cores'" in capsys.readouterr().err


def test_the_how_to_page_runs_and_the_ledger_verifies(market, capsys):
    first, second, *rest = commands("change-and-sublet.md")[2:]
    do(first, second, *rest[:4])
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-10T00:00:00Z")
    do(*rest[4:])
    assert len(told(capsys, "pl lease endings")["endings"]) == 2
    verified()


def test_chains_of_subleases_end_with_their_head(market, capsys):
    sublet(capsys)
    (line,) = told(capsys, "pl lease show S2")["terms"]["lines"]
    assert (line["count"], line["purpose"], line["head_line"]) == (2, "train", "h100")
    assert [row["depth"] for row in told(capsys, "pl lease list")] == [1, 2, 1, 0]
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-10T00:00:00Z")
    refused(capsys, "pl lease end S1 --code 20004 --entry L1 --as carol", "end.no_condition")
    do("pl lease end L1 --code 7 --as bob", "pl lease end S1 --code 20004 --entry L1 --as carol")
    do("pl lease end S2 --code 20004 --entry S1 --as judy")
    found_endings = told(capsys, "pl lease endings")
    assert {(cause["role"], cause["code"]): cause["count"] for cause in found_endings["causes"]} == {
        ("lessee", 7): 1,
        ("either", 20_004): 2,
    }
    # Eight of each sort for the 21 days that were left.
    (own,) = [item for item in found_endings["endings"] if item["code"] == 7]
    assert own["chip_seconds"] == 16 * 21 * 86_400
    assert own["fee_minor"] == 100_000
    verified()


def test_downtime_becomes_a_credit_note_and_an_amendment_holds_from_its_start(market, capsys):
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-01T00:00:00Z")
    do("pl delivery offer L1 B1 --as alice", "pl delivery accept B1 --as bob")
    crowd(20)
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-15T00:00:00Z")
    do(
        "pl usage report L1 --line h100 --until 2026-03-15 --full --downtime 7h --as alice",
        "pl usage report L1 --line mi300x --until 2026-03-15 --full --as alice",
        "pl usage confirm L1/h100 --as bob",
        "pl usage confirm L1/mi300x --as bob",
        "pl lease amend L1 A1 --from 2026-03-16 --count mi300x=4 --price h100=2.00/h --as bob",
        "pl lease sign-amendment A1 --as alice",
        "pl invoice issue L1 INV-1 --as alice",
        "pl invoice credit INV-1 CN-1 --sla --as alice",
    )
    invoice = told(capsys, "pl invoice show INV-1")
    hours = 14 * 24
    assert invoice["net_minor"] == 8 * 220 * (hours - 7) + 8 * 180 * hours
    # 7 of 336 hours are more than 1 in 1,000: a quarter of the line's price is owed.
    assert invoice["credited_minor"] == 8 * 220 * (hours - 7) // 4
    lease = told(capsys, "pl lease show L1")
    assert [line["count"] for line in lease["terms"]["lines"]] == [8, 4]
    assert told(capsys, "pl lease statement L1")["amendments"] == 1
    verified()


def test_a_lessor_takes_machines_back_only_after_its_notice(market, capsys):
    do(
        f"pl offer publish O2 --pool P1 --line h100=8@1.10/h --currency USD --country DE {OPEN} --as alice",
        f"pl lease propose L2 --template interruptible --line O2/h100=8 {MONTH} --as carol",
        "pl lease sign L2 --as alice",
    )
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-20T08:00:00Z")
    soon = "pl lease reclaim L2 N0 --at 2026-03-20T09:00:00Z --code 10001 --as alice"
    refused(capsys, soon, "reclaim.too_soon")
    do("pl lease reclaim L2 N1 --at 2026-03-20T10:00:00Z --code 10001 --as alice")
    refused(capsys, "pl lease end L2 --code 10001 --as alice", "end.notice_runs")
    (announced,) = told(capsys, "pl lease endings")["endings"]
    assert (announced["role"], announced["announced"]) == ("lessor", True)
    market.setenv("PSEUDOLEDGER_NOW", "2026-03-20T10:00:00Z")
    do("pl lease end L2 --code 10001 --as alice")
    (cause,) = told(capsys, "pl lease endings --of carol")["causes"]
    assert (cause["role"], cause["code"], cause["count"]) == ("lessor", 10_001, 1)
    verified()


def test_what_a_partys_leases_hang_on_and_what_they_commit_it_to(market, capsys):
    # 8 of worth 1 and 8 of worth 1.3, for as long: 10 and 13 of 23 parts.
    found_index = told(capsys, "pl lease concentration --of bob")
    for by in ("by_vendor", "by_origin"):
        assert found_index[by]["least"] == found_index[by]["most"] == "269/529"
    assert {item["name"]: item["share"] for item in found_index["by_origin"]["shares"]} == {
        "TW": "10/23",
        "KR": "13/23",
    }
    committed = 16 * 30 * 24
    do(
        f"pl quota set Q1 --hours {committed - 100} --drawer carol --from 2026-03-01 --until 2026-06-01 --as bob",
        f"pl quota draw Q1 D1 --lease L1 --hours {committed - 200} --as carol",
    )
    refused(capsys, "pl quota draw Q1 D2 --lease L1 --hours 101 --as carol", "quota.exceeded")
    (quota,) = told(capsys, "pl quota budget bob")["quotas"]
    assert (quota["committed"], quota["left"]) == (committed * 3600, 100 * 3600)
    verified()
