import errno
import os
import subprocess
import sys
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.errors import ConflictError, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.identity import last_signed, signing_record
from pseudoledger.identity.last_signed import LastSigned, read_heads
from pseudoledger.identity.signing_record import FILE_BYTES, Carried, Head, Slot

R, S, T = (bytes([number]) * 32 for number in (1, 2, 3))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "ledger.last-signed"


@pytest.fixture
def record(path):
    with LastSigned.create(path) as opened:
        yield opened


def put(record, head):
    """Bring a new record to a head by the protocol."""
    record.record(*head)
    assert record.read() == Head(*head)


def test_a_new_record_holds_nothing_and_is_private(record, path):
    assert record.read() is None
    assert path.stat().st_size == 1024
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_head_is_recorded_for_good(record, path):
    record.record(2, R)
    assert record.read() == read_heads(path)[-1] == Head(2, R)
    record.record(5, S)
    record.close()
    with LastSigned(path) as again:
        assert again.read() == read_heads(path)[-1] == Head(5, S)


# recorded, tree at the start, tree without its last block, recorded after check or None where it must refuse
TRANSITIONS = [
    (None, (0, R), None, None),
    (None, (9, R), (5, S), None),
    ((5, R), (5, R), None, (5, R)),
    ((5, R), (5, R), (3, S), (5, R)),
    ((5, R), (8, S), (5, R), (8, S)),
    ((5, R), (8, S), None, "refused"),
    ((5, R), (8, S), (5, T), "refused"),
    ((5, R), (8, S), (6, T), "refused"),
    ((5, R), (8, S), (4, R), "refused"),
    ((5, R), (5, S), (3, T), "refused"),
    ((5, R), (5, S), (5, R), "refused"),
    ((5, R), (4, R), None, "refused"),
    ((5, R), (4, S), (5, R), "refused"),
    ((5, R), (0, R), None, "refused"),
]


@pytest.mark.parametrize(("recorded", "tree", "before", "after"), TRANSITIONS)
def test_check_at_the_start(path, recorded, tree, before, after):
    with LastSigned.create(path) as record:
        if recorded:
            put(record, recorded)
    with LastSigned(path) as record:
        if after == "refused":
            with pytest.raises(ConflictError) as caught:
                record.check(*tree, before and Head(*before))
            assert caught.value.known == 5
            assert caught.value.hint
            after = recorded
        else:
            record.check(*tree, before and Head(*before))
        assert record.read() == read_heads(path)[-1] == (after and Head(*after))


def test_a_restored_backup_is_named_as_such(record):
    put(record, (1234, R))
    with pytest.raises(
        ConflictError, match=r"the tree has 1000 entries .* already signed a head over 1234.*backup"
    ) as caught:
        record.check(1000, S)
    assert caught.value.known == 1234


def test_a_record_behind_its_ledger_is_named_as_such(record):
    put(record, (5, R))
    with pytest.raises(ConflictError, match=r"has 9 entries but the record of this key ends at 5.*elsewhere"):
        record.check(9, S)


@pytest.mark.parametrize("head", [(4, R), (0, S), (5, S)])
def test_no_record_falls_or_forks(record, path, head):
    put(record, (5, R))
    before = path.read_bytes()
    with pytest.raises(ConflictError):
        record.record(*head)
    assert path.read_bytes() == before


def test_the_recorded_head_may_be_signed_again_without_a_write(record, path):
    put(record, (5, R))
    before = path.read_bytes()
    record.record(5, R)
    assert path.read_bytes() == before


@pytest.mark.parametrize(("size", "root"), [(-1, R), (2**63, R), (1, R[:-1]), (1, R + b"\0"), (1, b"")])
def test_impossible_heads_are_plain_bugs(record, size, root):
    with pytest.raises(ValueError, match="a head has"):
        record.record(size, root)


def test_the_largest_size_fits(record, path):
    put(record, (2**63 - 1, R))
    assert read_heads(path)[-1] == Head(2**63 - 1, R)


# Crashes and torn writes.


def test_a_crash_at_every_point_of_the_protocol(path):
    """The tree moves at the commit; wherever the crash falls, the next start goes on and signs no fork."""
    tree = (2, R)
    with LastSigned.create(path) as record:
        put(record, tree)
    for point in ("before", "committed", "recorded", "signed"):
        before, new = tree, tree[0] + 1
        with LastSigned(path) as record:
            record.check(*tree, Head(1, T))
            if point != "before":
                tree = (new, bytes([new]) * 32)
            if point in ("recorded", "signed"):
                record.record(*tree)
        with LastSigned(path) as record:
            record.check(*tree, Head(*before))
            assert record.read() == Head(*tree)
    assert tree[0] == 5


def test_two_blocks_beyond_the_record_are_no_crash(record):
    put(record, (5, R))
    with pytest.raises(ConflictError, match="elsewhere"):
        record.check(9, T, Head(7, S))


@pytest.mark.parametrize("first", [None, (5, R)])
def test_a_torn_write_at_every_byte_leaves_the_head_before_or_after(tmp_path, first):
    path = tmp_path / "k" / "r"
    with LastSigned.create(path) as record:
        if first:
            put(record, first)
        before, old = record.read(), path.read_bytes()
        record.record(9, T)
        after, new = record.read(), path.read_bytes()
    assert before != after
    changed = [start for start in (0, 512) if old[start : start + 512] != new[start : start + 512]]
    assert len(changed) == 1
    start = changed[0]
    for cut in range(513):
        path.write_bytes(old[:start] + new[start : start + cut] + old[start + cut :])
        found = read_heads(path)[-1]
        assert found in (before, after)
        if cut == 512:
            assert found == after
        if cut == 0:
            assert found == before


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=512, max_size=512), st.integers(0, 1))
def test_any_garbage_in_one_slot_leaves_the_other(tmp_path_factory, garbage, slot):
    path = tmp_path_factory.mktemp("r") / "k" / "r"
    with LastSigned.create(path) as record:
        put(record, (5, R))
        put(record, (8, S))
        whole = path.read_bytes()
    path.write_bytes(garbage + whole[512:] if slot == 0 else whole[:512] + garbage)
    assert read_heads(path)[-1] in (Head(5, R), Head(8, S))


def test_every_flipped_bit_of_a_slot_is_noticed(record, path):
    put(record, (5, R))
    whole = path.read_bytes()
    for place in range(512):
        for bit in range(8):
            slot = bytearray(whole[512:])
            slot[place] ^= 1 << bit
            assert signing_record.decode_slot(bytes(slot)) is None


@pytest.mark.parametrize("content", [b"", bytes(1024), b"x" * 1024, bytes(512), bytes(2000)])
def test_a_record_without_a_whole_slot_is_refused(record, path, content):
    record.close()
    path.write_bytes(content)
    for call in (LastSigned, read_heads):
        with pytest.raises(StoreCorrupt, match="unknown what this key has signed"):
            call(path)


def test_a_record_of_another_length_or_with_swapped_slots_is_refused(record, path):
    put(record, (5, R))
    whole = path.read_bytes()
    for content in (whole + b"\0", whole[:-1], whole[512:] + whole[:512]):
        path.write_bytes(content)
        with pytest.raises(StoreCorrupt):
            read_heads(path)[-1]


def test_slots_with_impossible_heads_are_not_whole(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(signing_record, "SIZE_END", 2**64)
        slot = signing_record.encode_slot(Slot(0, Head(2**63, R)))
    assert signing_record.decode_slot(slot) is None
    assert signing_record.decode_slot(slot[:-1]) is None


def test_a_head_that_was_only_intended_by_an_earlier_version_counts_for_nothing(record, path):
    """It wrote heads about to be signed into the same slot, flag 2, and again once they were committed."""
    put(record, (5, R))
    record.close()
    whole = bytearray(path.read_bytes())
    body = bytearray(whole[512:992])
    body[24] |= 2
    body[72:80], body[80:112] = (8).to_bytes(8), S
    whole[512:] = bytes(body) + sha256(body).digest()
    path.write_bytes(whole)
    assert read_heads(path)[-1] == Head(5, R)


# Blocks that the record carries.

BODIES = (b"first", b"", bytes(4_000))
HEADS = (Head(7, S), Head(9, T), Head(20, R))


def carry_one(record, size, root, body):
    """Carry a block, durably."""
    record.carry(size, root, body)
    record.sync()


def carry(record):
    """Bring a new record to a head, then to three more with the blocks that end with them."""
    put(record, (5, R))
    for head, body in zip(HEADS, BODIES, strict=True):
        assert record.takes(len(body))
        carry_one(record, head.size, head.root, body)
        assert record.carries
    return [Carried(head, body) for head, body in zip(HEADS, BODIES, strict=True)]


def test_a_block_is_carried_until_a_head_without_one(record, path):
    carried = carry(record)
    assert path.stat().st_size == FILE_BYTES
    assert record.read() == read_heads(path)[-1] == HEADS[-1]
    record.close()
    with LastSigned(path) as again:
        assert again.read() == HEADS[-1]
        assert again.carries
        assert read_heads(path) == [Head(5, R), *HEADS]
        assert list(again.missing(5, R)) == carried
        assert list(again.missing(*(7, S))) == carried[1:]
        assert not again.missing(20, R)
        assert not again.missing(6, S)
        assert not again.missing(7, T)
        again.check(20, R, HEADS[1])
        again.record(20, R)
        assert not again.carries
        assert again.read() == read_heads(path)[-1] == HEADS[-1]
        assert not again.missing(5, R)
        carry_one(again, 21, S, b"next")
        assert list(again.missing(20, R)) == [Carried(Head(21, S), b"next")]


@pytest.mark.parametrize("head", [(19, R), (0, S), (20, S), (20, R)])
def test_no_carried_block_falls_or_forks(record, path, head):
    carry(record)
    before = path.read_bytes()
    with pytest.raises(ConflictError):
        record.carry(*head, b"body")
    assert path.read_bytes() == before


def test_a_tree_that_a_carried_block_follows_may_not_be_signed(record):
    carry(record)
    with pytest.raises(ConflictError, match="backup"):
        record.check(7, S, Head(5, R))


def test_nothing_is_carried_before_the_first_head_nor_beyond_the_end(record):
    assert not record.takes(0)
    put(record, (1, R))
    assert not record.takes(FILE_BYTES)
    count = 1
    while record.takes(100_000):
        count += 1
        carry_one(record, count, R, bytes(100_000))
    assert count == 11
    with pytest.raises(ValueError, match="takes what"):
        carry_one(record, count + 1, R, bytes(100_000))
    record.record(count, R)
    assert record.takes(100_000)


def test_a_disk_without_room_carries_nothing(record, path, monkeypatch):
    put(record, (5, R))
    genuine = os.pwrite
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", lambda *args: genuine(*args) if len(args[1]) < 1_000 else 100)
        assert not record.takes(10)
        assert path.stat().st_size == 1024
    record.record(6, S)
    assert record.takes(10)
    assert path.stat().st_size == FILE_BYTES


def test_a_torn_carried_block_at_every_byte_leaves_those_before_it(record, path):
    carried = carry(record)
    record.close()
    whole = path.read_bytes()
    end = len(whole.rstrip(b"\0")) + 1
    starts = [whole.index(b"pl/carried-block")]
    while (found := whole.find(b"pl/carried-block", starts[-1] + 1)) > 0:
        starts.append(found)
    assert len(starts) == 3
    for number, start in enumerate(starts):
        stop = (*starts, end)[number + 1]
        for cut in range(start, min(stop - 1, start + 300)):
            path.write_bytes(whole[:cut] + bytes(len(whole) - cut))
            expected = [Head(5, R), *HEADS][number]
            assert read_heads(path)[-1] == expected
            with LastSigned(path) as again:
                assert list(again.missing(5, R)) == carried[:number]


def test_every_flipped_bit_of_a_carried_block_is_noticed(record, path):
    carry(record)
    whole = path.read_bytes()
    start = whole.index(b"pl/carried-block")
    for place in range(start, start + signing_record.carried_bytes(len(BODIES[0]))):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            assert read_heads(path)[-1] == Head(5, R)


def test_a_block_taken_back_was_never_carried(record, path):
    carried = carry(record)
    record.take_back(20, R)
    assert record.read() == read_heads(path)[-1] == HEADS[1]
    assert list(record.missing(5, R)) == carried[:2]
    before = path.read_bytes()
    for head in HEADS:
        record.take_back(head.size, head.root)
    assert path.read_bytes() == before, "only the last can be taken back, and once"
    # Another block may follow the one before it now: the head taken back was never signed.
    carry_one(record, 12, S, b"another")
    assert read_heads(path)[-1] == Head(12, S)
    record.record(12, S)
    record.take_back(12, S)
    assert record.read() == read_heads(path)[-1] == Head(12, S), "a slot stays"


def test_a_block_that_was_written_and_not_synced_is_taken_back_too(record, path):
    carried = carry(record)
    record.carry(30, S, b"written")
    assert record.read() == HEADS[-1]
    assert read_heads(path)[-1] == Head(30, S)
    record.take_back(30, S)
    assert record.read() == read_heads(path)[-1] == HEADS[-1]
    assert list(record.missing(5, R)) == carried
    record.carry(31, S, b"another")
    record.sync()
    assert record.read() == read_heads(path)[-1] == Head(31, S)
    with pytest.raises(ValueError, match="nothing was written"):
        record.sync()


def test_a_torn_slot_after_carried_blocks_leaves_them(record, path):
    carry(record)
    old = path.read_bytes()
    record.record(20, R)
    carry_one(record, 31, S, b"after it")
    new = path.read_bytes()
    (start,) = [at for at in (0, 512) if old[at : at + 512] != new[at : at + 512]]
    assert read_heads(path)[-1] == Head(31, S)
    for cut in range(512):
        path.write_bytes(old[:start] + new[start : start + cut] + old[start + cut :])
        assert read_heads(path)[-1] == HEADS[-1]


def test_what_was_carried_before_the_newest_slot_is_never_read_again(record, path):
    """Blocks of another round stand where the new ones end, whole in themselves."""
    put(record, (1, R))
    assert record.takes(50)
    for size in range(2, 12):
        carry_one(record, size, R, bytes(50))
    record.record(11, R)
    carry_one(record, 12, S, bytes(50))
    assert path.read_bytes().count(b"pl/carried-block") == 10
    assert read_heads(path)[-1] == Head(12, S)


# Files.


def test_a_missing_record_is_not_begun_by_itself(path):
    for call in (LastSigned, read_heads):
        with pytest.raises(StoreError, match="no record of what this key has signed") as caught:
            call(path)
        assert "change-key" in caught.value.hint


def test_a_record_is_never_begun_anew(record, path):
    put(record, (5, R))
    with pytest.raises(StoreError, match="never begun anew"):
        LastSigned.create(path)
    assert record.read() == Head(5, R)


def test_a_second_writer_is_refused_here_and_in_another_process(record, path):
    with pytest.raises(StoreBusy, match="another process"):
        LastSigned(path)
    program = "import sys, pathlib; from pseudoledger.identity.last_signed import LastSigned; LastSigned(pathlib.Path(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert "StoreBusy" in done.stderr
    record.close()
    record.close()
    LastSigned(path).close()


def test_a_record_open_to_others_is_refused(record, path):
    record.close()
    path.chmod(0o644)
    for call in (LastSigned, read_heads):
        with pytest.raises(StoreError, match="open to other users") as caught:
            call(path)
        assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("call", ["pwrite", "_fdatasync", "short"])
def test_after_a_failed_write_nothing_is_signed_until_reopened(record, path, monkeypatch, call):
    put(record, (5, R))

    def fail(*_):
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        if call == "pwrite":
            patch.setattr(os, "pwrite", fail)
        elif call == "short":
            patch.setattr(os, "pwrite", lambda *_: 100)
        else:
            patch.setattr(last_signed, "_fdatasync", fail)
        with pytest.raises(StoreError, match="cannot be read or written"):
            record.record(8, S)
    for again in (lambda: record.record(8, S), lambda: record.record(5, R)):
        with pytest.raises(StoreError, match="closed or failed"):
            again()
    record.close()
    with LastSigned(path) as reopened:
        # The tree was committed before.
        reopened.check(8, S, Head(5, R))
        reopened.record(8, S)


def test_a_closed_record_signs_nothing(record):
    put(record, (5, R))
    record.close()
    with pytest.raises(StoreError, match="closed"):
        record.record(8, S)
    with pytest.raises(StoreError, match="closed"):
        record.record(5, R)


def test_writes_are_synced_before_they_return(record, monkeypatch):
    calls = []
    genuine = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda *args: calls.append("write") or genuine(*args))
    monkeypatch.setattr(last_signed, "_fdatasync", lambda _: calls.append("sync"))
    record.record(1, R)
    record.record(2, S)
    assert calls == ["write", "sync"] * 2
    assert record.takes(7)
    calls.clear()
    carry_one(record, 3, T, b"a block")
    record.take_back(3, T)
    assert calls == ["write", "sync"] * 2
    record.close()
    calls.clear()
    LastSigned(record.path).close()
    assert calls == ["write", "sync"], "what was read may never have been synced"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["record", "carry", "check", "reopen"]),
            st.integers(0, 6),
            st.sampled_from([R, S]),
        ),
        max_size=40,
    )
)
def test_recorded_heads_never_fall_or_fork_whatever_is_called(tmp_path_factory, calls):
    path = tmp_path_factory.mktemp("r") / "k" / "r"
    record = LastSigned.create(path)
    last = None
    try:
        for call, size, root in calls:
            try:
                if call == "reopen":
                    record.close()
                    record = LastSigned(path)
                elif call == "check":
                    record.check(size, root, last)
                elif call == "carry":
                    if record.takes(7):
                        carry_one(record, size, root, b"a block")
                else:
                    record.record(size, root)
            except (StoreError, ConflictError):
                pass
            now = record.read()
            if last is not None:
                assert now is not None
                assert now.size > last.size or now == last
            last = now
            assert read_heads(path)[-1] == record.read()
    finally:
        record.close()
