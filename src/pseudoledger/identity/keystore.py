"""Keys at rest: one private file per name, in a directory outside every ledger.

Implements docs/spec/identity.md, section 4. The directory has mode 0700 and each file 0600; anything more
open is refused. Files appear whole or not at all, and an existing name is never overwritten. Listing and
finding need no passphrase. Errors are KeystoreError with a hint, and never show a secret.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import platformdirs

from pseudoledger.errors import KeystoreError, MalformedError
from pseudoledger.identity import derivation, files, keyfile
from pseudoledger.identity.derivation import Seed
from pseudoledger.identity.keyfile import DerivedFile, KeyFile, KeySecret, Sealed, WordsFile, WordsSecret
from pseudoledger.identity.keys import Signer

Passphrase: TypeAlias = str | Callable[[str], str] | None
"""A passphrase, or a function that asks for the one of the named file, called only when it is needed."""

_ENDING = ".json"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """What a key file tells without its passphrase.

    `sort` is "key", "words", "derived" or "damaged"; `did` is "" for words and damaged files, and `problem`
    says what is wrong with those. `sealed` is true where opening needs a passphrase. `words`, `ledger_id`,
    `scope` and `index` say where a derived key comes from; `ledger_id` is None for keys of no ledger.
    """

    name: str
    sort: str
    did: str = ""
    sealed: bool = False
    words: str = ""
    ledger_id: str | None = None
    scope: int = 0
    index: int = 0
    problem: str = ""


def keys_directory(environ: Mapping[str, str]) -> Path:
    """Return the directory of the key files: PSEUDOLEDGER_KEYS, or `keys` in the user's data directory."""
    chosen = environ.get("PSEUDOLEDGER_KEYS")
    if chosen:
        return Path(chosen)
    return platformdirs.user_data_path("pseudoledger", appauthor=False) / "keys"


class Keystore:
    """The key files of one directory, which is made with the first file.

    Writers wait for each other through a lock file; readers need no lock. Every method raises KeystoreError.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def create_key(self, name: str, *, passphrase: str | None, seed: bytes | None = None) -> KeyInfo:
        """Store a fresh single key, or that of a 32-byte seed; unsealed if there is no passphrase.

        Raises MalformedError too, for a seed of another length.
        """
        signer_seed = os.urandom(32) if seed is None else seed
        secret = KeySecret(seed=signer_seed.hex())
        did = Signer.from_seed(signer_seed).did
        return self._create(KeyFile(version=1, name=name, did=did, secret=secret), passphrase)

    def create_words(
        self, name: str, *, passphrase: str | None, count: int = 24, words_passphrase: str = ""
    ) -> str:
        """Store fresh words and return them, to be written down on paper and shown to nobody."""
        words = derivation.fresh_words(count)
        self.import_words(name, words, passphrase=passphrase, words_passphrase=words_passphrase)
        return words

    def import_words(
        self, name: str, words: str, *, passphrase: str | None, words_passphrase: str = ""
    ) -> KeyInfo:
        """Store words that exist on paper. Words of a wallet should not be used again here."""
        try:
            entropy = derivation.entropy_from_words(words)
        except MalformedError as error:
            raise KeystoreError(error.message, hint="compare with the paper, word by word") from None
        secret = WordsSecret(entropy=entropy.hex(), passphrase=words_passphrase)
        return self._create(WordsFile(version=1, name=name, secret=secret), passphrase)

    def derive(
        self,
        name: str,
        *,
        words: str,
        ledger_id: str | None,
        passphrase: Passphrase = None,
        scope: int | None = None,
        index: int | None = None,
    ) -> KeyInfo:
        """Store a pseudonym derived from the words file `words`, for a ledger (None: for no ledger).

        Without a scope the next unused one; with a scope and no index, its next unused index (a rotation).
        """
        keyfile.check_name(name)
        seed = self.open_seed(words, passphrase)
        with self._writing():
            siblings = [info for info in self.list() if info.sort == "derived" and info.words == words]
            _refuse_shared_step(ledger_id, siblings)
            here = [info for info in siblings if info.ledger_id == ledger_id]
            if scope is None:
                scope = max((info.scope for info in here), default=-1) + 1
            if index is None:
                index = max((info.index for info in here if info.scope == scope), default=-1) + 1
            try:
                did = seed.signer(ledger_id, scope, index).did
            except MalformedError as error:
                raise KeystoreError(error.message, hint=error.hint) from error
            for info in here:
                if info.did == did:
                    raise KeystoreError(
                        f"this pseudonym is stored already, as {info.name}", hint="use that name"
                    )
            file = DerivedFile(
                version=1, name=name, did=did, words=words, ledger=ledger_id, scope=scope, index=index
            )
            self._write_new(file)
        return self.info(name)

    def list(self) -> tuple[KeyInfo, ...]:
        """Return what each file tells, sorted by name; damaged files are listed as such."""
        if not self.directory.exists():
            return ()
        with _explained(self.directory):
            files.check_private(self.directory, self.directory.stat())
            names = sorted(path.name.removesuffix(_ENDING) for path in self.directory.glob(f"*{_ENDING}"))
        read: dict[str, keyfile.AnyFile | KeystoreError] = {}
        for name in names:
            try:
                read[name] = self._read(name)
            except KeystoreError as error:
                read[name] = error
        return tuple(_info(name, file, read.get) for name, file in read.items())

    def info(self, name: str) -> KeyInfo:
        """Return what the named file tells without its passphrase."""
        file = self._read(name)
        found: dict[str, keyfile.AnyFile | KeystoreError] = {}
        if isinstance(file, DerivedFile):
            with contextlib.suppress(KeystoreError):
                found[file.words] = self._read(file.words)
        return _info(name, file, found.get)

    def find(self, did: str) -> KeyInfo:
        """Return the file that holds the key of a did."""
        for info in self.list():
            if info.did == did:
                return info
        raise KeystoreError(f"no key file holds the key of {did}", hint=f"the keys are in {self.directory}")

    def open(self, name: str, passphrase: Passphrase = None) -> Signer:
        """Return the signer of a single or derived key. A passphrase is asked for only if one is needed."""
        file = self._read(name)
        if isinstance(file, WordsFile):
            raise KeystoreError(
                f"{name} holds words, which do not sign", hint="derive a pseudonym from them and sign as that"
            )
        if isinstance(file, DerivedFile):
            signer = self.open_seed(file.words, passphrase).signer(file.ledger, file.scope, file.index)
        else:
            signer = Signer.from_seed(bytes.fromhex(_key_secret(file, passphrase).seed))
        if signer.did != file.did:
            raise KeystoreError(
                f"the key file {name} names {file.did}, but its secret yields {signer.did}",
                hint="its words were replaced or the file was edited; restore it from a backup",
            )
        return signer

    def open_seed(self, name: str, passphrase: Passphrase = None) -> Seed:
        """Return the seed of a words file, to derive from or to scan a ledger with."""
        secret = self._words_secret(name, passphrase)
        return Seed.from_words(_words(secret), passphrase=secret.passphrase)

    def reveal_words(self, name: str, passphrase: Passphrase = None) -> str:
        """Return the words of a words file, to be written down again."""
        return _words(self._words_secret(name, passphrase))

    def change_passphrase(self, name: str, *, old: Passphrase, new: str | None) -> KeyInfo:
        """Seal the file under a new passphrase, or leave it unsealed with None."""
        with self._writing():
            file = self._read(name)
            if isinstance(file, DerivedFile):
                raise KeystoreError(
                    f"{name} holds no secret of its own", hint=f"change the passphrase of {file.words}"
                )
            bare = keyfile.unsealed(file, passphrase=_ask(file, old))
            changed = bare if new is None else keyfile.sealed(bare, passphrase=new)
            with _explained(self._path(name)):
                files.replace_private(self._path(name), keyfile.encode(changed))
        return self.info(name)

    def _words_secret(self, name: str, passphrase: Passphrase) -> WordsSecret:
        file = self._read(name)
        if not isinstance(file, WordsFile):
            raise KeystoreError(f"{name} is a {_sort(file)}, not words", hint="name a words file")
        secret = keyfile.unsealed(file, passphrase=_ask(file, passphrase)).secret
        if not isinstance(secret, WordsSecret):
            raise TypeError("an unsealed words file holds a words secret")
        return secret

    def _create(self, file: keyfile.SecretFile, passphrase: str | None) -> KeyInfo:
        keyfile.check_name(file.name)
        kept = file if passphrase is None else keyfile.sealed(file, passphrase=passphrase)
        with self._writing():
            self._write_new(kept)
        return self.info(file.name)

    def _write_new(self, file: keyfile.AnyFile) -> None:
        path = self._path(file.name)
        with _explained(path):
            try:
                files.create_private(path, keyfile.encode(file))
            except FileExistsError:
                raise KeystoreError(
                    f"there is a key named {file.name} already",
                    hint="choose another name; keys are never overwritten",
                ) from None

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Make the directory if need be and hold its lock."""
        with contextlib.ExitStack() as stack:
            with _explained(self.directory):
                files.make_private_directory(self.directory)
                stack.enter_context(files.locked(self.directory))
            yield

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}{_ENDING}"

    def _read(self, name: str) -> keyfile.AnyFile:
        keyfile.check_name(name)
        path = self._path(name)
        with _explained(path):
            try:
                files.check_private(self.directory, self.directory.stat())
                content = files.read_private(path, size_max=keyfile.FILE_BYTES_MAX)
            except FileNotFoundError:
                raise KeystoreError(
                    f"there is no key named {name} in {self.directory}", hint=self._near(name)
                ) from None
        return keyfile.decode(content, name=name)

    def _near(self, name: str) -> str:
        """Return a hint with the names most like a missing one."""
        names = sorted(path.name.removesuffix(_ENDING) for path in self.directory.glob(f"*{_ENDING}"))
        near = difflib.get_close_matches(name, names, n=3)
        if near:
            return f"did you mean {' or '.join(near)}?"
        return f"names there: {', '.join(names[:20])}" if names else "no key is stored there yet"


def _info(
    name: str,
    file: keyfile.AnyFile | KeystoreError,
    look_up: Callable[[str], keyfile.AnyFile | KeystoreError | None],
) -> KeyInfo:
    """Return what a parsed or damaged file tells; `look_up` finds the words file of a derived key."""
    match file:
        case KeystoreError():
            return KeyInfo(name=name, sort="damaged", problem=file.message)
        case KeyFile():
            return KeyInfo(name=name, sort="key", did=file.did, sealed=isinstance(file.secret, Sealed))
        case WordsFile():
            return KeyInfo(name=name, sort="words", sealed=isinstance(file.secret, Sealed))
        case DerivedFile():
            words = look_up(file.words)
            return KeyInfo(
                name=name,
                sort="derived",
                did=file.did,
                sealed=isinstance(words, WordsFile) and isinstance(words.secret, Sealed),
                words=file.words,
                ledger_id=file.ledger,
                scope=file.scope,
                index=file.index,
                problem="" if isinstance(words, WordsFile) else f"its words file {file.words} cannot be read",
            )


def _refuse_shared_step(ledger_id: str | None, siblings: list[KeyInfo]) -> None:
    """Refuse a ledger whose path step another ledger has: one key on both would link its pseudonyms."""
    try:
        step = derivation.ledger_step(ledger_id)
    except MalformedError as error:
        raise KeystoreError(error.message, hint=error.hint) from error
    for info in siblings:
        if info.ledger_id != ledger_id and derivation.ledger_step(info.ledger_id) == step:
            raise KeystoreError(
                f"ledgers {ledger_id} and {info.ledger_id} would get the same keys: their ids begin alike",
                hint="use other words for one of them, or anybody could link your pseudonyms on both",
            )


def _ask(file: keyfile.SecretFile, passphrase: Passphrase) -> str | None:
    """Return the passphrase for a file, calling the asker only for a sealed one."""
    if not isinstance(file.secret, Sealed):
        return None
    return passphrase(file.name) if callable(passphrase) else passphrase


def _key_secret(file: KeyFile, passphrase: Passphrase) -> KeySecret:
    secret = keyfile.unsealed(file, passphrase=_ask(file, passphrase)).secret
    if not isinstance(secret, KeySecret):
        raise TypeError("an unsealed key file holds a key secret")
    return secret


def _words(secret: WordsSecret) -> str:
    return derivation.words_from_entropy(bytes.fromhex(secret.entropy))


def _sort(file: keyfile.AnyFile) -> str:
    return "single key" if isinstance(file, KeyFile) else "derived key"


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn an OSError into a KeystoreError that says what to do."""
    try:
        yield
    except files.PermissionsTooOpen as error:
        raise KeystoreError(f"{error.message}; keys are not read from there", hint=error.repair) from error
    except OSError as error:
        if error.errno in _FULL:
            raise KeystoreError(
                f"no room to write {path}", hint="free some space and try again; nothing was changed"
            ) from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise KeystoreError(
                f"{path} cannot be read or written: {error.strerror}",
                hint="check its owner and mode, or choose another directory with PSEUDOLEDGER_KEYS",
            ) from error
        raise KeystoreError(f"{path} cannot be used: {error.strerror}", hint="check the disk") from error
