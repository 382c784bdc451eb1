"""The format of one key file: its JSON, and how its secret is sealed under a passphrase.

Implements docs/spec/identity.md, section 4. Three sorts: a single key (32-byte seed), words (BIP-39 entropy
and BIP-39 passphrase), and a derived key, which holds no secret and points to its words. A sealed secret is
ChaCha20-Poly1305 (RFC 8439) under a key from scrypt (RFC 7914), with the rest of the file as associated data.
Nothing here touches the disk. No error and no repr of this module shows a secret.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import unicodedata
from typing import Annotated, Literal, TypeAlias

import msgspec
import rfc8785
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from pseudoledger.errors import KeystoreError

VERSION = 1
FILE_BYTES_MAX = 16_384

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Hex32: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Step: TypeAlias = Annotated[int, msgspec.Meta(ge=0, lt=2**31)]


class Sealed(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="held", tag="sealed"
):
    """A secret under a passphrase; in base64 `salt` (16 bytes), `nonce` (12), `ciphertext` with its tag."""

    kdf: Literal["scrypt"]
    n: Literal[32_768]
    r: Literal[8]
    p: Literal[1]
    salt: str
    cipher: Literal["chacha20-poly1305"]
    nonce: str
    ciphertext: str


class KeySecret(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="held", tag="plain"
):
    """The secret of a single key: its Ed25519 seed."""

    seed: Hex32

    def __repr__(self) -> str:
        return "KeySecret(…)"


class WordsSecret(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="held", tag="plain"
):
    """The secret behind words: BIP-39 entropy in hex, and the BIP-39 passphrase or ""."""

    entropy: Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{8}){4,8}\Z")]
    passphrase: str

    def __repr__(self) -> str:
        return "WordsSecret(…)"


class KeyFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="sort", tag="key"
):
    """A single key."""

    version: Literal[1]
    name: str
    did: str
    secret: Sealed | KeySecret


class WordsFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="sort", tag="words"
):
    """Words from which pseudonyms are derived."""

    version: Literal[1]
    name: str
    secret: Sealed | WordsSecret


class DerivedFile(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="sort", tag="derived"
):
    """A pseudonym derived from the words of that name; `ledger` is a ledger id, or null for keys of none."""

    version: Literal[1]
    name: str
    did: str
    words: str
    ledger: Hex32 | None
    scope: Step
    index: Step


AnyFile: TypeAlias = KeyFile | WordsFile | DerivedFile
SecretFile: TypeAlias = KeyFile | WordsFile
Secret: TypeAlias = KeySecret | WordsSecret


class _Version(msgspec.Struct):
    version: int


def check_name(name: str) -> None:
    """Raise KeystoreError unless the name is `[a-z0-9][a-z0-9._-]{0,63}`."""
    if not _NAME.fullmatch(name):
        raise KeystoreError(
            f"{name!r} is not a key name",
            hint="use 1 to 64 of a-z, 0-9, dot, underscore and hyphen, beginning with a letter or digit",
        )


def encode(file: AnyFile) -> bytes:
    """Return the bytes of a key file: JSON, two spaces of indent, a newline at the end."""
    return json.dumps(msgspec.to_builtins(file), indent=2, ensure_ascii=True).encode("ascii") + b"\n"


def decode(content: bytes, *, name: str) -> AnyFile:
    """Return the parsed file of that name. Raises KeystoreError if it is not a key file of this version."""
    if len(content) > FILE_BYTES_MAX:
        raise KeystoreError(f"the key file {name} is larger than {FILE_BYTES_MAX} bytes", hint=_RESTORE)
    try:
        version = msgspec.json.decode(content, type=_Version).version
        if version != VERSION:
            raise KeystoreError(
                f"the key file {name} has version {version}, this program reads version {VERSION}",
                hint="use the release that wrote it, or a newer one",
            )
        file: AnyFile = msgspec.json.decode(content, type=AnyFile)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        # The parser's own text may quote the file; it is left out, because the file may hold a bare secret.
        raise KeystoreError(
            f"the key file {name} is damaged: not the JSON of a key file", hint=_RESTORE
        ) from None
    if file.name != name:
        raise KeystoreError(
            f"the key file {name} was written under the name {file.name}",
            hint=f"give it back its name, {file.name}.json; the name is part of what is sealed",
        )
    return file


def sealed(file: SecretFile, *, passphrase: str) -> SecretFile:
    """Return the file with its bare secret sealed. Raises KeystoreError for an empty passphrase."""
    secret = file.secret
    if isinstance(secret, Sealed):
        raise TypeError("the secret is sealed already")
    box = Sealed(
        kdf="scrypt",
        n=32_768,
        r=8,
        p=1,
        salt=_base64(os.urandom(16)),
        cipher="chacha20-poly1305",
        nonce=_base64(os.urandom(12)),
        ciphertext="",
    )
    cipher = ChaCha20Poly1305(_sealing_key(passphrase, box, name=file.name))
    ciphertext = cipher.encrypt(
        _bytes(box.nonce, 12, name=file.name),
        rfc8785.dumps(msgspec.to_builtins(secret)),
        associated_data(file, box),
    )
    return msgspec.structs.replace(file, secret=msgspec.structs.replace(box, ciphertext=_base64(ciphertext)))


def unsealed(file: SecretFile, *, passphrase: str | None) -> SecretFile:
    """Return the file with its secret bare. Raises KeystoreError for a wrong passphrase."""
    box = file.secret
    if not isinstance(box, Sealed):
        return file
    if passphrase is None:
        raise KeystoreError(f"the key file {file.name} is sealed", hint="give its passphrase")
    cipher = ChaCha20Poly1305(_sealing_key(passphrase, box, name=file.name))
    nonce = _bytes(box.nonce, 12, name=file.name)
    ciphertext = _bytes(box.ciphertext, None, name=file.name)
    try:
        opened = cipher.decrypt(nonce, ciphertext, associated_data(file, box))
    except InvalidTag:
        raise KeystoreError(
            f"the passphrase does not open the key file {file.name}, or the file was altered",
            hint="try again; a lost passphrase cannot be recovered, words written down can be imported anew",
        ) from None
    try:
        if isinstance(file, KeyFile):
            return msgspec.structs.replace(file, secret=msgspec.json.decode(opened, type=KeySecret))
        return msgspec.structs.replace(file, secret=msgspec.json.decode(opened, type=WordsSecret))
    except msgspec.DecodeError:
        raise KeystoreError(f"the key file {file.name} holds no secret of its sort", hint=_RESTORE) from None


def associated_data(file: SecretFile, box: Sealed) -> bytes:
    """Return what a seal covers besides the secret: RFC 8785 bytes of the file with an empty ciphertext."""
    bare = msgspec.structs.replace(file, secret=msgspec.structs.replace(box, ciphertext=""))
    return rfc8785.dumps(msgspec.to_builtins(bare))


_RESTORE = "restore it from a backup, or import the words again"


def _sealing_key(passphrase: str, box: Sealed, *, name: str) -> bytes:
    """Return the 32-byte key of a passphrase (UTF-8 of its NFC form); takes 32 MiB and about 0.1 s."""
    if not passphrase:
        raise KeystoreError(
            "an empty passphrase seals nothing", hint="give a passphrase, or ask for an unsealed file"
        )
    scrypt = Scrypt(salt=_bytes(box.salt, 16, name=name), length=32, n=box.n, r=box.r, p=box.p)
    return scrypt.derive(unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass"))


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _bytes(text: str, length: int | None, *, name: str) -> bytes:
    """Decode a base64 field of a key file strictly. Raises KeystoreError."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = None
    if value is None or (length is not None and len(value) != length):
        raise KeystoreError(f"the key file {name} is damaged: a sealed field is not base64", hint=_RESTORE)
    return value
