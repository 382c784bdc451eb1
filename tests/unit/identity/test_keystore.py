import errno
import json
import os
import resource
import subprocess
import sys
import textwrap
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.errors import KeystoreError, MalformedError
from pseudoledger.identity import derivation, files, keyfile
from pseudoledger.identity.keys import Signer, verify
from pseudoledger.identity.keystore import KeyInfo, Keystore, keys_directory

SEED = bytes.fromhex("5ec2e7" * 10 + "5ec2")
WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
ENTROPY = "7f" * 16
SEALED_BY = "open sesame ä"
OTHER = "another passphrase"
PAPER = "paper passphrase"
LEDGER = "0123456789abcdef" * 4
SECRETS = (SEED.hex(), repr(SEED), WORDS, "sausage", ENTROPY, SEALED_BY, "sesame", OTHER, PAPER)


@pytest.fixture
def store(tmp_path):
    return Keystore(tmp_path / "keys")


def refused(call, match):
    """Run a call that must raise KeystoreError with a hint, and look for secrets in all of it."""
    with pytest.raises(KeystoreError, match=match) as caught:
        call()
    error = caught.value
    assert error.hint
    seen = error
    shown = [error.hint]
    while seen is not None:
        shown += [*traceback.format_exception_only(seen), repr(seen), repr(seen.args), repr(vars(seen))]
        seen = seen.__cause__ or seen.__context__
    for secret in SECRETS:
        assert secret not in "".join(shown)
    return error


def mode(path):
    return path.stat().st_mode & 0o777


def never_asked(name):
    raise AssertionError(f"asked for the passphrase of {name}")


def test_the_directory_comes_from_the_given_environment(tmp_path):
    assert keys_directory({"PSEUDOLEDGER_KEYS": str(tmp_path)}) == tmp_path
    default = keys_directory({})
    assert default.name == "keys"
    assert "pseudoledger" in default.parts
    assert keys_directory({"PSEUDOLEDGER_KEYS": ""}) == default


def test_a_sealed_key_opens_to_its_signer(store):
    info = store.create_key("ledger", passphrase=SEALED_BY, seed=SEED)
    assert info == KeyInfo(name="ledger", sort="key", did=Signer.from_seed(SEED).did, sealed=True)
    signer = store.open("ledger", SEALED_BY)
    assert signer == Signer.from_seed(SEED)
    verify(info.did, b"m", signer.sign(b"m"))
    content = (store.directory / "ledger.json").read_text()
    assert all(secret not in content for secret in SECRETS)


def test_fresh_keys_differ_and_unsealed_ones_ask_for_nothing(store):
    first = store.create_key("a", passphrase=None)
    second = store.create_key("b", passphrase=None)
    assert first.did != second.did
    assert not first.sealed
    assert store.open("a", never_asked).did == first.did
    assert "seed" in (store.directory / "a.json").read_text()


def test_files_and_directory_are_private(store):
    old = os.umask(0)
    try:
        store.create_key("a", passphrase=None)
        store.change_passphrase("a", old=None, new=SEALED_BY)
    finally:
        os.umask(old)
    assert mode(store.directory) == 0o700
    assert {path.name: mode(path) for path in store.directory.iterdir()} == {"a.json": 0o600, ".lock": 0o600}


def test_the_passphrase_is_asked_once_and_by_name(store):
    asked = []

    def ask(name):
        asked.append(name)
        return SEALED_BY

    store.import_words("paper", WORDS, passphrase=SEALED_BY)
    store.derive("me", words="paper", ledger_id=LEDGER, passphrase=ask)
    store.open("me", ask)
    assert asked == ["paper", "paper"]


def test_passphrases_are_compared_in_one_unicode_form(store):
    composed, decomposed = "Z\u00fcrich", "Zu\u0308rich"
    store.create_key("a", passphrase=composed)
    assert store.open("a", decomposed).did


def test_wrong_or_missing_passphrases_are_refused(store):
    store.create_key("a", passphrase=SEALED_BY, seed=SEED)
    refused(lambda: store.open("a", OTHER), "does not open the key file a")
    refused(lambda: store.open("a"), "is sealed")
    refused(lambda: store.open("a", ""), "empty passphrase")
    refused(lambda: store.create_key("b", passphrase=""), "empty passphrase")
    refused(lambda: store.change_passphrase("a", old=OTHER, new=SEALED_BY), "does not open")
    assert not (store.directory / "b.json").exists()


def test_an_existing_name_is_never_overwritten(store):
    first = store.create_key("a", passphrase=None)
    before = (store.directory / "a.json").read_bytes()
    refused(lambda: store.create_key("a", passphrase=None), "named a already")
    refused(lambda: store.import_words("a", WORDS, passphrase=None), "named a already")
    store.import_words("paper", WORDS, passphrase=None)
    refused(lambda: store.derive("a", words="paper", ledger_id=LEDGER), "named a already")
    assert (store.directory / "a.json").read_bytes() == before
    assert store.open("a").did == first.did
    assert not list(store.directory.glob(".new-*"))


@pytest.mark.parametrize("name", ["", "A", "-a", ".a", "a/b", "../a", "a b", "ä", "a" * 65, "a\n", "a\0"])
def test_other_names_are_refused_everywhere(store, name):
    for call in (
        lambda: store.create_key(name, passphrase=None),
        lambda: store.create_words(name, passphrase=None),
        lambda: store.derive(name, words="paper", ledger_id=None),
        lambda: store.open(name),
        lambda: store.info(name),
    ):
        refused(call, "is not a key name")
    assert not store.directory.exists()


@pytest.mark.parametrize("name", ["a", "0", "a" * 64, "a.b_c-d", "x.json"])
def test_names_of_the_form_are_taken(store, name):
    store.create_key(name, passphrase=None)
    assert [info.name for info in store.list()] == [name]


def test_a_missing_name_comes_with_near_matches(store):
    assert "no key is stored" in refused(lambda: store.open("lesor"), "no key named lesor").hint
    store.create_key("lessor-a", passphrase=None)
    assert refused(lambda: store.open("lesor-a"), "no key named").hint == "did you mean lessor-a?"
    assert refused(lambda: store.open("zzz"), "no key named").hint == "names there: lessor-a"
    refused(lambda: store.find(Signer.from_seed(SEED).did), "no key file holds the key")


def test_listing_and_finding_need_no_passphrase(store):
    assert store.list() == ()
    key = store.create_key("one", passphrase=SEALED_BY, seed=SEED)
    words = store.import_words("paper", WORDS, passphrase=SEALED_BY)
    derived = store.derive("me", words="paper", ledger_id=LEDGER, passphrase=SEALED_BY)
    assert store.list() == (derived, key, words)
    assert derived == KeyInfo(
        name="me", sort="derived", did=derived.did, sealed=True, words="paper", ledger_id=LEDGER
    )
    assert store.find(key.did) == key
    assert store.find(derived.did) == derived
    assert all(secret not in repr(store.list()) for secret in SECRETS)


def test_words_are_returned_once_and_revealed_on_demand(store):
    words = store.create_words("paper", passphrase=SEALED_BY)
    assert len(words.split()) == 24
    assert store.reveal_words("paper", SEALED_BY) == words
    assert len(store.create_words("short", passphrase=None, count=12).split()) == 12


def test_pseudonyms_take_the_next_scope_and_the_next_index(store):
    store.import_words("paper", WORDS, passphrase=None, words_passphrase=PAPER)
    seed = derivation.Seed.from_words(WORDS, passphrase=PAPER)
    assert store.open_seed("paper") == seed
    made = [
        store.derive("a", words="paper", ledger_id=LEDGER),
        store.derive("b", words="paper", ledger_id=LEDGER),
        store.derive("a2", words="paper", ledger_id=LEDGER, scope=0),
        store.derive("c", words="paper", ledger_id="f" * 64),
        store.derive("founder", words="paper", ledger_id=None),
        store.derive("far", words="paper", ledger_id=LEDGER, scope=9, index=4),
        store.derive("next", words="paper", ledger_id=LEDGER),
    ]
    places = [(info.ledger_id, info.scope, info.index) for info in made]
    assert places == [
        (LEDGER, 0, 0),
        (LEDGER, 1, 0),
        (LEDGER, 0, 1),
        ("f" * 64, 0, 0),
        (None, 0, 0),
        (LEDGER, 9, 4),
        (LEDGER, 10, 0),
    ]
    for info, place in zip(made, places, strict=True):
        assert store.open(info.name) == seed.signer(*place)
        assert info.did == seed.signer(*place).did


def test_a_derived_file_holds_no_secret(store):
    store.import_words("paper", WORDS, passphrase=None)
    store.derive("me", words="paper", ledger_id=LEDGER)
    content = json.loads((store.directory / "me.json").read_text())
    assert set(content) == {"sort", "version", "name", "did", "words", "ledger", "scope", "index"}


def test_a_stored_pseudonym_is_not_stored_twice(store):
    store.import_words("paper", WORDS, passphrase=None)
    store.derive("me", words="paper", ledger_id=LEDGER)
    refused(
        lambda: store.derive("again", words="paper", ledger_id=LEDGER, scope=0, index=0), "already, as me"
    )


def test_ledgers_whose_ids_begin_alike_do_not_share_a_key(store):
    store.import_words("paper", WORDS, passphrase=None)
    store.derive("me", words="paper", ledger_id=LEDGER)
    twin = LEDGER[:8] + "f" * 56
    refused(lambda: store.derive("twin", words="paper", ledger_id=twin), "would get the same keys")
    refused(lambda: store.derive("zero", words="paper", ledger_id="0" * 64), "first 31 bits")
    store.import_words("other", "zoo " * 23 + "vote", passphrase=None)
    store.derive("twin", words="other", ledger_id=twin)


def test_bad_places_and_bad_words_are_refused(store):
    store.import_words("paper", WORDS, passphrase=None)
    store.create_key("single", passphrase=None)
    refused_scope = lambda: store.derive("me", words="paper", ledger_id=LEDGER, scope=2**31)  # noqa: E731
    with pytest.raises(KeystoreError, match="scope must be"):
        refused_scope()
    with pytest.raises(KeystoreError, match="64 lower-case"):
        store.derive("me", words="paper", ledger_id="xyz")
    refused(lambda: store.derive("me", words="single", ledger_id=LEDGER), "single key, not words")
    refused(lambda: store.derive("me", words="nowhere", ledger_id=LEDGER), "no key named nowhere")
    refused(lambda: store.open("paper"), "words, which do not sign")
    refused(lambda: store.import_words("bad", WORDS.replace("sausage", "wurst"), passphrase=None), "word 6")
    refused(lambda: store.import_words("bad", WORDS.replace("thank", "year"), passphrase=None), "checksum")
    with pytest.raises(MalformedError, match="32 bytes"):
        store.create_key("short", passphrase=None, seed=SEED[:-1])


def test_changing_the_passphrase(store):
    store.create_key("a", passphrase=None, seed=SEED)
    assert store.change_passphrase("a", old=never_asked, new=SEALED_BY).sealed
    assert store.change_passphrase("a", old=SEALED_BY, new=OTHER).sealed
    refused(lambda: store.open("a", SEALED_BY), "does not open")
    assert store.open("a", OTHER) == Signer.from_seed(SEED)
    assert not store.change_passphrase("a", old=lambda _: OTHER, new=None).sealed
    assert store.open("a") == Signer.from_seed(SEED)
    store.import_words("paper", WORDS, passphrase=SEALED_BY)
    store.derive("me", words="paper", ledger_id=LEDGER, passphrase=SEALED_BY)
    refused(lambda: store.change_passphrase("me", old=SEALED_BY, new=OTHER), "no secret of its own")
    store.change_passphrase("paper", old=SEALED_BY, new=OTHER)
    assert store.open("me", OTHER).did == store.info("me").did


@pytest.mark.parametrize("bits", [0o644, 0o640, 0o604, 0o660, 0o610])
def test_files_open_to_others_are_refused(store, bits):
    store.create_key("a", passphrase=None, seed=SEED)
    path = store.directory / "a.json"
    path.chmod(bits)
    error = refused(lambda: store.open("a"), "open to other users")
    assert error.hint == f"chmod 600 {path}"
    assert store.list()[0].sort == "damaged"
    path.chmod(0o600)
    assert store.open("a").did


@pytest.mark.parametrize("bits", [0o755, 0o711, 0o770])
def test_a_directory_open_to_others_is_refused(store, bits):
    store.create_key("a", passphrase=None, seed=SEED)
    store.directory.chmod(bits)
    for call in (
        lambda: store.open("a"),
        store.list,
        lambda: store.create_key("b", passphrase=None),
        lambda: store.change_passphrase("a", old=None, new=SEALED_BY),
    ):
        assert refused(call, "open to other users").hint == f"chmod 700 {store.directory}"


def test_files_of_another_user_are_refused(store, monkeypatch):
    store.create_key("a", passphrase=None)
    stranger = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: stranger)
    refused(lambda: store.open("a"), "belongs to another user")


def test_links_and_directories_in_place_of_a_file_are_refused(store):
    store.create_key("a", passphrase=None)
    (store.directory / "link.json").symlink_to(store.directory / "a.json")
    refused(lambda: store.open("link"), "cannot be used")
    (store.directory / "dir.json").mkdir()
    refused(lambda: store.open("dir"), "cannot be used")


def test_a_file_in_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "keys").write_text("")
    refused(lambda: Keystore(tmp_path / "keys").create_key("a", passphrase=None), "cannot be used")


@pytest.mark.parametrize("passphrase", [None, SEALED_BY])
def test_a_truncated_file_is_damaged_at_every_length(store, passphrase):
    store.create_key("a", passphrase=passphrase, seed=SEED)
    path = store.directory / "a.json"
    whole = path.read_bytes()
    for length in range(len(whole) - 2):
        path.write_bytes(whole[:length])
        refused(lambda: store.info("a"), "is damaged")
    assert store.list() == (KeyInfo(name="a", sort="damaged", problem=store.list()[0].problem),)


def rewrite(store, name, change):
    path = store.directory / f"{name}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda file: file.update(version=2), "version 2"),
        (lambda file: file.update(sort="other"), "damaged"),
        (lambda file: file.update(extra=1), "damaged"),
        (lambda file: file.pop("did"), "damaged"),
        (lambda file: file.update(name="b"), "under the name b"),
        (lambda file: file.update(did=Signer.from_seed(bytes(32)).did), "does not open"),
        (lambda file: file["secret"].update(n=1024), "damaged"),
        (lambda file: file["secret"].update(n=2**30), "damaged"),
        (lambda file: file["secret"].update(salt="AAAA"), "damaged"),
        (lambda file: file["secret"].update(salt="?"), "damaged"),
        (lambda file: file["secret"].update(salt="A" * 22 + "=="), "does not open"),
        (lambda file: file["secret"].update(nonce="A" * 16), "does not open"),
        (lambda file: file["secret"].update(ciphertext=""), "does not open"),
        (lambda file: file["secret"].update(ciphertext="\u00e4"), "damaged"),
        (lambda file: file.update(sort="words") or file.pop("did"), "does not open"),
    ],
)
def test_an_altered_file_is_refused(store, change, match):
    store.create_key("a", passphrase=SEALED_BY, seed=SEED)
    rewrite(store, "a", change)
    refused(lambda: store.change_passphrase("a", old=SEALED_BY, new=OTHER), match)


@pytest.mark.parametrize("content", [b"", b"null", b"[]", b"\xff", b"[" * 9000, b"{" + b" " * 20_000 + b"}"])
def test_files_that_are_no_key_files_are_refused(store, content):
    store.create_key("a", passphrase=None)
    (store.directory / "a.json").write_bytes(content)
    refused(lambda: store.open("a"), "damaged|larger")


def test_an_unsealed_key_under_another_did_is_refused(store):
    store.create_key("a", passphrase=None, seed=SEED)
    rewrite(store, "a", lambda file: file.update(did=Signer.from_seed(bytes(32)).did))
    refused(lambda: store.open("a"), "its secret yields")


def test_replaced_or_lost_words_are_noticed(store):
    store.import_words("paper", WORDS, passphrase=None)
    store.derive("me", words="paper", ledger_id=LEDGER)
    (store.directory / "paper.json").unlink()
    assert "cannot be read" in store.info("me").problem
    assert "cannot be read" in store.list()[0].problem
    refused(lambda: store.open("me"), "no key named paper")
    store.create_words("paper", passphrase=None)
    assert not store.info("me").problem
    refused(lambda: store.open("me"), "its secret yields")


def test_a_secret_of_the_wrong_sort_under_the_right_seal_is_refused():
    file = keyfile.KeyFile(
        version=1, name="a", did="", secret=keyfile.WordsSecret(entropy=ENTROPY, passphrase="")
    )
    sealed = keyfile.sealed(file, passphrase=SEALED_BY)
    refused(lambda: keyfile.unsealed(sealed, passphrase=SEALED_BY), "no secret of its sort")
    with pytest.raises(TypeError, match="sealed already"):
        keyfile.sealed(sealed, passphrase=SEALED_BY)


def test_secrets_do_not_show_in_reprs(store):
    key = keyfile.KeyFile(version=1, name="a", did="", secret=keyfile.KeySecret(seed=SEED.hex()))
    words = keyfile.WordsFile(
        version=1, name="w", secret=keyfile.WordsSecret(entropy=ENTROPY, passphrase=PAPER)
    )
    store.import_words("paper", WORDS, passphrase=None, words_passphrase=PAPER)
    shown = repr([key, words, str(key), store.open_seed("paper"), store, store.list()])
    assert all(secret not in shown for secret in SECRETS)


@settings(max_examples=50, deadline=None)
@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.sampled_from([None, LEDGER]),
)
def test_key_files_round_trip(seed, scope, index, ledger):
    kept = [
        keyfile.KeyFile(version=1, name="a", did="did", secret=keyfile.KeySecret(seed=seed.hex())),
        keyfile.WordsFile(
            version=1, name="a", secret=keyfile.WordsSecret(entropy=seed.hex(), passphrase=PAPER)
        ),
        keyfile.DerivedFile(
            version=1, name="a", did="did", words="w", ledger=ledger, scope=scope, index=index
        ),
    ]
    for file in kept:
        encoded = keyfile.encode(file)
        assert keyfile.decode(encoded, name="a") == file
        assert keyfile.encode(keyfile.decode(encoded, name="a")) == encoded


def test_sealing_twice_shares_nothing():
    file = keyfile.KeyFile(version=1, name="a", did="did", secret=keyfile.KeySecret(seed=SEED.hex()))
    boxes = [msgspec.to_builtins(keyfile.sealed(file, passphrase=SEALED_BY).secret) for _ in range(2)]
    assert all(boxes[0][part] != boxes[1][part] for part in ("salt", "nonce", "ciphertext"))


# Faults of the disk. Each leaves the directory as it was.


@pytest.fixture
def no_room():
    """Let no file grow past 64 bytes: writing fails as on a full disk (EFBIG, where a full disk says ENOSPC)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_room_for_a_new_file(store, no_room):
    refused(lambda: store.create_key("a", passphrase=None, seed=SEED), "no room")
    assert [path.name for path in store.directory.iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("code", "match"),
    [
        (errno.ENOSPC, "no room"),
        (errno.EDQUOT, "no room"),
        (errno.EROFS, "cannot be read or written"),
        (errno.EIO, "cannot be used"),
    ],
)
@pytest.mark.parametrize("call", ["open", "fsync", "link", "replace"])
def test_every_step_of_a_write_may_fail(store, monkeypatch, call, code, match):
    store.create_key("a", passphrase=None, seed=SEED)
    before = (store.directory / "a.json").read_bytes()
    genuine = getattr(os, call)

    def fail(*args, **options):
        if call == "open" and not args[1] & os.O_EXCL:
            return genuine(*args, **options)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)
    if call == "link":
        refused(lambda: store.create_key("b", passphrase=None, seed=SEED), match)
    elif call == "replace":
        monkeypatch.setattr(Path, "replace", fail)
        refused(lambda: store.change_passphrase("a", old=None, new=SEALED_BY), match)
    else:
        refused(lambda: store.create_key("b", passphrase=None, seed=SEED), match)
        refused(lambda: store.change_passphrase("a", old=None, new=SEALED_BY), match)
    monkeypatch.undo()
    assert {path.name for path in store.directory.iterdir()} == {"a.json", ".lock"}
    assert (store.directory / "a.json").read_bytes() == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes into read-only directories")
def test_a_read_only_directory_is_refused(store):
    store.create_key("a", passphrase=None)
    store.directory.chmod(0o500)
    refused(lambda: store.create_key("b", passphrase=None), "cannot be read or written")


def test_a_file_system_without_hard_links_still_overwrites_nothing(store, monkeypatch):
    def no_links(*_args, **_options):
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", no_links)
    info = store.create_key("a", passphrase=None)
    assert store.open("a").did == info.did
    refused(lambda: store.create_key("a", passphrase=None), "named a already")
    assert store.open("a").did == info.did


@pytest.mark.parametrize("step", ["os.link", "pathlib.Path.replace"])
def test_a_crash_between_writing_and_naming_changes_nothing(store, step):
    store.create_key("a", passphrase=None)
    before = (store.directory / "a.json").read_bytes()
    program = f"""
        import os, pathlib
        from pseudoledger.identity.keystore import Keystore
        {step} = lambda *_: os._exit(9)
        store = Keystore(pathlib.Path({str(store.directory)!r}))
        {"store.create_key('b', passphrase=None)" if step == "os.link" else "store.change_passphrase('a', old=None, new='x')"}
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=False, timeout=60)
    assert done.returncode == 9
    assert len(list(store.directory.glob(".new-*"))) == 1
    assert [info.name for info in store.list()] == ["a"]
    assert (store.directory / "a.json").read_bytes() == before
    store.create_key("b", passphrase=None)
    assert not list(store.directory.glob(".new-*"))


def test_pseudonyms_derived_at_once_get_scopes_of_their_own(store):
    store.import_words("paper", WORDS, passphrase=None)

    def derive(number):
        return Keystore(store.directory).derive(f"me{number}", words="paper", ledger_id=LEDGER).scope

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(derive, range(16))) == list(range(16))


def test_too_open_errors_name_the_repair(tmp_path):
    path = tmp_path / "x"
    path.write_text("")
    path.chmod(0o644)
    with pytest.raises(files.PermissionsTooOpen) as caught:
        files.read_private(path, size_max=1)
    assert caught.value.repair == f"chmod 600 {path}"
