"""`bundle make|verify|show` through the command line, for a lease with a thousand statements of others around it."""

import json
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pseudoledger.errors import PseudoledgerError
from pseudoledger.identity.keys import Signer, key_from_did
from pseudoledger.ledger.bundle import decode_bundle, encode_bundle
from pseudoledger.ledger.bundle_proof import verify_bundle
from pseudoledger.ledger.checkpoint import add_signatures, cosign, cosigner_key, log_key
from pseudoledger.ledger.note import format_note, parse_note
from pseudoledger.ledger.policy import PolicyLog, PolicyWitness, TrustPolicy, format_policy
from pseudoledger.ledger.store import Store
from pseudoledger.statement import envelope


@pytest.fixture
def key(office):
    return json.loads((office.folder / "led" / "ledger.json").read_text())["ledger_key"]


@pytest.fixture
def entries(office):
    with closing(Store.open_reader(office.folder / "led")) as store:
        return {row.id: row for row in store.entries()}


def of_kind(entries, kind):
    return [row for row in entries.values() if row.type == kind]


def kept(office, statement):
    return office.folder / "keys" / "disclosures" / f"{statement}.disclosures.json"


@pytest.fixture
def made(office, entries, tmp_path):
    """A bundle that discloses the names in the terms and in an invoice."""
    (lease,) = of_kind(entries, "lease.proposed")
    invoice = of_kind(entries, "invoice.issued")[1]
    file = tmp_path / "L1.plbundle"
    words = ("--disclosures", kept(office, lease.id), "--disclosures", kept(office, invoice.id))
    assert office.run("bundle", "make", "L1", "-o", file, *words, "--json") == 0, office.err
    return file


def test_it_holds_the_contract_and_nothing_of_others(office, made, entries, key):
    said = json.loads(office.out)
    assert said["later"] == 0
    assert said["missing"] == []
    assert said["tree_size"] == len(entries) > 1_000
    assert said["statements"] < 40
    assert office.run("bundle", "verify", made, "--key", key, "--json") == 0, office.err
    found = json.loads(office.out)
    kinds = [item["kind"] for item in found["statements"]]
    lease = [
        row
        for row in entries.values()
        if row.type.split(".")[0]
        in {"lease", "usage", "delivery", "invoice", "credit", "payment", "amendment"}
    ]
    assert {row.index for row in lease} <= {item["index"] for item in found["statements"]}
    assert {
        "ledger.founded",
        "identity.declared",
        "pool.declared",
        "offer.published",
        "broker.mandated",
    } <= set(kinds)
    assert "pool.declared" in kinds
    assert kinds.count("pool.declared") == 1, "those of others stay out"
    assert any("left out" in text for text in found["does_not_show"])
    assert any("simulated" in text for text in found["does_not_show"])
    opened = {field["pointer"]: field["value"] for item in found["statements"] for field in item["disclosed"]}
    assert opened["/terms/lessor_name"] == "North Lake Oy"
    assert opened["/terms/lessee_name"] == "Harbour & Söhne <Labs>"
    assert opened["/seller_name"] == "Carol Brokers"


def test_it_verifies_on_another_machine(office, made, key, monkeypatch, tmp_path):
    monkeypatch.setenv("PSEUDOLEDGER_KEYS", str(tmp_path / "none"))
    monkeypatch.delenv("PSEUDOLEDGER_DIR")
    monkeypatch.chdir(tmp_path)
    assert office.run("bundle", "verify", made, "--key", key) == 0, office.err
    assert "Verified: the bundle holds" in office.out
    assert office.run("bundle", "verify", made) == 2
    assert "whom to trust" in office.err
    other = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
    assert office.run("bundle", "verify", made, "--key", other) == 1
    assert "not under" in office.err
    assert office.run("bundle", "verify", tmp_path / "nowhere.plbundle", "--key", key) == 3
    (tmp_path / "empty").write_bytes(b"")
    assert office.run("bundle", "verify", tmp_path / "empty", "--key", key) == 1


def test_a_page_shows_it(office, made, key, tmp_path):
    page = tmp_path / "L1.html"
    assert office.run("bundle", "show", made, "--html", page, "--key", key, "--json") == 0, office.err
    assert json.loads(office.out)["trusted"] == "named key"
    html = page.read_text("utf-8")
    assert "Harbour &amp; Söhne &lt;Labs&gt;" in html
    assert "<Labs>" not in html
    verified = verify_bundle(decode_bundle(made.read_bytes()), key=key)
    assert html.count(">disclosed<") == sum(len(item.opened) for item in verified.statements) > 3
    assert "Nobody named the ledger key" not in html
    assert "<script" not in html
    assert "://" not in html
    assert office.run("bundle", "show", made, "--html", page, "--key", key) == 2
    blind = tmp_path / "blind.html"
    assert office.run("bundle", "show", made, "--html", blind) == 0
    assert "compare it" in office.out
    assert "Nobody named the ledger key" in blind.read_text("utf-8")


def test_a_page_names_what_is_missing(office, made, key, tmp_path):
    bundle = decode_bundle(made.read_bytes())
    place = next(n for n, item in enumerate(bundle.entries) if b'"type":"offer.published"' in item.statement)
    gone = envelope.decode(bundle.entries[place].statement).id
    entries = bundle.entries[:place] + bundle.entries[place + 1 :]
    partial = tmp_path / "partial.plbundle"
    partial.write_bytes(encode_bundle(type(bundle)(
        lease=bundle.lease, checkpoint=bundle.checkpoint, entries=entries, files=(), disclosures=bundle.disclosures
    )))  # fmt: skip
    page = tmp_path / "partial.html"
    assert office.run("bundle", "show", partial, "--html", page, "--key", key) == 0, office.err
    html = page.read_text("utf-8")
    assert gone in html
    assert "not in this bundle" in html
    assert "pseudoledger-3" in html.partition("travel apart")[2], "the rule set is named and not held"


def test_a_policy_with_its_quorum(office, made, key, tmp_path):
    witness = Signer.from_seed(b"\x21" * 32)
    bundle = decode_bundle(made.read_bytes())
    note = parse_note(bundle.checkpoint)
    origin = note.text.decode().split("\n")[0]
    policy = TrustPolicy(
        logs=(PolicyLog(key=log_key(origin, key_from_did(key))),),
        witnesses=(PolicyWitness(name="w", key=cosigner_key("w.example/1", witness.public_key)),),
        quorum="w",
    )
    trust = tmp_path / "trust.policy"
    trust.write_bytes(format_policy(policy))
    assert office.run("bundle", "verify", made, "--policy", trust) == 1
    assert "quorum" in office.err
    checkpoint = format_note(add_signatures(note, [cosign(witness, "w.example/1", note, 1_800_000_000)]))
    cosigned = tmp_path / "cosigned.plbundle"
    cosigned.write_bytes(encode_bundle(type(bundle)(
        lease=bundle.lease, checkpoint=checkpoint, entries=bundle.entries, files=bundle.files, disclosures=bundle.disclosures
    )))  # fmt: skip
    assert office.run("bundle", "verify", cosigned, "--policy", trust, "--json") == 0, office.err
    assert json.loads(office.out)["cosigned"] == [{"witness": "w.example/1", "time": 1_800_000_000}]
    page = tmp_path / "cosigned.html"
    assert office.run("bundle", "show", cosigned, "--html", page, "--policy", trust) == 0
    assert "w.example/1 cosigned the checkpoint" in page.read_text("utf-8")


def test_what_does_not_belong_is_not_put_in(office, entries, tmp_path):
    (lease,) = of_kind(entries, "lease.proposed")
    invoice = of_kind(entries, "invoice.issued")[1]
    told = json.loads(kept(office, invoice.id).read_text())
    out = tmp_path / "out.plbundle"
    swapped = tmp_path / "swapped.disclosures.json"
    swapped.write_text(json.dumps(told | {"statement": lease.id}))
    assert office.run("bundle", "make", "L1", "-o", out, "--disclosures", swapped) == 1
    assert "no digest of the statement fits" in office.err
    foreign = tmp_path / "foreign.disclosures.json"
    foreign.write_text(json.dumps(told | {"statement": of_kind(entries, "pool.declared")[-1].id}))
    assert office.run("bundle", "make", "L1", "-o", out, "--disclosures", foreign) == 1
    assert "does not belong" in office.err
    (tmp_path / "mine.txt").write_text("mine")
    assert office.run("bundle", "make", "L1", "-o", out, "--file", tmp_path / "mine.txt") == 1
    assert "names the file" in office.err
    assert office.run("bundle", "make", "no-such", "-o", out) == 2
    assert not out.exists()


def test_it_is_written_once_and_always_the_same(office, made, tmp_path):
    again = tmp_path / "again.plbundle"
    assert office.run("bundle", "make", "L1", "-o", made) == 2
    assert office.run("bundle", "make", "L1", "-o", again) == 0
    assert "discloses  nothing" in office.out
    third = tmp_path / "third.plbundle"
    assert office.run("bundle", "make", "L1", "-o", third) == 0
    assert again.read_bytes() == third.read_bytes()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_bit_of_a_disclosing_bundle_counts(made, key, data):
    raw = made.read_bytes()
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    forged = bytearray(raw)
    forged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PseudoledgerError):
        verify_bundle(decode_bundle(bytes(forged)), key=key)
