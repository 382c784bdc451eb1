"""Published Ed25519 and did:key cases against the one predicate; what we accept is written down here."""

import json
import os
from pathlib import Path

import pytest

from pseudoledger.errors import InvalidSignature, MalformedError
from pseudoledger.identity.keys import Signer, did_from_key, key_from_did, verify
from pseudoledger.identity.verdicts import VERDICTS

ROOT = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("PSEUDOLEDGER_SHARED", ROOT.parent / "shared")) / "vectors"

CCTV_CASES = 914
CCTV_ACCEPTED = [305]
CCTV_KEYS_ACCEPTED = [
    *(266, 267, 278, 279, 285, 286, 297, 298, 304, 305, 316, 317, 319, 320),
    *(322, 323, 335, 336, 348, 349, 361, 362, 374, 375, 387, 388, 399, 400),
]
SPECCHECK_CASES = 12
SPECCHECK_ACCEPTED = []
SPECCHECK_KEYS_ACCEPTED = [6, 7]


def load(name):
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"no vectors at {path}; set PSEUDOLEDGER_SHARED")
    return json.loads(path.read_text())


def accepts(key, message, signature):
    try:
        verify(key, message, signature)
    except InvalidSignature:
        return False
    return True


def accepts_key(key):
    try:
        did = did_from_key(key)
    except MalformedError:
        return False
    assert key_from_did(did) == key
    return True


@pytest.fixture
def cctv():
    return [
        (
            case["number"],
            bytes.fromhex(case["key"]),
            case["msg"].encode(),
            bytes.fromhex(case["sig"]),
            case["flags"],
        )
        for case in load("c2sp-cctv-ed25519/ed25519/ed25519vectors.json")
    ]


@pytest.fixture
def speccheck():
    return [
        (
            number,
            bytes.fromhex(case["pub_key"]),
            bytes.fromhex(case["message"]),
            bytes.fromhex(case["signature"]),
        )
        for number, case in enumerate(load("ed25519-speccheck/cases.json"))
    ]


def test_cctv_accepted_set_is_the_recorded_one(cctv):
    assert [case[0] for case in cctv] == list(range(CCTV_CASES))
    assert [number for number, key, msg, sig, _ in cctv if accepts(key, msg, sig)] == CCTV_ACCEPTED
    assert [number for number, key, *_ in cctv if accepts_key(key)] == CCTV_KEYS_ACCEPTED


def test_cctv_accepts_exactly_what_has_no_flag(cctv):
    assert [number for number, *_, flags in cctv if not flags] == CCTV_ACCEPTED
    keys_refused = {"low_order_A", "low_order_component_A", "non_canonical_A"}
    assert [n for n, *_, flags in cctv if keys_refused.isdisjoint(flags or ())] == CCTV_KEYS_ACCEPTED


def test_speccheck_accepted_set_is_the_recorded_one(speccheck):
    assert len(speccheck) == SPECCHECK_CASES
    assert [number for number, key, msg, sig in speccheck if accepts(key, msg, sig)] == SPECCHECK_ACCEPTED
    assert [number for number, key, *_ in speccheck if accepts_key(key)] == SPECCHECK_KEYS_ACCEPTED


def test_recorded_verdicts_are_carried_over_exactly(cctv, speccheck):
    published = {f"CCTV {number}": tuple(rest[:3]) for number, *rest in cctv}
    published |= {f"speccheck {number}": tuple(rest) for number, *rest in speccheck}
    for verdict in VERDICTS:
        assert published[verdict.source] == (verdict.key, verdict.message, verdict.signature)


@pytest.mark.parametrize("sort", ["low_order_A", "non_canonical_A"])
def test_keys_of_low_order_or_not_canonical_are_refused(sort):
    keys = load("ed25519_low_order_keys.json")[sort]
    assert keys
    for key in map(bytes.fromhex, keys):
        assert not accepts_key(key)
        with pytest.raises(InvalidSignature):
            verify(key, b"", bytes(64))


def test_keys_of_mixed_order_are_refused(cctv):
    mixed = {key for _, key, *_, flags in cctv if "low_order_component_A" in (flags or ())}
    assert len(mixed) > 7
    assert not any(accepts_key(key) for key in mixed)


def test_did_key_vectors_yield_from_their_seeds():
    cases = load("did-method-key/test-vectors/ed25519-x25519.json")
    assert len(cases) == 5
    for did, case in cases.items():
        signer = Signer.from_seed(bytes.fromhex(case["seed"]))
        assert signer.did == did
        assert did_from_key(key_from_did(did)) == did
        assert key_from_did(did) == signer.public_key


@pytest.mark.parametrize("name", ["bls12381", "nist-curves", "rsa", "secp256k1"])
def test_did_key_vectors_of_other_sorts_are_refused(name):
    cases = load(f"did-method-key/test-vectors/{name}.json")
    assert cases
    for did in cases:
        with pytest.raises(MalformedError):
            key_from_did(did)


def test_x25519_keys_of_the_same_seeds_are_refused():
    for case in load("did-method-key/test-vectors/ed25519-x25519.json").values():
        with pytest.raises(MalformedError):
            key_from_did("did:key:" + case["keyAgreementKeyPair"]["id"].removeprefix("#"))
