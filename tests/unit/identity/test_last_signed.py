import errno
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.errors import ConflictError, StoreBusy, StoreCorrupt, StoreError
from pseudoledger.identity import last_signed
from pseudoledger.identity.last_signed import Head, LastSigned, SigningState, read_state

R, S, T = (bytes([number]) * 32 for number in (1, 2, 3))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "keys" / "ledger.last-signed"


@pytest.fixture
def record(path):
    with LastSigned.create(path) as opened:
        yield opened


def state(released=None, pending=None):
    return SigningState(released=released and Head(*released), pending=pending and Head(*pending))


def put(record, released=None, pending=None):
    """Bring a new record into a state by the protocol."""
    if released:
        record.intend(*released)
        record.release(*released)
    if pending:
        record.intend(*pending)
    assert record.read() == state(released, pending)


def test_a_new_record_holds_nothing_and_is_private(record, path):
    assert record.read() == state()
    assert path.stat().st_size == 1024
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_protocol_moves_a_head_from_pending_to_released(record, path):
    record.intend(2, R)
    assert record.read() == read_state(path) == state(None, (2, R))
    record.release(2, R)
    assert record.read() == read_state(path) == state((2, R))
    record.intend(5, S)
    assert read_state(path) == state((2, R), (5, S))
    record.release(5, S)
    record.close()
    with LastSigned(path) as again:
        assert again.read() == state((5, S))


# released, pending, tree at the start, state after check or None where it must refuse
TRANSITIONS = [
    (None, None, (0, R), (None, None)),
    (None, None, (9, R), (None, None)),
    (None, (2, R), (2, R), ((2, R), None)),
    (None, (2, R), (1, R), (None, None)),
    (None, (2, R), (2, S), (None, None)),
    ((5, R), None, (5, R), ((5, R), None)),
    ((5, R), None, (5, S), None),
    ((5, R), None, (4, R), None),
    ((5, R), None, (0, R), None),
    ((5, R), None, (6, R), None),
    ((5, R), (8, S), (5, R), ((5, R), None)),
    ((5, R), (8, S), (8, S), ((8, S), None)),
    ((5, R), (8, S), (8, R), None),
    ((5, R), (8, S), (5, S), None),
    ((5, R), (8, S), (6, S), None),
    ((5, R), (8, S), (9, S), None),
    ((5, R), (8, S), (4, R), None),
]


@pytest.mark.parametrize(("released", "pending", "tree", "after"), TRANSITIONS)
def test_check_at_the_start(path, released, pending, tree, after):
    with LastSigned.create(path) as record:
        put(record, released, pending)
    with LastSigned(path) as record:
        if after is None:
            with pytest.raises(ConflictError) as caught:
                record.check(*tree)
            assert caught.value.known in (5, 8)
            assert caught.value.hint
            after = (released, pending)
        else:
            record.check(*tree)
        assert record.read() == read_state(path) == state(*after)


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
def test_no_intent_falls_or_forks(record, path, head):
    put(record, (5, R))
    before = path.read_bytes()
    with pytest.raises(ConflictError):
        record.intend(*head)
    assert path.read_bytes() == before


def test_the_released_head_may_be_signed_again_without_a_write(record, path):
    put(record, (5, R))
    before = path.read_bytes()
    record.intend(5, R)
    record.release(5, R)
    assert path.read_bytes() == before


def test_a_pending_head_must_be_settled_before_another(record):
    put(record, (5, R), (8, S))
    record.intend(8, S)
    with pytest.raises(StoreError, match="neither released nor dropped"):
        record.intend(9, S)
    record.check(5, R)
    record.intend(9, S)
    record.release(9, S)


@pytest.mark.parametrize("head", [(9, S), (8, R), (7, S)])
def test_only_an_intended_head_is_released(record, head):
    put(record, (5, R), (8, S))
    with pytest.raises(StoreError, match="never intended"):
        record.release(*head)
    assert record.read() == state((5, R), (8, S))


@pytest.mark.parametrize(
    ("released", "pending", "tree", "taken"),
    [
        (None, None, (9, T), True),
        ((5, R), None, (9, T), True),
        ((5, R), None, (5, R), True),
        ((5, R), None, (5, T), False),
        ((5, R), None, (4, T), False),
        ((5, R), (8, S), (8, S), True),
        ((5, R), (8, S), (9, T), True),
        ((5, R), (8, S), (8, T), False),
        ((5, R), (8, S), (6, T), False),
    ],
)
def test_adopting_a_tree_only_ever_grows(record, released, pending, tree, taken):
    put(record, released, pending)
    if taken:
        record.adopt(*tree)
        assert record.read() == state(tree)
    else:
        with pytest.raises(ConflictError):
            record.adopt(*tree)


@pytest.mark.parametrize(("size", "root"), [(-1, R), (2**63, R), (1, R[:-1]), (1, R + b"\0"), (1, b"")])
def test_impossible_heads_are_plain_bugs(record, size, root):
    with pytest.raises(ValueError, match="a head has"):
        record.intend(size, root)


def test_the_largest_size_fits(record, path):
    put(record, (2**63 - 1, R))
    assert read_state(path) == state((2**63 - 1, R))


# Crashes and torn writes.


def test_a_crash_at_every_point_of_the_protocol(path):
    """The tree moves at the commit; wherever the crash falls, the next start goes on and signs no fork."""
    with LastSigned.create(path) as record:
        put(record, (2, R))
    size = 2
    for point in ("before", "intended", "signed", "committed", "released"):
        new = size + 1
        tree = (size, bytes([size]) * 32 if size != 2 else R)
        head = (new, bytes([new]) * 32)
        with LastSigned(path) as record:
            record.check(*tree)
            if point != "before":
                record.intend(*head)
            if point in ("committed", "released"):
                tree = head
            if point == "released":
                record.release(*head)
        with LastSigned(path) as record:
            record.check(*tree)
            assert record.read() == state(tree)
        size = tree[0]
    assert size == 4


def step(record, name):
    {
        "intend": lambda: record.intend(8, S),
        "release": lambda: record.release(8, S),
        "drop": lambda: record.check(5, R),
        "adopt": lambda: record.adopt(9, T),
    }[name]()


@pytest.mark.parametrize("name", ["intend", "release", "drop", "adopt"])
def test_a_torn_write_at_every_byte_leaves_the_state_before_or_after(tmp_path, name):
    path = tmp_path / "k" / "r"
    with LastSigned.create(path) as record:
        put(record, (5, R), None if name == "intend" else (8, S))
        before, old = record.read(), path.read_bytes()
        step(record, name)
        after, new = record.read(), path.read_bytes()
    assert before != after
    changed = [start for start in (0, 512) if old[start : start + 512] != new[start : start + 512]]
    assert len(changed) == 1
    start = changed[0]
    for cut in range(513):
        path.write_bytes(old[:start] + new[start : start + cut] + old[start + cut :])
        found = read_state(path)
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
        put(record, (5, R), (8, S))
        whole = path.read_bytes()
    path.write_bytes(garbage + whole[512:] if slot == 0 else whole[:512] + garbage)
    assert read_state(path) in (state((5, R), (8, S)), state((5, R)))


def test_every_flipped_bit_of_a_slot_is_noticed(record, path):
    put(record, (5, R), (8, S))
    whole = path.read_bytes()
    for place in range(512):
        for bit in range(8):
            slot = bytearray(whole[512:])
            slot[place] ^= 1 << bit
            assert last_signed._decode(bytes(slot)) is None


@pytest.mark.parametrize("content", [b"", bytes(1024), b"x" * 1024, bytes(512), bytes(2000)])
def test_a_record_without_a_whole_slot_is_refused(record, path, content):
    record.close()
    path.write_bytes(content)
    for call in (LastSigned, read_state):
        with pytest.raises(StoreCorrupt, match="unknown what this key has signed"):
            call(path)


def test_a_record_with_more_than_its_slots_or_swapped_slots_is_refused(record, path):
    put(record, (5, R))
    whole = path.read_bytes()
    for content in (whole + b"\0", whole[:-1], whole[512:] + whole[:512]):
        path.write_bytes(content)
        with pytest.raises(StoreCorrupt):
            read_state(path)


def test_slots_with_impossible_heads_are_not_whole(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(last_signed, "SIZE_END", 2**64)
        slot = last_signed._encode(0, state((2**63, R)))
    assert last_signed._decode(slot) is None
    assert last_signed._decode(slot[:-1]) is None


# Files.


def test_a_missing_record_is_not_begun_by_itself(path):
    for call in (LastSigned, read_state):
        with pytest.raises(StoreError, match="no record of what this key has signed") as caught:
            call(path)
        assert "adopt" in caught.value.hint


def test_a_record_is_never_begun_anew(record, path):
    put(record, (5, R))
    with pytest.raises(StoreError, match="never begun anew"):
        LastSigned.create(path)
    assert record.read() == state((5, R))


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
    for call in (LastSigned, read_state):
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
            record.intend(8, S)
    for again in (lambda: record.intend(8, S), lambda: record.intend(5, R), lambda: record.release(5, R)):
        with pytest.raises(StoreError, match="closed or failed"):
            again()
    record.close()
    with LastSigned(path) as reopened:
        reopened.check(5, R)
        reopened.intend(8, S)
        reopened.release(8, S)


def test_a_closed_record_signs_nothing(record):
    put(record, (5, R))
    record.close()
    with pytest.raises(StoreError, match="closed"):
        record.intend(8, S)
    with pytest.raises(StoreError, match="closed"):
        record.intend(5, R)


def test_writes_are_synced_before_they_return(record, monkeypatch):
    calls = []
    genuine = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda *args: calls.append("write") or genuine(*args))
    monkeypatch.setattr(last_signed, "_fdatasync", lambda _: calls.append("sync"))
    record.intend(1, R)
    record.release(1, R)
    assert calls == ["write", "sync"] * 2


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["intend", "release", "check", "reopen"]),
            st.integers(0, 6),
            st.sampled_from([R, S]),
        ),
        max_size=40,
    )
)
def test_released_heads_never_fall_or_fork_whatever_is_called(tmp_path_factory, calls):
    path = tmp_path_factory.mktemp("r") / "k" / "r"
    record = LastSigned.create(path)
    released = None
    try:
        for call, size, root in calls:
            try:
                if call == "reopen":
                    record.close()
                    record = LastSigned(path)
                else:
                    getattr(record, call)(size, root)
            except (StoreError, ConflictError):
                pass
            now = record.read().released
            if released is not None:
                assert now is not None
                assert now.size > released.size or now == released
            released = now
            assert read_state(path) == record.read()
    finally:
        record.close()
