import copy
import multiprocessing
import os
import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor

import base58
import pytest
from cryptography.exceptions import InvalidSignature as PycaInvalid
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st
from nacl.exceptions import BadSignatureError, UnavailableError

from pseudoledger.errors import InvalidSignature, MalformedError, VerificationError
from pseudoledger.identity import keys
from pseudoledger.identity.keys import (
    Signed,
    Signer,
    did_from_key,
    key_from_did,
    verify,
    verify_chunk,
    verify_many,
)
from pseudoledger.identity.verdicts import VERDICTS

# RFC 8032, 7.1: secret key, public key, message, signature.
RFC_8032 = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]

SEED = bytes(range(32))
SIGNER = Signer.from_seed(SEED)
seeds = st.binary(min_size=32, max_size=32)


@pytest.fixture
def fresh_caches():
    caches = (keys._self_test_once, keys.key_from_did, keys._checked_key, keys._did_from_checked_key)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize(("secret", "public", "message", "signature"), RFC_8032)
def test_rfc_8032_vectors(secret, public, message, signature):
    signer = Signer.from_seed(bytes.fromhex(secret))
    assert signer.public_key.hex() == public
    assert signer.sign(bytes.fromhex(message)).hex() == signature
    verify(signer.did, bytes.fromhex(message), bytes.fromhex(signature))


@given(seeds, st.binary(max_size=300))
def test_what_a_signer_signs_is_accepted_by_did_and_by_key(seed, message):
    signer = Signer.from_seed(seed)
    signature = signer.sign(message)
    verify(signer.did, message, signature)
    verify(signer.public_key, message, signature)


@given(seeds, st.binary(max_size=300))
def test_another_library_makes_the_same_signature(seed, message):
    signer, other = Signer.from_seed(seed), Ed25519PrivateKey.from_private_bytes(seed)
    assert signer.public_key == other.public_key().public_bytes_raw()
    assert signer.sign(message) == other.sign(message)


@given(seeds)
def test_did_and_key_round_trip(seed):
    signer = Signer.from_seed(seed)
    assert signer.did.startswith("did:key:z6Mk")
    assert len(signer.did) == keys.DID_LENGTH
    assert key_from_did(signer.did) == signer.public_key
    assert did_from_key(signer.public_key) == signer.did


@given(st.binary(max_size=64), st.integers(0, 63 * 8 + 7), st.data())
def test_any_changed_bit_refuses(message, bit, data):
    signature = bytearray(SIGNER.sign(message))
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignature):
        verify(SIGNER.did, message, bytes(signature))
    if message:
        changed = bytearray(message)
        place = data.draw(st.integers(0, len(message) * 8 - 1))
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(InvalidSignature):
            verify(SIGNER.did, bytes(changed), SIGNER.sign(message))


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_signatures_of_other_lengths_are_refused(length):
    message = b"message"
    whole = SIGNER.sign(message) + message
    with pytest.raises(InvalidSignature, match=r"64 bytes"):
        verify(SIGNER.did, b"", (whole * 2)[:length])


def test_moving_the_border_between_signature_and_message_is_refused():
    message = b"message"
    signature = SIGNER.sign(message)
    with pytest.raises(InvalidSignature):
        verify(SIGNER.did, message[1:], signature + message[:1])


def did_of(raw):
    return "did:key:z" + base58.b58encode(raw).decode()


GOOD = SIGNER.did
KEY = SIGNER.public_key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "did:key:z",
        GOOD[:-1],
        GOOD + "1",
        GOOD + " ",
        GOOD[:-1] + " ",
        " " + GOOD,
        GOOD + "\n",
        GOOD[:-1] + "\n",
        GOOD + "#" + GOOD[8:],
        GOOD.upper(),
        GOOD.replace("did:key:z", "did:key:Z"),
        GOOD.replace("did:key:z", "did:key:m"),
        GOOD.replace("did:key:", "did:web:"),
        GOOD.replace("did:key:z6", "did:key:z16")[:56],
        GOOD[:20] + "0" + GOOD[21:],
        GOOD[:20] + "l" + GOOD[21:],
        GOOD[:20] + "é" + GOOD[21:],
        GOOD[:20] + "\ud800" + GOOD[21:],
        GOOD[:20] + "\u0661" + GOOD[21:],
        "did:key:z" + "1" * 47,
        "did:key:z" + "z" * 47,
        did_of(b"\xec\x01" + KEY),
        did_of(b"\xed\x00" + KEY),
        did_of(b"\xed\x01" + KEY[:-1]),
        did_of(b"\xed\x01" + KEY + b"\0"),
        did_of(b"\x00\xed\x01" + KEY),
        did_of(b"\xed\x81\x00" + KEY),
        KEY.hex(),
    ],
)
def test_texts_that_are_no_canonical_did_are_refused(text):
    with pytest.raises(MalformedError) as caught:
        key_from_did(text)
    assert caught.value.code == "did.form"
    with pytest.raises(InvalidSignature):
        verify(text, b"", bytes(64))


@given(st.text(max_size=60))
def test_arbitrary_text_is_malformed_and_nothing_else(text):
    with pytest.raises(MalformedError):
        key_from_did(text)


@given(st.binary(min_size=32, max_size=32))
def test_arbitrary_keys_are_accepted_exactly_in_canonical_form(key):
    try:
        did = did_from_key(key)
    except MalformedError as error:
        assert error.code == "key.refused"  # noqa: PT017
        with pytest.raises(MalformedError):
            key_from_did(did_of(b"\xed\x01" + key))
    else:
        assert key_from_did(did) == key


@pytest.mark.parametrize("key", [b"", KEY[:-1], KEY + b"\0"])
def test_keys_of_other_lengths_are_refused(key):
    with pytest.raises(MalformedError, match=r"32 bytes"):
        did_from_key(key)
    with pytest.raises(InvalidSignature):
        verify(key, b"", bytes(64))


def test_the_cache_is_bounded_and_roomy():
    assert key_from_did.cache_info().maxsize >= 131_072
    assert keys._checked_key.cache_info().maxsize is not None
    assert keys._did_from_checked_key.cache_info().maxsize is not None


def test_self_test_passes_here():
    keys.self_test()
    assert {verdict.accepted for verdict in VERDICTS} == {True, False}


def open_like_pyca(signed, key):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signed[:64], signed[64:])
    except (PycaInvalid, ValueError) as error:
        raise BadSignatureError from error
    return signed[64:]


@pytest.mark.usefixtures("fresh_caches")
def test_self_test_tells_an_old_point_check_apart(monkeypatch):
    # CVE-2025-69277: of all keys of CCTV, the check of PyNaCl 1.5.0 lets this one through.
    order_2l = bytes.fromhex("fe894df18abf1c20088bfbe6c9ad45d42ec20663eaf7111eaea1d851da0d7f89")
    genuine = keys.crypto_core_ed25519_is_valid_point
    monkeypatch.setattr(
        keys, "crypto_core_ed25519_is_valid_point", lambda key: key == order_2l or genuine(key)
    )
    with pytest.raises(VerificationError, match=r"CCTV 832 .*order 2") as caught:
        verify(SIGNER.did, b"", SIGNER.sign(b""))
    assert not isinstance(caught.value, InvalidSignature)
    assert "PyNaCl" in caught.value.hint
    with pytest.raises(VerificationError):
        verify_many([Signed(SIGNER.did, b"", SIGNER.sign(b""))])


def test_self_test_tells_openssl_apart(monkeypatch):
    monkeypatch.setattr(keys, "crypto_core_ed25519_is_valid_point", lambda _key: True)
    monkeypatch.setattr(keys, "crypto_sign_open", open_like_pyca)
    wrong = [v.source for v in VERDICTS if keys._accepts(v.key, v.message, v.signature) != v.accepted]
    assert {"CCTV 50", "CCTV 303", "CCTV 304"} <= set(wrong)
    with pytest.raises(VerificationError, match=r"accepts the recorded signature"):
        keys.self_test()


@pytest.mark.parametrize("verdict", [v for v in VERDICTS if not v.accepted], ids=lambda v: v.source)
def test_self_test_notices_each_single_wrong_acceptance(monkeypatch, verdict):
    genuine = keys._accepts
    monkeypatch.setattr(
        keys, "_accepts", lambda *case: case[1:] == (verdict.message, verdict.signature) or genuine(*case)
    )
    with pytest.raises(VerificationError, match=verdict.source):
        keys.self_test()


def test_self_test_notices_a_library_that_refuses_all(monkeypatch):
    monkeypatch.setattr(keys, "_accepts", lambda *_case: False)
    with pytest.raises(VerificationError, match=r"refuses the recorded signature CCTV 305"):
        keys.self_test()


def test_self_test_notices_a_library_without_point_checks(monkeypatch):
    def unavailable(key):
        raise UnavailableError

    monkeypatch.setattr(keys, "crypto_core_ed25519_is_valid_point", unavailable)
    with pytest.raises(VerificationError, match=r"no check of Ed25519 points"):
        keys.self_test()


def batch(count):
    """Every third item is wrong, in turn by message, signature length and signer."""
    signers = [Signer.from_seed(bytes([number]) * 32) for number in range(5)]
    items, good = [], []
    for number in range(count):
        signer, message = signers[number % 5], b"message %d" % number
        item = Signed(signer.did if number % 2 else signer.public_key, message, signer.sign(message))
        if number % 3 == 0:
            wrong = (
                item._replace(message=b"other"),
                item._replace(signature=item.signature[:-1]),
                item._replace(signer="did:key:zNobody"),
            )
            item = wrong[number // 3 % 3]
        items.append(item)
        good.append(number % 3 != 0)
    return items, good


@pytest.mark.parametrize("workers", [None, 1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 33, 300])
def test_verify_many_judges_each_item_in_order(count, workers):
    items, good = batch(count)
    results = verify_many(items, workers=workers)
    assert [result is None for result in results] == good
    assert all(type(result) is InvalidSignature for result in results if result is not None)


def test_chunks_pickle_and_run_in_processes():
    items, good = batch(20)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        results = pool.submit(verify_chunk, items).result(timeout=60)
    assert [result is None for result in results] == good
    assert [str(result) for result in results] == [str(result) for result in verify_chunk(items)]


def test_errors_of_a_batch_hold_no_frames():
    assert all(error.__traceback__ is None for error in verify_chunk(batch(9)[0]) if error is not None)


def test_a_forked_child_verifies_with_threads_of_its_own():
    items, good = batch(100)
    verify_many(items, workers=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            right = [result is None for result in verify_many(items, workers=2)] == good
        finally:
            os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_cores_is_at_least_one(monkeypatch):
    assert keys.cores() >= 1
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert keys.cores() == 1


def test_a_signer_shows_its_did_and_nothing_secret():
    assert repr(SIGNER) == f"Signer(did={SIGNER.did!r})"
    assert SEED.hex() not in repr(vars(type(SIGNER)))
    assert str(SIGNER) == repr(SIGNER)


def test_a_signer_is_not_pickled_but_copies_to_itself():
    with pytest.raises(TypeError, match=r"private key"):
        pickle.dumps(SIGNER)
    assert copy.copy(SIGNER) is SIGNER
    assert copy.deepcopy([SIGNER])[0] is SIGNER


def test_signers_are_values():
    assert Signer.from_seed(SEED) == SIGNER
    assert len({Signer.from_seed(SEED), SIGNER, Signer.generate(), Signer.generate()}) == 3
    with pytest.raises(AttributeError):
        SIGNER.did = "other"


@pytest.mark.parametrize("length", [0, 31, 33, 64])
def test_seeds_of_other_lengths_are_refused(length):
    with pytest.raises(MalformedError, match=r"32 bytes"):
        Signer.from_seed(bytes(length))
