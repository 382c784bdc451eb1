"""What the registrar answers to replays, copies, forgeries and statements that nobody may send."""

import os
from hashlib import sha256, sha512

import pytest
from nacl.bindings import (
    crypto_core_ed25519_scalar_add,
    crypto_core_ed25519_scalar_mul,
    crypto_core_ed25519_scalar_reduce,
    crypto_scalarmult_ed25519_base_noclamp,
)

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.bench.workload import START, Load, _signer, ledger_signer
from pseudoledger.identity import keys
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.ledger import transparent
from pseudoledger.ledger.receipt import verify_receipt
from pseudoledger.registrar import Refused, Registered, Registrar, intake
from pseudoledger.registrar.sealing import published_size
from pseudoledger.statement import envelope
from pseudoledger.statement.payload import draft

SEED = sha256(b"a party of these tests").digest()
PARTY = Signer.from_seed(SEED)


@pytest.fixture
def load(tmp_path):
    load = Load(tmp_path / "it", leases=1)
    yield load
    load.registrar.close()


def pool(load, number="P-9", *, aud=None, iat=None, exp=None, sub=None, sealed=None):
    line = {"id": "c", "resource": "cpu_core", "count": 1}
    seal = sha256((sealed or number).encode()).hexdigest()[:43]
    tree = {"type": "pool.declared", "v": 1, "number": number, "lines": [line], "_sd": [seal]}
    payload = draft({**tree, "_sd_alg": "sha-256"})
    return envelope.sign(
        PARTY,
        payload,
        sub=sub or PARTY.did,
        aud=load.registrar.state.id if aud is None else aud,
        iat=load.now if iat is None else iat,
        exp=exp,
    )


def other_signature(raw):
    """Sign the same bytes with another nonce, as only the key's owner can, by RFC 8032 §5.1.6 with random r."""
    found = envelope.decode(raw)
    secret = bytearray(sha512(SEED).digest()[:32])
    secret[0] &= 248
    secret[31] = secret[31] & 127 | 64
    a = crypto_core_ed25519_scalar_reduce(bytes(secret) + bytes(32))
    r = crypto_core_ed25519_scalar_reduce(os.urandom(64))
    point = crypto_scalarmult_ed25519_base_noclamp(r)
    k = crypto_core_ed25519_scalar_reduce(sha512(point + PARTY.public_key + found.signed_bytes).digest())
    signature = point + crypto_core_ed25519_scalar_add(r, crypto_core_ed25519_scalar_mul(k, a))
    assert raw.endswith(found.signature)
    return raw[:-64] + signature


def reopened(load):
    record = LastSigned(load.directory / "keys" / "ledger.last-signed")
    return Registrar.open(
        load.directory / "ledger", signer=ledger_signer(), last_signed=record, clock=lambda: load.now * 1000
    )


def codes(answer):
    assert isinstance(answer, Refused), answer
    return [finding.code for finding in answer.findings]


def test_the_same_bytes_again_get_the_same_answer_and_receipt(load):
    raw = pool(load)
    (first,) = load.registrar.register([raw])
    receipt = load.registrar.receipt(first.index)
    size = load.registrar.store.size
    for again in ([raw], [raw, raw]):
        for answer in load.registrar.register(again):
            assert answer == Registered(id=first.id, index=first.index, known=True)
    assert load.registrar.store.size == size
    assert load.registrar.receipt(first.index) == receipt
    verify_receipt(receipt, raw, load.registrar.state.ledger_key, load.registrar.state.origin)


def test_a_second_valid_signature_is_a_conflict_that_names_the_stored_entry(load):
    raw = pool(load)
    second = other_signature(raw)
    found = envelope.decode(second)
    keys.verify(found.iss, found.signed_bytes, found.signature)
    assert second != raw
    first, in_one_batch = load.registrar.register([raw, second])
    (later,) = load.registrar.register([second])
    for answer in (in_one_batch, later):
        assert codes(answer) == ["statement.other_signature"]
        assert (answer.id, answer.stored) == (first.id, first.index)


def test_a_second_valid_signature_put_in_place_of_the_first_is_noticed(load):
    raw = pool(load)
    (answer,) = load.registrar.register([raw])
    load.registrar.store._db.execute(
        "UPDATE entries SET statement = ? WHERE idx = ?", (other_signature(raw), answer.index)
    )
    report = verify(load.directory / "ledger")
    assert (report.verdict, report.first.entry) == (Verdict.BROKEN, answer.index)


def test_a_statement_of_another_ledger_is_refused(load):
    (answer,) = load.registrar.register([pool(load, aud="00" * 32)])
    assert codes(answer) == ["statement.aud"]


@pytest.mark.parametrize(
    ("times", "code"),
    [
        ({"exp": 0}, "statement.expired"),
        ({"exp": -1}, "statement.expired"),
        ({"iat": 301}, "statement.future"),
        ({"iat": -366 * 86_400 - 1}, "statement.too_old"),
    ],
)
def test_a_statement_out_of_its_time_is_refused(load, times, code):
    (answer,) = load.registrar.register(
        [pool(load, **{name: load.now + shift for name, shift in times.items()})]
    )
    assert codes(answer) == [code]


@pytest.mark.parametrize("times", [{"exp": 1}, {"iat": 300}, {"iat": -366 * 86_400}])
def test_the_last_moment_still_counts(load, times):
    (answer,) = load.registrar.register(
        [pool(load, **{name: load.now + shift for name, shift in times.items()})]
    )
    assert isinstance(answer, Registered)


def test_a_wrong_signature_is_refused_before_the_payload_is_read(load):
    raw = bytearray(pool(load))
    raw[-1] ^= 1
    (answer,) = load.registrar.register([bytes(raw)])
    assert codes(answer) == ["statement.signature"]


def test_receipts_that_come_along_are_left_behind(load):
    raw = pool(load)
    (first,) = load.registrar.register([raw])
    carried = transparent.attach(raw, [load.registrar.receipt(first.index)])
    assert load.registrar.register([carried]) == [Registered(id=first.id, index=first.index, known=True)]


@pytest.mark.parametrize("raw", [b"", b"\xd2", b"\x00" * 70_000, b"\xd2\x84\x40\xa0\x40\x40"])
def test_bytes_that_are_no_statement_are_refused(load, raw):
    (answer,) = load.registrar.register([raw])
    assert isinstance(answer, Refused)
    assert answer.id is None


def test_the_ledgers_own_statements_are_never_taken_from_the_network(load):
    state = load.registrar.state
    tree = {"type": "ledger.policy_registered", "v": 1, "name": "x", "sha256": "00" * 32,
            "media_type": "text/plain", "bytes": 0}  # fmt: skip
    raw = envelope.sign(_signer("founder"), draft(tree), sub=state.origin, aud=state.id, iat=load.now)
    (sent,) = load.registrar.register([raw])
    assert codes(sent) == ["statement.not_from_network"]
    block = {"type": "block.sealed", "v": 1, "height": state.height + 1, "previous": state.last_block,
             "time": "2026-11-01T00:00:00.000Z", "size": state.size, "root": "00" * 32}  # fmt: skip
    forged = envelope.sign(_signer("ledger"), draft(block), sub=state.origin, aud=state.id, iat=load.now)
    for answer in (*load.registrar.register([forged]), *load.registrar.govern([forged])):
        assert codes(answer) == ["statement.not_from_network"]
    (governed,) = load.registrar.govern([raw])
    assert isinstance(governed, Registered)


def test_a_dry_run_writes_nothing_and_says_the_same(load):
    statements = [pool(load), pool(load, "P-10", aud="00" * 32), pool(load)]
    before = load.registrar.store._db.execute("PRAGMA data_version").fetchone(), load.registrar.store.size
    rehearsed = load.registrar.register(statements, dry_run=True)
    assert (
        load.registrar.store._db.execute("PRAGMA data_version").fetchone(),
        load.registrar.store.size,
    ) == before
    assert load.registrar.register(statements) == rehearsed


def test_an_empty_call_and_one_of_refusals_make_no_block(load):
    height = load.registrar.state.height
    assert load.registrar.register([]) == []
    load.registrar.register([pool(load, aud="00" * 32)])
    assert load.registrar.state.height == height


def test_one_batch_has_one_time_and_one_block(load):
    load.now = START + 301 * 86_400
    answers = load.registrar.register([pool(load, f"P-{number}") for number in range(20, 60)])
    blocks = {load.registrar.store.block_of(answer.index) for answer in answers}
    assert len(blocks) == 1
    assert blocks.pop().time_ms == load.now * 1000


def test_what_a_crash_left_unpublished_is_published_after_it(tmp_path):
    """The last blocks before a kill may stand in no checkpoint: whoever opens the ledger publishes them."""
    load = Load(tmp_path, leases=1)
    load.registrar.register(load.statements(2))
    load.registrar.register(load.statements(2))
    store = load.registrar.store
    assert published_size(store) < store.size, "two blocks within a second"
    load.registrar._sealer._unpublished = False  # as after a kill: closing publishes nothing
    load.registrar.close()
    with reopened(load) as registrar:
        registrar.publish()
        assert published_size(registrar.store) == registrar.store.size


def test_a_seal_is_taken_once_whether_the_other_stands_in_the_batch_in_the_book_or_on_disk(load):
    first, again, other = pool(load, "P-1"), pool(load, "P-2", sealed="P-1"), pool(load, "P-3")
    registered, copied, _ = load.registrar.register([first, again, other])
    assert isinstance(registered, Registered)
    assert codes(copied) == ["sealed.digest_reused"]

    later = [pool(load, "P-4", sealed="P-1"), pool(load, "P-5")]
    copied, new = load.registrar.register(later)
    assert codes(copied) == ["sealed.digest_reused"]
    assert isinstance(new, Registered)

    batch = [later[0], pool(load, "P-6", sealed="P-5"), pool(load, "P-7")]
    load.registrar.close()
    with reopened(load) as registrar:
        copied, refused, _ = registrar.register(batch)
    assert codes(copied) == codes(refused) == ["sealed.digest_reused"]


def ordinals(answers):
    return [(answer.id, answer.index, answer.known) for answer in answers if isinstance(answer, Registered)]


@pytest.fixture
def beside(monkeypatch):
    """Let the second process take part from the first statement on."""
    monkeypatch.setattr(intake, "WARM_AFTER", 0)
    monkeypatch.setattr(intake, "cores", lambda: 2)


@pytest.mark.usefixtures("beside")
def test_batch_after_batch_gets_the_answers_of_one_batch_at_a_time(load):
    # 300 statements are enough for the second process to be asked.
    batches = [[pool(load, f"P-{batch}-{n}") for n in range(300)] for batch in range(3)]
    batches += [[], [batches[0][7], b"nothing"]]
    size, height = load.registrar.store.size, load.registrar.state.height
    *full, none, last = load.registrar.register_all(batches)
    assert [index for answers in full for _, index, _ in ordinals(answers)] == [
        size + batch * 301 + n for batch in range(3) for n in range(300)
    ]
    assert none == []
    assert ordinals(last) == [(envelope.decode(batches[0][7]).id, size + 7, True)]
    assert isinstance(last[1], Refused)
    assert load.registrar.state.height == height + 3, "a block for every batch that brought something"
    assert [load.registrar.register(batch) for batch in batches[:3]] == [
        [Registered(id=id_, index=index, known=True) for id_, index, _ in ordinals(answers)]
        for answers in full
    ]


@pytest.mark.usefixtures("beside")
def test_a_source_that_fails_leaves_its_last_batch_unregistered(load):
    first, second = ([pool(load, f"{name}-{n}") for n in range(300)] for name in ("A", "B"))

    def source():
        yield first
        yield second
        raise OSError("the source failed")

    answers = load.registrar.register_all(source())
    assert len(ordinals(next(answers))) == 300
    with pytest.raises(OSError, match="source failed"):
        next(answers)
    assert [known for _, _, known in ordinals(load.registrar.register([*first, *second]))] == [True] * 300 + [
        False
    ] * 300


@pytest.mark.usefixtures("beside")
def test_what_was_begun_and_let_go_is_not_registered(load):
    first, second = ([pool(load, f"{name}-{n}") for n in range(300)] for name in ("A", "B"))
    answers = load.registrar.register_all([first, second])
    next(answers)
    answers.close()
    third = [pool(load, f"C-{n}") for n in range(300)]
    assert len(ordinals(load.registrar.register(third))) == 300
    assert not load.registrar.store.known([envelope.decode(raw).id for raw in second])
