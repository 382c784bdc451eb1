"""What verify says about sound ledgers, forged ones, and things kept outside."""

import itertools
import json
import os
import random
import shutil
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from small_ledger import (
    FOUNDER,
    LEDGER,
    NEXT_LEDGER,
    build,
    copy,
    entries_of,
    founding,
    opened,
    publish_by_hand,
    rebuild,
    reopen,
    sign,
)

from play import Deal, Table
from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.audit.verifier.replay import Replay, ReplayShelf
from pseudoledger.audit.verifier.report import FAULTS_MAX, at_entry
from pseudoledger.bench.workload import Load
from pseudoledger.contract.things import Invoice
from pseudoledger.demo.play import play
from pseudoledger.errors import MalformedError, PeerUnreachable, StoreCorrupt, StoreError
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger.backup import backup
from pseudoledger.ledger.checkpoint import sign_checkpoint
from pseudoledger.ledger.note import format_note
from pseudoledger.ledger.receipt import build as build_receipt
from pseudoledger.ledger.receipt import sign_head
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import inclusion_proof, root
from pseudoledger.registrar import Registrar
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.ledger import BlockSealed
from pseudoledger.statement.payload import draft

PARTY = Signer.from_seed(bytes([9]) * 32)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return build(tmp_path_factory.mktemp("verifier") / "it")


def pool(number, *, aud, iat, signer=PARTY, exp=None, sub=None):
    line = {"id": "chip", "resource": "chip", "chip": "nvidia-h200-sxm-141gb", "count": 1}
    tree = {"type": "pool.declared", "v": 1, "number": number, "lines": [line]}
    tree |= {"_sd": [f"{hash(number) % 10**6:043d}"], "_sd_alg": "sha-256"}
    return envelope.sign(signer, draft(tree), sub=sub or signer.did, aud=aud, iat=iat, exp=exp)


# Sound ledgers


def test_a_sound_ledger_and_the_line_to_keep(small):
    report = verify(small.directory)
    assert (report.verdict, report.faults, report.unjudged) == (Verdict.VALID, (), "")
    assert report.ledger_key == NEXT_LEDGER.did
    assert any("taken from the ledger itself" in text for text in report.warnings)
    assert any("simulated" in text for text in report.warnings)
    again = verify(small.directory, ledger_key=NEXT_LEDGER.did, against=[report.keep.encode()])
    assert again.verdict is Verdict.VALID
    assert not any("taken from" in text for text in again.warnings)


def replayed(table):
    """Judge the history of a table again, block by block, as `verify` does."""
    with tempfile.TemporaryDirectory() as folder, closing(ReplayShelf(Path(folder) / "book.db")) as shelf:
        replay = Replay(shelf)
        first = 0
        for item in table.history:
            if isinstance(item.payload, BlockSealed):
                rows = ((index, table.history[index].statement.raw) for index in range(first, item.index))
                assert list(replay.judge(rows, item.now)) == []
                replay.seal(item.statement, item.payload, item.index)
                first = item.index + 1
        return replay


@pytest.mark.parametrize(
    ("signed", "sealed", "late"), [(-60, 60, True), (-60, -30, False), (0, 60, False), (-60, 0, True)]
)
def test_a_payment_signed_in_time_and_sealed_too_late_is_late_by_ledger(signed, sealed, late):
    deal = Deal(Table()).accepted()
    due = deal.table.book.get(Invoice, deal.invoice).due_at
    deal.table.at(due + sealed)
    deal.table.act(deal.lessee, deal.paying(), iat=due + signed)
    (found,) = replayed(deal.table).late or (None,)
    assert (found is not None) == late
    if late:
        assert found.entry == len(deal.table.history) - 2
        assert "due date of invoice" in found.deadline
        assert str(found).startswith(
            f"entry {found.entry}: signed at {found.issued}, sealed at {found.sealed}"
        )


def test_without_rules_less_is_checked_and_the_report_says_so(small, tmp_path):
    target = copy(small.directory, tmp_path / "copy")
    with opened(target) as db:
        db.execute("DELETE FROM things WHERE sort = 'usage'")
    report = verify(target, rules=False)
    assert (report.verdict, report.rules) == (Verdict.VALID, False)
    assert verify(target).first.place.startswith("table things, usage ")


def test_worker_processes_come_to_the_same_result(small, tmp_path):
    told = []
    report = verify(small.directory, workers=2, progress=lambda done, size: told.append((done, size)))
    assert report == verify(small.directory)
    assert told[-1] == (report.entries, report.entries)
    target = copy(small.directory, tmp_path / "copy")
    with opened(target) as db:
        db.execute("UPDATE entries SET statement = zeroblob(9) WHERE idx = 30")
    assert verify(target, workers=2).first.entry == 30


def test_a_ledger_of_many_chunks(tmp_path):
    """More than two chunks, so that nodes above a chunk and blocks across chunks are met."""
    founded = founding()
    aud = envelope.decode(founded).id
    pools = [pool(f"P-{number}", aud=aud, iat=1_800_000_000) for number in range(2_600)]
    # Blocks at entries 1,023 and 1,024, the last of a chunk and the first, at 2,047 and 2,602.
    batches = [[founded], pools[:1_021], pools[2_500:2_501], pools[1_021:2_043], pools[2_043:2_500]]
    target = publish_by_hand(tmp_path / "many", batches)
    assert verify(target, rules=False).verdict is Verdict.VALID
    with opened(target) as db:
        # Position of the node over the first 2,048 entries.
        db.execute("UPDATE hashes SET hash = zeroblob(32) WHERE pos = 4094")
    fault = verify(target, rules=False).first
    assert (fault.place, fault.entry) == ("table hashes, position 4094", 2047)


def test_a_ledger_that_grows_meanwhile_is_verified_as_it_stood(small, tmp_path):
    whole = tmp_path / "it"
    shutil.copytree(small.directory.parent, whole)
    grown = small.__class__(whole / "ledger", (), small.load, ())
    with reopen(grown) as registrar:
        answers = []

        def grow(done, size):
            answers.append(registrar.register(small.load.statements(4)))

        report = verify(grown.directory, progress=grow)
        assert report.verdict is Verdict.VALID
        assert registrar.store.size > report.entries
    assert verify(grown.directory).verdict is Verdict.VALID


# Keys and what was kept


def test_the_key_that_the_caller_knows(small):
    assert verify(small.directory, ledger_key=NEXT_LEDGER.did).verdict is Verdict.VALID
    retired = verify(small.directory, ledger_key=LEDGER.did)
    assert retired.verdict is Verdict.VALID
    assert any("retired" in text for text in retired.warnings)
    stranger = verify(small.directory, ledger_key=PARTY.did)
    assert (stranger.verdict, stranger.first.code) == (Verdict.BROKEN, "kept.key")


def test_a_tail_cut_at_a_block_shows_only_against_what_was_kept(small):
    newest = small.older[-1]
    for older, kept in zip(small.older[:-1], small.kept, strict=False):
        assert verify(older).verdict is Verdict.VALID
        assert verify(older, against=[kept]).verdict is Verdict.VALID
        for later in (small.kept[-2], small.kept[-1], verify(newest).keep.encode()):
            report = verify(older, against=[kept, later])
            assert report.verdict is Verdict.BROKEN
            assert (report.first.code, report.first.place) == ("kept.cut", "kept commitment 2")


def test_another_history_shows_against_a_checkpoint_a_receipt_and_a_line(small):
    size = verify(small.directory).entries
    other = format_note(sign_checkpoint(NEXT_LEDGER, small.load.registrar.state.origin, size, bytes(32)))
    assert verify(small.directory, against=[other]).first.code == "kept.rewritten"
    line = verify(small.directory).keep
    assert verify(small.directory, against=[f"{line[:-4]}AAA=".encode()]).first.code == "kept.rewritten"
    with closing(Store.open_reader(small.directory)) as store:
        path = inclusion_proof(3, size, store.hashes)
        head = sign_head(NEXT_LEDGER, small.load.registrar.state.origin, size, root(size, store.hashes))
        assert verify(small.directory, against=[build_receipt(head, 3, path)]).verdict is Verdict.VALID
        # The receipt of an entry that stands elsewhere.
        assert verify(small.directory, against=[build_receipt(head, 4, path)]).first.code == "kept.rewritten"
        middle = format_note(
            sign_checkpoint(LEDGER, small.load.registrar.state.origin, 3, root(3, store.hashes))
        )
    assert "where no block" in verify(small.directory, against=[middle]).first.message


def test_a_retired_key_counts_only_for_its_own_time(small):
    with closing(Store.open_reader(small.directory)) as store:
        size, origin = store.size, small.load.registrar.state.origin
        late = format_note(sign_checkpoint(LEDGER, origin, size, root(size, store.hashes)))
        head = sign_head(LEDGER, origin, size, root(size, store.hashes))
        receipt = build_receipt(head, 3, inclusion_proof(3, size, store.hashes))
    assert verify(small.directory, against=[late]).first.code == "kept.signature"
    assert verify(small.directory, against=[receipt]).first.code == "kept.signature"


def test_what_was_kept_of_another_ledger(small):
    other = format_note(sign_checkpoint(LEDGER, "other.example/one", 4, bytes(32)))
    assert verify(small.directory, against=[other]).first.code == "kept.origin"


@pytest.mark.parametrize("raw", [b"", b"nothing", b"\xd2\x84", b"a 01 " + b"A" * 43 + b"="])
def test_what_is_no_commitment_is_refused_before_anything_is_read(small, raw):
    with pytest.raises(MalformedError, match="kept commitment 2 is neither"):
        verify(small.directory, against=[small.kept[0], raw])


# Ledgers whose keeper broke the rules


def test_a_statement_that_the_rules_refuse_is_named(tmp_path):
    founded = founding()
    aud, iat = envelope.decode(founded).id, 1_800_000_000
    good, again = pool("P-1", aud=aud, iat=iat), pool("P-1", aud=aud, iat=iat + 1)
    expired = pool("P-2", aud=aud, iat=iat, exp=iat)
    old = pool("P-3", aud=aud, iat=iat - 86_401)
    future = pool("P-4", aud=aud, iat=iat + 301)
    wrong_sub = pool("P-5", aud=aud, iat=iat, sub=LEDGER.did)
    target = publish_by_hand(tmp_path / "one", [[founded], [good, again, expired, old, future, wrong_sub]])
    assert verify(target, rules=False).verdict is Verdict.VALID
    report = verify(target)
    assert (report.first.entry, report.verdict) == (3, Verdict.BROKEN)
    found = {(fault.entry, fault.code) for fault in verify(target, all_findings=True).faults if fault.entry}
    assert found >= {
        (4, "statement.expired"),
        (5, "statement.too_old"),
        (6, "statement.future"),
        (7, "statement.sub"),
    }


def test_a_statement_of_another_ledger_is_named_even_without_rules(tmp_path):
    founded = founding()
    foreign = pool("P-1", aud="00" * 32, iat=1_800_000_000)
    target = publish_by_hand(tmp_path / "one", [[founded], [foreign]])
    for rules in (True, False):
        fault = verify(target, rules=rules).first
        assert (fault.entry, fault.code) == (2, "statement.aud")


def test_blocks_out_of_time_and_foundings_twice(tmp_path):
    founded = founding()
    aud, iat = envelope.decode(founded).id, 1_800_000_000
    one, two = pool("P-1", aud=aud, iat=iat), pool("P-2", aud=aud, iat=iat)
    back = publish_by_hand(tmp_path / "back", [[founded], [one], [two]], times=[iat, iat + 10, iat + 5])
    assert (verify(back).first.entry, verify(back).first.code) == (5, "block.link")
    twice = publish_by_hand(tmp_path / "twice", [[founded], [founding(origin="forged.example/two")]])
    assert verify(twice, rules=False).first.entry == 2
    late = publish_by_hand(tmp_path / "late", [[founded, one], [two]])
    assert verify(late, rules=False).first.code == "block.first"
    empty = publish_by_hand(tmp_path / "empty", [[founded], [one], []])
    assert "seals nothing" in verify(empty).first.message


def test_a_key_change_that_the_founder_did_not_sign(tmp_path):
    founded = founding()
    aud = envelope.decode(founded).id
    tree = {"type": "ledger.key_changed", "number": 1, "ledger_key": PARTY.did}
    forged = sign(PARTY, tree, sub="forged.example/one", aud=aud, iat=1_800_000_000)
    fault = verify(publish_by_hand(tmp_path / "one", [[founded], [forged]]), rules=False).first
    assert (fault.entry, fault.code) == (2, "ledger.not_founder")
    honest = sign(FOUNDER, tree, sub="forged.example/one", aud=aud, iat=1_800_000_000)
    # The founder named another key, and the old one seals on.
    fault = verify(publish_by_hand(tmp_path / "two", [[founded], [honest]]), rules=False).first
    assert (fault.entry, fault.code) == (3, "block.link")


def test_entries_issued_long_before_their_block_are_counted(tmp_path):
    founded = founding()
    aud, iat = envelope.decode(founded).id, 1_800_000_000
    batch = [pool(f"P-{number}", aud=aud, iat=iat + number) for number in range(4)]
    target = publish_by_hand(tmp_path / "one", [[founded], batch], times=[iat, iat + 302])
    (late,) = [text for text in verify(target, rules=False).warnings if "were issued" in text]
    assert late.startswith("2 entries, the first of them entry 2,")


def test_unknown_rules_are_never_called_valid(tmp_path):
    target = publish_by_hand(tmp_path / "one", [[founding(rules={"name": "later", "sha256": "ab" * 32})]])
    report = verify(target)
    assert (report.verdict, report.faults) == (Verdict.UNJUDGED, ())
    assert report.unjudged.startswith("cannot judge from entry 0:")
    assert verify(target, rules=False).verdict is Verdict.VALID


def test_unknown_rules_from_a_change_on(tmp_path):
    founded = founding()
    aud, iat = envelope.decode(founded).id, 1_800_000_000
    said = envelope.decode(founded).payload
    policy = json.loads(said)
    changed = {
        "type": "ledger.policy_changed",
        "number": 1,
        "rules": {"name": "later", "sha256": "ab" * 32},
        **{name: policy[name] for name in ("tables", "mode", "policy")},
    }
    change = sign(FOUNDER, changed, sub=policy["origin"], aud=aud, iat=iat)
    pools = [pool(f"P-{number}", aud=aud, iat=iat) for number in range(2)]
    target = publish_by_hand(tmp_path / "one", [[founded], [change, pools[0]], [pools[1]]])
    report = verify(target)
    assert report.verdict is Verdict.UNJUDGED
    # A change acts after the block that seals it: entry 3 was judged, entry 5 cannot be.
    assert report.unjudged.startswith("cannot judge from entry 5:")


# Broken directories


def as_stored(small):
    """What could stand where the published checkpoint does, and agrees with the ledger all the same."""
    report = verify(small.directory)
    with closing(Store.open_reader(small.directory)) as store:
        block = store.last_block()
        path = inclusion_proof(3, block.index + 1, store.hashes)
        receipt = build_receipt(block.head(report.origin), 3, path)
        return {
            "line": report.keep.encode(),
            "receipt": receipt,
            "text": store.checkpoint().decode(),
            "number": 7,
        }


@pytest.mark.parametrize("what", ["line", "receipt", "text", "number"])
@pytest.mark.parametrize("name", ["checkpoint", "cosigned"])
def test_what_is_published_is_a_signed_checkpoint_and_nothing_that_agrees_with_it(
    small, tmp_path, name, what
):
    target = copy(small.directory, tmp_path / "copy")
    with opened(target) as db:
        db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, as_stored(small)[what]))
    report = verify(target)
    assert (report.verdict, report.first.code) == (Verdict.BROKEN, "stored.checkpoint")
    if what in {"text", "number"}:
        with (
            closing(Store.open_reader(target)) as store,
            pytest.raises(StoreCorrupt, match="not stored as bytes"),
        ):
            store.checkpoint() if name == "checkpoint" else store.cosigned()


def test_a_block_row_between_two_entries_is_none_of_the_ledger(small, tmp_path):
    """It would be the last block to whoever asks the table."""
    target = copy(small.directory, tmp_path / "copy")
    with opened(target) as db:
        db.execute("INSERT INTO blocks VALUES (999, 1.5, 0, zeroblob(32), 'did', zeroblob(64))")
    assert verify(target).first.place == "table blocks, idx 1.5"


def test_all_findings_are_bounded_and_in_order(small, tmp_path):
    target = copy(small.directory, tmp_path / "copy")
    with opened(target) as db:
        db.execute("UPDATE hashes SET hash = zeroblob(32)")
        db.execute("UPDATE entries SET issuer = 'nobody'")
    report = verify(target, all_findings=True)
    entries = [fault.entry for fault in report.faults if fault.entry is not None]
    assert entries == sorted(entries)
    assert {place.split(",")[0] for place in (fault.place for fault in report.faults)} >= {
        "table hashes",
        "table entries",
    }
    assert len(report.faults) <= FAULTS_MAX
    assert len(verify(target).faults) == 1


def test_what_the_rules_refuse_in_one_block_is_bounded(small, monkeypatch):
    def judge(_self, rows, _now):
        for number, (index, _) in enumerate(itertools.cycle(list(rows))):
            assert number < 10 * FAULTS_MAX, "all that there is would be kept in memory"
            yield at_entry(index, f"endless.{number}", "is refused once more")

    monkeypatch.setattr(Replay, "judge", judge)
    for all_findings in (False, True):
        report = verify(small.directory, all_findings=all_findings)
        assert report.verdict is Verdict.BROKEN
        assert len(report.faults) == (FAULTS_MAX if all_findings else 1)


def test_a_file_that_is_no_database_and_one_with_a_broken_page(small, tmp_path):
    target = copy(small.directory, tmp_path / "copy")
    raw = bytearray((target / "ledger.db").read_bytes())
    raw[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    (target / "ledger.db").write_bytes(raw)
    report = verify(target)
    assert report.verdict is Verdict.BROKEN
    (target / "ledger.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="not a sound ledger database"):
        verify(target)


def test_no_ledger_and_another_schema(small, tmp_path):
    with pytest.raises(PeerUnreachable, match="there is no ledger here"):
        verify(tmp_path)
    target = copy(small.directory, tmp_path / "copy")
    with opened(target) as db:
        db.execute("COMMIT")
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="schema 99 is newer"):
        verify(target)


def test_an_empty_ledger_and_one_without_founding(small, tmp_path):
    target = tmp_path / "empty"
    target.mkdir()
    Store.create(target).close()
    assert verify(target).first.place == "entry 0"
    target = copy(small.directory, tmp_path / "copy")
    with opened(target) as db:
        rebuild(db, entries_of(small.directory)[2:])
    assert verify(target).first.code == "entry.founding"


def test_a_statement_twice_is_found_without_rules_too(tmp_path):
    """The index on ids forbids it, but an index is only as good as the file that somebody hands over."""
    founded = founding()
    one = pool("P-1", aud=envelope.decode(founded).id, iat=1_800_000_000)
    target = publish_by_hand(tmp_path / "one", [[founded], [one], [one]], unique=False)
    places = [fault.place for fault in verify(target, rules=False, all_findings=True).faults]
    assert places[0] == "entry 4"
    assert "ledger.db" in places  # the index lacks rows
    assert verify(target, rules=False).first.code == "entry.twice"


def test_random_markets_verify_clean(tmp_path):
    """Leases, amendments, contests, reclaims, credits and payments as the demo plays them, under other seeds."""
    for seed in (2, 3):
        stage = play(tmp_path / str(seed), seed=seed, tell=lambda _: None)
        stage.registrar.close()
        report = verify(tmp_path / str(seed) / "ledger", all_findings=True)
        assert (report.verdict, report.faults) == (Verdict.VALID, ())


def test_random_batches_with_refusals_between_verify_clean(tmp_path):
    rng = random.Random(7)
    load = Load(tmp_path / "it", leases=5)
    ready = load.statements(400)
    while ready:
        count = rng.randrange(1, 30)
        batch, ready = ready[:count], ready[count:]
        if rng.random() < 0.3:
            batch.insert(rng.randrange(len(batch)), rng.choice(batch))
        if rng.random() < 0.3:
            broken = bytearray(rng.choice(batch))
            broken[rng.randrange(len(broken))] ^= 1
            batch.insert(0, bytes(broken))
        load.now += rng.choice([0, 1, 3_600])
        load.registrar.register(batch)
        if rng.random() < 0.2:
            load.registrar.close()
            load.registrar = Registrar.open(
                tmp_path / "it" / "ledger",
                signer=LEDGER,
                last_signed=LastSigned(tmp_path / "it" / "keys" / "ledger.last-signed"),
                clock=lambda: load.now * 1000,
            )
    size = load.registrar.store.size
    assert size > 400
    report = verify(tmp_path / "it" / "ledger", all_findings=True)
    assert (report.verdict, report.faults, report.entries) == (Verdict.VALID, (), size)
    load.registrar.close()


@pytest.fixture
def unprivileged():
    """Somebody whom file permissions bind: not root."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65_534)
    yield
    os.seteuid(before)


@pytest.fixture
def public():
    """A directory that others may enter, as pytest's own are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        for path in (Path(name), *Path(name).rglob("*")):
            path.chmod(0o755)


def test_a_directory_that_cannot_be_written_is_verified_and_not_opened_to_write(small, public, unprivileged):
    before = os.geteuid()
    os.seteuid(os.getuid())
    target = copy(small.directory, public / "ledger")
    for path in target.iterdir():
        path.chmod(0o444)
    target.chmod(0o555)
    record = LastSigned.create(public / "keys" / "record")
    os.seteuid(before)
    assert verify(target).verdict is Verdict.VALID
    with pytest.raises(StoreError, match="Permission denied"):
        Registrar.open(target, signer=NEXT_LEDGER, last_signed=record, clock=lambda: 0)
    with pytest.raises(StoreError, match="Permission denied"):
        backup(target, public / "elsewhere")
    record.close()


def test_blocks_that_stand_in_a_log_which_cannot_be_read(tmp_path, public, unprivileged):
    """A copy taken without stopping the writer, on a disk where no index of its log can be made."""
    before = os.geteuid()
    os.seteuid(os.getuid())
    load = Load(tmp_path / "it", leases=1)
    target = copy(tmp_path / "it" / "ledger", public / "ledger")
    load.registrar.close()
    (target / "ledger.db-shm").unlink()
    assert (target / "ledger.db-wal").stat().st_size
    for path in target.iterdir():
        path.chmod(0o444)
    target.chmod(0o555)
    os.seteuid(before)
    with pytest.raises(StoreError, match=r"its last blocks stand in ledger\.db-wal"):
        verify(target)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("name", ["ledger.json", "forks/x.json", "ledger.db-journal", "ledger.db-wal"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(small, tmp_path, name):
    target = copy(small.directory, tmp_path / "copy")
    place = target / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    if name.startswith("ledger.db"):
        with pytest.raises(StoreCorrupt, match="no regular file"):
            verify(target)
    else:
        assert verify(target).verdict is (Verdict.BROKEN if name == "ledger.json" else Verdict.VALID)
