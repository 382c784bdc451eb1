"""Forged bundles: whatever is changed, dropped, swapped or brought in from elsewhere, nothing is verified."""

import json
from contextlib import closing
from dataclasses import replace
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_ledger import (
    FOUNDER,
    LEDGER,
    NEXT_LEDGER,
    accepted,
    build,
    entries_of,
    founding,
    key_change,
    reopen,
    sign,
)

from pseudoledger.errors import (
    InconsistentCheckpoint,
    InvalidProof,
    InvalidSignature,
    MalformedError,
    PseudoledgerError,
    QuorumNotMet,
)
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger import bundle as form
from pseudoledger.ledger.block import Link, block_bytes, read_block
from pseudoledger.ledger.bundle import BundledDisclosures, BundledEntry, decode_bundle, encode_bundle
from pseudoledger.ledger.bundle_chain import root_before
from pseudoledger.ledger.bundle_proof import verify_bundle
from pseudoledger.ledger.checkpoint import (
    add_signatures,
    cosign,
    cosigner_key,
    log_key,
    parse_checkpoint,
    sign_checkpoint,
)
from pseudoledger.ledger.note import format_note, parse_note
from pseudoledger.ledger.policy import PolicyLog, PolicyWitness, TrustPolicy
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import Frontier, StoredHashes, hash_leaf, inclusion_proof, root
from pseudoledger.market.bundling.choose import make_bundle
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.payload import jcs
from pseudoledger.statement.values import block_time_ms

KEY = NEXT_LEDGER.did
STRANGER, WITNESS = Signer.from_seed(b"\x11" * 32), Signer.from_seed(b"\x12" * 32)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return build(tmp_path_factory.mktemp("bundle") / "it")


@pytest.fixture(scope="module")
def lease(small):
    return small.load.contracts[0].lease


@pytest.fixture(scope="module")
def honest(small, lease):
    with closing(Store.open_reader(small.directory)) as store:
        return make_bundle(store, lease, {}).bundle


@pytest.fixture(scope="module")
def raw(honest):
    return encode_bundle(honest)


def kinds(verified):
    return [item.kind for item in verified.statements]


def redigested(body):
    return body + b"\x58\x20" + sha256(body).digest()


def refused(data, key=KEY):
    try:
        verify_bundle(decode_bundle(data), key=key)
    except PseudoledgerError:
        return True
    return False


def index_of(bundle, kind, nth=0):
    """Place of the nth entry of a kind in a bundle."""
    name = f'"type":"{kind}"'.encode()
    return [place for place, entry in enumerate(bundle.entries) if name in entry.statement][nth]


def with_entries(bundle, entries):
    return replace(bundle, entries=tuple(entries))


def changed(bundle, place, **changes):
    entries = list(bundle.entries)
    entries[place] = replace(entries[place], **changes)
    return with_entries(bundle, entries)


# What holds


def test_an_honest_bundle_holds_and_has_one_encoding(honest, raw, lease):
    assert decode_bundle(raw) == honest
    assert encode_bundle(decode_bundle(raw)) == raw
    verified = verify_bundle(honest, key=KEY)
    assert verified.lease.statement.id == lease
    assert verified.key == KEY
    assert [key for key, _ in verified.retired] == [LEDGER.did]
    assert {"ledger.founded", "ledger.key_changed", "pool.declared", "offer.published"} <= set(
        kinds(verified)
    )
    assert {"lease.signed", "delivery.accepted", "usage.reported", "usage.confirmed"} <= set(kinds(verified))
    assert kinds(verified).count("lease.proposed") == 1, "the other lease is another contract"
    assert verified.missing == ()
    assert verified.checkpoint.cosignatures == ()


def test_times_are_those_of_the_sealing_blocks(small, honest):
    with closing(Store.open_reader(small.directory)) as store:
        for item in verify_bundle(honest, key=KEY).statements:
            block = store.block_of(item.index)
            assert (item.block_height, item.block_index, item.time_ms) == (
                block.height,
                block.index,
                block.time_ms,
            )


def test_the_bundle_of_every_block_end_agrees_with_its_retired_key(small, lease):
    """A checkpoint from before the key change counts under the key that was in force then."""
    with closing(Store.open_reader(small.older[1])) as store:
        bundle = make_bundle(store, lease, {}).bundle
    assert verify_bundle(bundle, key=LEDGER.did).retired == ()
    with pytest.raises(InvalidSignature, match="not under"):
        verify_bundle(bundle, key=KEY)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 200), st.data())
def test_the_root_before_a_leaf_follows_from_its_path(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = [hash_leaf(number.to_bytes(2)) for number in range(size)]
    stored = StoredHashes(Frontier().store(leaves))
    path = inclusion_proof(index, size, stored.read)
    assert root_before(index, size, path) == root(index, stored.read)


def test_a_party_that_changed_its_key_is_shown_with_its_whole_chain(tmp_path):
    small = build(tmp_path / "it", leases=1, rounds=1)
    contract = small.load.contracts[0]
    old = contract.lessor
    with closing(reopen(small)) as registrar:
        ledger, iat = registrar.state.id, small.load.now

        def act(signer, tree):
            raw = sign(signer, tree, sub=old.did, aud=ledger, iat=iat)
            accepted(registrar.register([raw]))
            return envelope.decode(raw).id

        act(old, {"type": "identity.rotated", "number": "R1", "to": STRANGER.did})
        handover = envelope.decode(registrar.store.entry(registrar.store.size - 2).statement).id
        act(STRANGER, {"type": "identity.adopted", "handover": handover})
    with closing(Store.open_reader(small.directory)) as store:
        verified = verify_bundle(make_bundle(store, contract.lease, {}).bundle, key=KEY)
    assert {"identity.rotated", "identity.adopted"} <= set(kinds(verified))
    assert verified.missing == ()


# Bits and bytes


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_every_bit_of_the_file_counts(raw, data):
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    forged = bytearray(raw)
    forged[bit // 8] ^= 1 << bit % 8
    assert refused(bytes(forged))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_bit_counts_where_the_forger_mends_the_digest(honest, raw, data):
    """Pinned files make up most of a bundle: half of the bits are drawn from what stands outside of them."""
    first = raw.index(honest.files[0][:64]) if data.draw(st.booleans()) else len(raw) - 34
    bit = data.draw(st.integers(0, first * 8 - 1))
    forged = bytearray(raw[:-34])
    forged[bit // 8] ^= 1 << bit % 8
    assert refused(redigested(bytes(forged)))


@pytest.mark.parametrize("cut", [1, 33, 34, 35, 1000])
def test_a_cut_file_is_refused(raw, cut):
    with pytest.raises(MalformedError):
        decode_bundle(raw[:-cut])
    with pytest.raises(MalformedError):
        decode_bundle(redigested(raw[:-34][:-cut]))


def test_bytes_after_before_and_between_are_refused(raw):
    for forged in (raw + b"\0", b"\0" + raw, redigested(raw[:-34] + b"\x80"), raw + raw, b"", raw[:10]):
        with pytest.raises(MalformedError):
            decode_bundle(forged)


def test_a_longer_spelling_is_refused(honest):
    """The lease's head 58 20 as 59 0020: the same value to a lax reader."""
    raw = encode_bundle(honest)
    at = raw.index(bytes.fromhex(honest.lease))
    forged = redigested(raw[: at - 2] + b"\x59\x00\x20" + raw[at:-34])
    with pytest.raises(MalformedError, match="shortest"):
        decode_bundle(forged)
    with pytest.raises(MalformedError):
        decode_bundle(redigested(raw[: at - 2] + b"\x5f\x58\x20" + raw[at:-34]))


def test_order_and_repeats_are_refused(honest):
    first, second, *rest = honest.entries
    for entries in ((second, first, *rest), (first, first, second, *rest)):
        with pytest.raises(MalformedError, match="sorted"):
            encode_bundle(with_entries(honest, entries))
    with pytest.raises(MalformedError, match="sorted"):
        encode_bundle(replace(honest, files=honest.files[::-1]))
    with pytest.raises(MalformedError, match="sorted"):
        encode_bundle(replace(honest, files=(honest.files[0], *honest.files)))
    texts = BundledDisclosures(statement=honest.lease, texts=("b", "a"))
    for disclosed in ((texts,), (replace(texts, texts=("a", "a")),), (replace(texts, texts=()),)):
        with pytest.raises(MalformedError):
            encode_bundle(replace(honest, disclosures=disclosed))


def test_what_is_too_much_is_refused_before_it_is_read(honest, raw, monkeypatch):
    with pytest.raises(MalformedError, match="at most"):
        decode_bundle(raw[:30] + b"\0" * form.BUNDLE_BYTES_MAX)
    at = raw.index(honest.checkpoint) + len(honest.checkpoint)
    for head in (b"\x9a\xff\xff\xff\xff", b"\x9b" + b"\x7f" * 8):
        with pytest.raises(MalformedError, match="at most"):
            decode_bundle(redigested(raw[:at] + head + raw[at + 2 : -34]))
    with pytest.raises(MalformedError, match="at most"):
        encode_bundle(replace(honest, files=(b"x" * (form.FILE_BYTES_MAX + 1),)))
    long = BundledDisclosures(statement=honest.lease, texts=("x" * 5_000,))
    with pytest.raises(MalformedError, match="at most"):
        encode_bundle(replace(honest, disclosures=(long,)))
    monkeypatch.setattr(form, "ENTRIES_MAX", 3)
    with pytest.raises(MalformedError, match="at most 3"):
        decode_bundle(raw)


# Entries and proofs


def test_swapped_proofs_and_places_are_refused(honest):
    one, other = honest.entries[4], honest.entries[5]
    forged = changed(changed(honest, 4, path=other.path), 5, path=one.path)
    with pytest.raises(InvalidProof, match=f"entry {one.index}"):
        verify_bundle(forged, key=KEY)
    forged = changed(changed(honest, 4, statement=other.statement), 5, statement=one.statement)
    with pytest.raises(InvalidProof, match=f"entry {one.index}"):
        verify_bundle(forged, key=KEY)
    with pytest.raises(InvalidProof):
        verify_bundle(changed(honest, 4, path=(*one.path, bytes(32))), key=KEY)
    with pytest.raises(InvalidProof):
        verify_bundle(changed(honest, 4, path=one.path[:-1]), key=KEY)


def test_a_statement_signed_again_is_another_one(honest):
    place = index_of(honest, "usage.reported")
    found = envelope.decode(honest.entries[place].statement)
    forged = envelope.sign_bytes(
        STRANGER, found.payload, sub=found.sub, aud=found.aud, iat=found.iat, exp=found.exp
    )
    with pytest.raises(InvalidProof):
        verify_bundle(changed(honest, place, statement=forged), key=KEY)
    signature = honest.entries[place].statement[:-64] + bytes(64)
    with pytest.raises(InvalidSignature, match="entry"):
        verify_bundle(changed(honest, place, statement=signature), key=KEY)


def test_what_has_to_be_there_is(honest):
    """Without the founding, the key change, a sealing block, the block before it, or the last block."""
    changed_at = index_of(honest, "ledger.key_changed")
    signed_at = index_of(honest, "lease.signed")
    for place in (0, 1, changed_at, changed_at + 1, signed_at + 1, len(honest.entries) - 1):
        entries = honest.entries[:place] + honest.entries[place + 1 :]
        assert refused(encode_bundle(with_entries(honest, entries))), place
    reported = index_of(honest, "usage.reported", 2)
    before = max(p for p in range(reported) if b'"block.sealed"' in honest.entries[p].statement)
    entries = honest.entries[:before] + honest.entries[before + 1 :]
    assert refused(encode_bundle(with_entries(honest, entries)))


def test_a_statement_left_out_is_named_where_another_refers_to_it(honest):
    place = index_of(honest, "usage.reported")
    gone = envelope.decode(honest.entries[place].statement).id
    verified = verify_bundle(
        with_entries(honest, honest.entries[:place] + honest.entries[place + 1 :]), key=KEY
    )
    assert [item.statement for item in verified.missing] == [gone]


def test_the_lease_has_to_be_there_and_to_be_one(honest):
    with pytest.raises(MalformedError, match="does not hold the proposal"):
        verify_bundle(replace(honest, lease="00" * 32), key=KEY)
    other = envelope.decode(honest.entries[index_of(honest, "lease.signed")].statement).id
    with pytest.raises(MalformedError, match="does not hold the proposal"):
        verify_bundle(replace(honest, lease=other), key=KEY)


def test_a_bundle_goes_on_to_the_end_of_the_checkpoints_tree(honest):
    """Cut off behind an earlier block, so that a later change of keys would not show."""
    change = index_of(honest, "ledger.key_changed")
    blocks = [p for p, entry in enumerate(honest.entries) if b'"block.sealed"' in entry.statement]
    for end in (place for place in blocks[:-1] if place > change):
        with pytest.raises(InconsistentCheckpoint, match="ends a tree of"):
            verify_bundle(with_entries(honest, honest.entries[: end + 1]), key=KEY)


def test_a_file_that_nobody_names_is_refused(honest):
    files = tuple(sorted((*honest.files, b"mine"), key=lambda file: sha256(file).digest()))
    with pytest.raises(InvalidProof, match="names the file"):
        verify_bundle(replace(honest, files=files), key=KEY)


def test_a_disclosure_of_nothing_is_refused(honest):
    for statement in ("00" * 32, honest.lease):
        forged = replace(honest, disclosures=(BundledDisclosures(statement=statement, texts=("WyJ4Il0",)),))
        with pytest.raises(InvalidProof):
            verify_bundle(forged, key=KEY)


# Keys and checkpoints


def test_another_key_is_refused_and_a_retired_one_explained(honest):
    with pytest.raises(InvalidSignature, match="counts for trees up to"):
        verify_bundle(honest, key=LEDGER.did)
    with pytest.raises(InvalidSignature, match="not under"):
        verify_bundle(honest, key=STRANGER.did)
    assert verify_bundle(honest, key=None).key == KEY


@pytest.mark.parametrize("signer", [LEDGER, FOUNDER, STRANGER], ids=["retired", "founder", "stranger"])
def test_a_checkpoint_signed_by_another_key_is_refused(honest, signer):
    said = parse_note(honest.checkpoint)
    origin, size = said.text.decode().split("\n")[:2]
    forged = sign_checkpoint(signer, origin, int(size), parse_checkpoint(said.text).root)
    for key in (None, KEY, signer.did):
        with pytest.raises(InvalidSignature):
            verify_bundle(replace(honest, checkpoint=format_note(forged)), key=key)


def test_an_older_checkpoint_does_not_do(small, honest):
    for older in small.kept[:-1]:
        with pytest.raises(PseudoledgerError):
            verify_bundle(replace(honest, checkpoint=older), key=KEY)


def witnessed(bundle, signer, name="w.example/1", time=1_800_000_000):
    note = parse_note(bundle.checkpoint)
    line = cosign(signer, name, note, time)
    return replace(bundle, checkpoint=format_note(add_signatures(note, [line])))


def policy_of(*logs, quorum="w"):
    return TrustPolicy(
        logs=tuple(PolicyLog(key=key) for key in logs),
        witnesses=(PolicyWitness(name="w", key=cosigner_key("w.example/1", WITNESS.public_key)),),
        quorum=quorum,
    )


def test_a_policy_asks_for_its_log_and_its_quorum(honest):
    origin = verify_bundle(honest, key=KEY).origin
    own, retired = log_key(origin, NEXT_LEDGER.public_key), log_key(origin, LEDGER.public_key)
    with pytest.raises(QuorumNotMet):
        verify_bundle(honest, key=KEY, policy=policy_of(own))
    good = witnessed(honest, WITNESS)
    (line,) = verify_bundle(good, key=None, policy=policy_of(own)).checkpoint.cosignatures
    assert (line.key.name, line.time) == ("w.example/1", 1_800_000_000)
    assert verify_bundle(good, key=KEY, policy=policy_of()).checkpoint.cosignatures
    with pytest.raises(InvalidSignature, match="does not know"):
        verify_bundle(good, key=None, policy=policy_of(retired))
    with pytest.raises((InvalidSignature, QuorumNotMet)):
        verify_bundle(witnessed(honest, STRANGER), key=KEY, policy=policy_of(own))
    said = parse_note(honest.checkpoint)
    size = parse_checkpoint(said.text).size
    late = sign_checkpoint(LEDGER, origin, size, parse_checkpoint(said.text).root)
    stolen = replace(honest, checkpoint=format_note(late))
    with pytest.raises(InvalidSignature, match="ledger key in force"):
        verify_bundle(stolen, key=KEY, policy=policy_of(retired, quorum="none"))
    forged = bytearray(good.checkpoint)
    forged[-8] ^= 1
    with pytest.raises(PseudoledgerError):
        verify_bundle(replace(good, checkpoint=bytes(forged)), key=KEY, policy=policy_of(own))


# Ledgers of a forger: the chain is good but for one thing, and everything is signed


def batches_of(directory):
    """The statements of a ledger but its blocks, as they were sealed."""
    found, batch = [], []
    for statement in entries_of(directory):
        if b'"block.sealed"' in statement:
            found.append(batch)
            batch = []
        else:
            batch.append(statement)
    return found


def forge(batches, lease, *, keys, tweak=None, end=None):
    """Seal batches anew, each by a key, and bundle all; `tweak` changes blocks' payloads or times by height."""
    first = envelope.decode(batches[0][0])
    origin = first.sub
    link = Link(
        ledger_id=first.id, origin=origin, ledger_key="", height=0, previous=first.id, time_ms=0, size=0
    )
    frontier, raws = Frontier(), []
    for number, batch in enumerate(batches):
        frontier.extend(hash_leaf(item) for item in batch)
        raws += batch
        time_ms = (first.iat + number) * 1000
        block = read_block(block_bytes(link, time_ms=time_ms, size=len(raws), root=frontier.root()))
        changes = dict((tweak or {}).get(block.height, {}))
        iat = changes.pop("iat", None)
        block = block.model_copy(update=changes)
        iat = block_time_ms(block.time) // 1000 if iat is None else iat
        raw = envelope.sign(keys(number), block, sub=origin, aud=first.id, iat=iat)
        frontier.append(hash_leaf(raw))
        raws.append(raw)
        link = msgspec.structs.replace(
            link, height=block.height, previous=envelope.decode(raw).id, time_ms=time_ms, size=len(raws)
        )
    raws += end or []
    leaves = [hash_leaf(item) for item in raws]
    stored = StoredHashes(Frontier().store(leaves))
    note = sign_checkpoint(keys(len(batches) - 1), origin, len(raws), root(len(raws), stored.read))
    entries = tuple(
        BundledEntry(index=index, statement=item, path=inclusion_proof(index, len(raws), stored.read))
        for index, item in enumerate(raws)
    )
    return form.ContractBundle(lease=lease, checkpoint=format_note(note), entries=entries)


@pytest.fixture(scope="module")
def batches(small):
    return batches_of(small.directory)


@pytest.fixture(scope="module")
def changes_at(batches):
    """Which batch changes the ledger key."""
    return next(n for n, batch in enumerate(batches) if any(b"ledger.key_changed" in item for item in batch))


@pytest.fixture(scope="module")
def keys(changes_at):
    return lambda number: NEXT_LEDGER if number >= changes_at else LEDGER


def test_the_forger_can_seal_anew_what_is_good(batches, lease, keys):
    """So what the next tests see refused is refused for the one thing that is wrong."""
    verified = verify_bundle(forge(batches, lease, keys=keys), key=KEY)
    assert verified.lease.statement.id == lease


@pytest.mark.parametrize(
    ("tweak", "says"),
    [
        ({"size": 1}, "has size"),
        ({"root": "00" * 32}, "root"),
        ({"previous": "00" * 32}, "cites another block"),
        ({"time": "2020-01-01T00:00:00.000Z"}, "time before that of an earlier"),
        ({"iat": 1_700_000_000}, "iat"),
        ({"height": 9}, "too near"),
        ({"height": 2}, "height"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_block_that_does_not_fit_is_refused(batches, lease, keys, tweak, says):
    with pytest.raises(InconsistentCheckpoint, match=says):
        verify_bundle(forge(batches, lease, keys=keys, tweak={3: tweak}), key=KEY)


def test_a_retired_key_seals_nothing_more(batches, lease, changes_at):
    late = forge(batches, lease, keys=lambda n: LEDGER if n <= changes_at else NEXT_LEDGER)
    early = forge(batches, lease, keys=lambda n: NEXT_LEDGER if n >= changes_at - 1 else LEDGER)
    for forged in (late, early):
        with pytest.raises(InvalidSignature, match="not by the ledger key"):
            verify_bundle(forged, key=KEY)
    for key in (KEY, LEDGER.did, None):
        with pytest.raises(InvalidSignature):
            verify_bundle(forge(batches, lease, keys=lambda _: LEDGER), key=key)


def with_change(batches, number, tree, signer, *, sub=None):
    first = envelope.decode(batches[0][0])
    raw = sign(signer, tree, sub=sub or first.sub, aud=first.id, iat=first.iat)
    return [*batches[:number], [*batches[number], raw], *batches[number + 1 :]]


def test_only_the_founder_changes_keys_and_each_change_is_counted(batches, lease, keys, changes_at):
    hand_over = {"type": "ledger.key_changed", "number": 2, "ledger_key": STRANGER.did}
    after = changes_at + 1

    def taken(number):
        return STRANGER if number >= after else keys(number)

    assert verify_bundle(
        forge(with_change(batches, after, hand_over, FOUNDER), lease, keys=taken), key=STRANGER.did
    )
    for signer in (STRANGER, LEDGER, NEXT_LEDGER):
        with pytest.raises(InvalidSignature, match="founder"):
            verify_bundle(forge(with_change(batches, after, hand_over, signer), lease, keys=taken), key=None)
    skipped = forge(with_change(batches, after, hand_over | {"number": 3}, FOUNDER), lease, keys=taken)
    with pytest.raises(InconsistentCheckpoint, match="change 2 is not in the bundle"):
        verify_bundle(skipped, key=None)
    elsewhere = with_change(batches, after, hand_over, FOUNDER, sub="other.example")
    with pytest.raises(InconsistentCheckpoint, match="sub"):
        verify_bundle(forge(elsewhere, lease, keys=taken), key=None)


def test_statements_of_another_ledger_are_refused(batches, lease, keys):
    other = founding(origin="other.example/one")
    with pytest.raises(InvalidProof, match="is for ledger"):
        verify_bundle(forge([*batches[:3], [other], *batches[3:]], lease, keys=lambda _: LEDGER), key=None)
    swapped = [[other], *batches[1:]]
    with pytest.raises(InvalidProof, match="is for ledger"):
        verify_bundle(forge(swapped, lease, keys=keys), key=None)


def test_the_first_block_seals_the_founding_alone(batches, lease, keys):
    joined = [[*batches[0], *batches[1]], *batches[2:]]
    with pytest.raises(InconsistentCheckpoint, match="entry 1"):
        verify_bundle(forge(joined, lease, keys=lambda n: keys(n + 1)), key=KEY)


def test_a_field_with_two_values_is_refused(batches, lease, keys):
    """An issuer may have sealed two values under one name; a bundle that opens both shows neither."""
    first = envelope.decode(batches[0][0])
    found = next(item for batch in batches for item in batch if envelope.decode(item).id == lease)
    tree = json.loads(envelope.decode(found).payload)
    binding = sealed._binding(first.id, STRANGER.did, "lease.proposed", "/terms/workload")
    texts = [
        sealed._b64(jcs([sealed._b64(bytes([number]) * 16 + binding), "workload", f"v{number}"]))
        for number in (1, 2)
    ]
    own = list(map(sealed.disclosure_digest, texts))
    tree["terms"]["_sd"] = sorted([*own, *tree["terms"]["_sd"][len(own) :]])
    raw = envelope.sign_bytes(STRANGER, jcs(tree), sub=STRANGER.did, aud=first.id, iat=first.iat)
    bundle = forge([*batches, [raw]], envelope.decode(raw).id, keys=keys)
    for opened in ((texts[0],), (texts[1],), tuple(sorted(texts))):
        disclosed = BundledDisclosures(statement=bundle.lease, texts=opened)
        forged = replace(bundle, disclosures=(disclosed,))
        if len(opened) == 1:
            assert verify_bundle(forged, key=KEY).lease.opened[0].value in {"v1", "v2"}
        else:
            with pytest.raises(InvalidProof, match="two values"):
                verify_bundle(forged, key=KEY)


def test_a_statement_that_stands_twice_is_refused(batches, lease, keys):
    with pytest.raises(InvalidProof, match="already"):
        verify_bundle(forge([*batches, [batches[2][0]]], lease, keys=keys), key=KEY)


def test_a_tree_that_does_not_end_in_a_block_is_refused(batches, lease, keys):
    first = envelope.decode(batches[0][0])
    end = key_change_of(first)
    with pytest.raises(InconsistentCheckpoint, match="no block that seals"):
        verify_bundle(forge(batches, lease, keys=keys, end=[end]), key=KEY)


def key_change_of(first):
    class State:
        origin, id = first.sub, first.id

    return key_change(State, number=2, key=STRANGER, iat=first.iat)


def test_another_tree_under_the_same_key_holds_only_under_its_own_checkpoint(batches, honest, lease, keys):
    """Two histories of one ledger: each bundle holds by itself, neither with the other's checkpoint."""
    forged = forge(batches, lease, keys=keys)
    assert verify_bundle(forged, key=KEY)
    with pytest.raises(PseudoledgerError):
        verify_bundle(replace(honest, checkpoint=forged.checkpoint), key=KEY)
    with pytest.raises(PseudoledgerError):
        verify_bundle(replace(forged, checkpoint=honest.checkpoint), key=KEY)
