import copy
import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic
from slip10 import HARDENED_INDEX, SLIP10

from pseudoledger.errors import MalformedError
from pseudoledger.identity import derivation
from pseudoledger.identity.derivation import (
    Pseudonym,
    Seed,
    entropy_from_words,
    fresh_words,
    ledger_step,
    path_text,
    scan,
    words_from_entropy,
)

LEDGER = "0123456789abcdef" * 4
TREZOR = "TREZOR"
ZEROS = "abandon " * 23 + "art"

# SLIP-0010, test vectors for ed25519: seed, then (path, chain code, private key, public key).
SLIP_0010 = [
    (
        "000102030405060708090a0b0c0d0e0f",
        [
            ([], "90046a93de5380a72b5e45010748567d5ea02bbf6522f979e05c0d8d8ca9fffb", "2b4be7f19ee27bbf30c667b642d5f4aa69fd169872f8fc3059c08ebae2eb19e7", "a4b2856bfec510abab89753fac1ac0e1112364e7d250545963f135f2a33188ed"),
            ([0], "8b59aa11380b624e81507a27fedda59fea6d0b779a778918a2fd3590e16e9c69", "68e0fe46dfb67e368c75379acec591dad19df3cde26e63b93a8e704f1dade7a3", "8c8a13df77a28f3445213a0f432fde644acaa215fc72dcdf300d5efaa85d350c"),
            ([0, 1], "a320425f77d1b5c2505a6b1b27382b37368ee640e3557c315416801243552f14", "b1d0bad404bf35da785a64ca1ac54b2617211d2777696fbffaf208f746ae84f2", "1932a5270f335bed617d5b935c80aedb1a35bd9fc1e31acafd5372c30f5c1187"),
            ([0, 1, 2], "2e69929e00b5ab250f49c3fb1c12f252de4fed2c1db88387094a0f8c4c9ccd6c", "92a5b23c0b8a99e37d07df3fb9966917f5d06e02ddbd909c7e184371463e9fc9", "ae98736566d30ed0e9d2f4486a64bc95740d89c7db33f52121f8ea8f76ff0fc1"),
            ([0, 1, 2, 2], "8f6d87f93d750e0efccda017d662a1b31a266e4a6f5993b15f5c1f07f74dd5cc", "30d1dc7e5fc04c31219ab25a27ae00b50f6fd66622f6e9c913253d6511d1e662", "8abae2d66361c879b900d204ad2cc4984fa2aa344dd7ddc46007329ac76c429c"),
            ([0, 1, 2, 2, 1000000000], "68789923a0cac2cd5a29172a475fe9e0fb14cd6adb5ad98a3fa70333e7afa230", "8f94d394a8e8fd6b1bc2f3f49f5c47e385281d5c17e65324b0f62483e37e8793", "3c24da049451555d51a7014a37337aa4e12d41e485abccfa46b47dfb2af54b7a"),
        ],
    ),
    (
        "fffcf9f6f3f0edeae7e4e1dedbd8d5d2cfccc9c6c3c0bdbab7b4b1aeaba8a5a29f9c999693908d8a8784817e7b7875726f6c696663605d5a5754514e4b484542",
        [
            ([], "ef70a74db9c3a5af931b5fe73ed8e1a53464133654fd55e7a66f8570b8e33c3b", "171cb88b1b3c1db25add599712e36245d75bc65a1a5c9e18d76f9f2b1eab4012", "8fe9693f8fa62a4305a140b9764c5ee01e455963744fe18204b4fb948249308a"),
            ([0], "0b78a3226f915c082bf118f83618a618ab6dec793752624cbeb622acb562862d", "1559eb2bbec5790b0c65d8693e4d0875b1747f4970ae8b650486ed7470845635", "86fab68dcb57aa196c77c5f264f215a112c22a912c10d123b0d03c3c28ef1037"),
            ([0, 2147483647], "138f0b2551bcafeca6ff2aa88ba8ed0ed8de070841f0c4ef0165df8181eaad7f", "ea4f5bfe8694d8bb74b7b59404632fd5968b774ed545e810de9c32a4fb4192f4", "5ba3b9ac6e90e83effcd25ac4e58a1365a9e35a3d3ae5eb07b9e4d90bcf7506d"),
            ([0, 2147483647, 1], "73bd9fff1cfbde33a1b846c27085f711c0fe2d66fd32e139d3ebc28e5a4a6b90", "3757c7577170179c7868353ada796c839135b3d30554bbb74a4b1e4a5a58505c", "2e66aa57069c86cc18249aecf5cb5a9cebbfd6fadeab056254763874a9352b45"),
            ([0, 2147483647, 1, 2147483646], "0902fe8a29f9140480a00ef244bd183e8a13288e4412d8389d140aac1794825a", "5837736c89570de861ebc173b1086da4f505d4adb387c6a1b1342d5e4ac9ec72", "e33c0f7d81d843c572275f287498e8d408654fdf0d1e065b84e2e6f157aab09b"),
            ([0, 2147483647, 1, 2147483646, 2], "5d70af781f3a37b829f0d060924d5e960bdc02e85423494afc0b1a41bbe196d4", "551d333177df541ad876a60ea71f00447931c0a9da16f227c11ea080d7391b8d", "47150c75db263559a70d5778bf36abbab30fb061ad69f69ece61a72b0cfa4fc0"),
        ],
    ),
]  # fmt: skip

# BIP-39 reference vectors, passphrase "TREZOR": entropy, words, seed.
BIP_39 = [
    ("00" * 16, "abandon " * 11 + "about", "c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04"),
    ("7f" * 16, "legal winner thank year wave sausage worth useful legal winner thank yellow", "2e8905819b8723fe2c1d161860e5ee1830318dbf49a83bd451cfb8440c28bd6fa457fe1296106559a3c80937a1c1069be3a3a5bd381ee6260e8d9739fce1f607"),
    ("ff" * 16, "zoo " * 11 + "wrong", "ac27495480225222079d7be181583751e86f571027b0497b5b5d11218e0a8a13332572917f0f8e5a589620c6f15b11c61dee327651a14c34e18231052e48c069"),
    ("9e885d952ad362caeb4efe34a8e91bd2", "ozone drill grab fiber curtain grace pudding thank cruise elder eight picnic", "274ddc525802f7c828d8ef7ddbcdc5304e87ac3535913611fbbfa986d0c9e5476c91689f9c8a54fd55bd38606aa6a8595ad213d4c9c9f9aca3fb217069a41028"),
    ("00" * 32, ZEROS, "bda85446c68413707090a52022edd26a1c9462295029f2e60cd7c4f2bbd3097170af7a4d73245cafa9c3cca8d561a7c3de6f5d4a10be8ed2a5e608d68f92fcc8"),
    ("ff" * 32, "zoo " * 23 + "vote", "dd48c104698c30cfe2b6142103248622fb7bb0ff692eebb00089b32d22484e1613912f0a5b694407be899ffd31ed3992c456cdf60f5d4564b8ba3f05a69890ad"),
]  # fmt: skip


@pytest.mark.parametrize(("seed", "nodes"), SLIP_0010)
def test_slip_0010_vectors_hold_for_the_library(seed, nodes):
    root = SLIP10.from_seed(bytes.fromhex(seed), curve_name="ed25519")
    for path, chain_code, private, public in nodes:
        hardened = [step + HARDENED_INDEX for step in path]
        assert root.get_extended_privkey_from_path(hardened) == (
            bytes.fromhex(chain_code),
            bytes.fromhex(private),
        )
        assert root.get_pubkey_from_path(hardened) == b"\0" + bytes.fromhex(public)


@pytest.mark.parametrize(("entropy", "words", "seed"), BIP_39)
def test_bip_39_vectors(entropy, words, seed):
    assert words_from_entropy(bytes.fromhex(entropy)) == words
    assert entropy_from_words(words).hex() == entropy
    assert Seed.from_words(words, passphrase=TREZOR)._seed.hex() == seed


def test_the_word_list_is_the_published_one():
    # SHA-256 of english.txt in the BIP-39 repository.
    text = "".join(word + "\n" for word in Mnemonic("english").wordlist)
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    )


@given(st.sampled_from([16, 20, 24, 28, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)))
def test_words_and_entropy_round_trip(entropy):
    assert entropy_from_words(words_from_entropy(entropy)) == entropy


@pytest.mark.parametrize("count", [12, 15, 18, 21, 24])
def test_fresh_words_are_fresh_and_checked(count):
    words = fresh_words(count)
    assert len(words.split()) == count
    assert words != fresh_words(count)
    assert len(entropy_from_words(words)) == count // 3 * 4


def test_fresh_words_are_24_by_default():
    assert len(fresh_words().split()) == 24


@pytest.mark.parametrize("count", [0, 11, 13, 25, 48])
def test_other_counts_of_words_are_refused(count):
    with pytest.raises(MalformedError):
        fresh_words(count)
    with pytest.raises(MalformedError, match=f"these are {count}"):
        entropy_from_words("abandon " * count)


@pytest.mark.parametrize("length", [0, 15, 17, 31, 33, 64])
def test_other_lengths_of_entropy_are_refused(length):
    with pytest.raises(MalformedError):
        words_from_entropy(bytes(length))


def test_case_and_spacing_of_words_are_forgiven():
    written = "\n ".join(ZEROS.upper().split()) + " "
    assert entropy_from_words(written) == bytes(32)
    assert Seed.from_words(written) == Seed.from_words(ZEROS)


def test_word_errors_name_places_and_never_words():
    with pytest.raises(MalformedError, match=r"word 2, 24") as caught:
        entropy_from_words("abandon secretword " + "abandon " * 21 + "hidden1")
    assert "secretword" not in repr(caught.value)
    assert "abandon" not in str(caught.value)
    with pytest.raises(MalformedError, match=r"checksum") as caught:
        entropy_from_words("zoo " * 24)
    assert "zoo" not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("ledger_id", "step"),
    [
        (None, 0),
        ("f" * 64, 2**31 - 1),
        ("00000002" + "0" * 56, 1),
        ("00000003" + "f" * 56, 1),
        ("80000000" + "0" * 56, 2**30),
        (LEDGER, 0x01234567 >> 1),
    ],
)
def test_ledger_step_is_the_first_31_bits(ledger_id, step):
    assert ledger_step(ledger_id) == step


@pytest.mark.parametrize(
    "ledger_id", ["", "0" * 63, "F" * 64, "g" * 64, LEDGER + "\n", "0" * 64, "0000000" + "1" + "f" * 56]
)
def test_malformed_or_zero_ledger_ids_are_refused(ledger_id):
    with pytest.raises(MalformedError):
        ledger_step(ledger_id)


@pytest.mark.parametrize(("scope", "index"), [(-1, 0), (0, -1), (2**31, 0), (0, 2**31)])
def test_steps_out_of_range_are_refused(scope, index):
    with pytest.raises(MalformedError):
        path_text(LEDGER, scope, index)


def test_path_text_is_what_slip_0010_reads():
    assert path_text(LEDGER, 3, 1) == "m/1886152036'/9544371'/3'/1'"
    assert (1886152036).to_bytes(4, "big") == b"pled"
    seed = Seed.from_words(ZEROS)
    private = SLIP10.from_seed(seed._seed, curve_name="ed25519").get_privkey_from_path(
        path_text(LEDGER, 3, 1)
    )
    assert derivation.Signer.from_seed(private) == seed.signer(LEDGER, 3, 1)


def test_every_place_has_its_own_key():
    seeds = [
        Seed.from_words(ZEROS),
        Seed.from_words(ZEROS, passphrase=TREZOR),
        Seed.from_words("zoo " * 23 + "vote"),
    ]
    dids = {
        seed.signer(ledger, scope, index).did
        for seed in seeds
        for ledger in (None, LEDGER, "f" * 64)
        for scope in range(3)
        for index in range(3)
    }
    assert len(dids) == 3 * 3 * 3 * 3


def test_a_seed_shows_nothing_and_is_not_pickled():
    seed = Seed.from_words(ZEROS)
    assert repr(seed) == "Seed()"
    for attempt in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError, match=r"secret"):
            attempt(seed)


def test_scan_finds_scopes_and_rotations_and_stops_after_the_gap():
    seed = Seed.from_words(ZEROS)
    places = [(0, 0), (0, 1), (0, 2), (1, 0), (21, 0), (40, 0), (40, 1)]
    beyond = (61, 0)
    dids = {seed.signer(LEDGER, *place).did: place for place in [*places, beyond]}
    asked = []

    def seen(did):
        asked.append(did)
        return did in dids

    found = scan(seed, LEDGER, seen)
    assert [(item.scope, item.index) for item in found] == places
    assert found[0] == Pseudonym(scope=0, index=0, did=seed.signer(LEDGER, 0, 0).did)
    assert len(asked) == len(places) + 61
    assert len(scan(seed, LEDGER, seen, gap=21)) == len(places) + 1


def test_scan_of_an_unknown_ledger_asks_twenty_times():
    asked = []
    assert scan(Seed.from_words(ZEROS), None, lambda did: bool(asked.append(did))) == ()
    assert len(asked) == 20
