"""Ed25519 keys as did:key, signing, and the one predicate that accepts a signature.

Implements docs/spec/identity.md, sections 1 and 2. A pseudonym is the did:key text of a public key. A
signature is accepted if and only if (a) the key is the canonical encoding of a point of the prime-order
subgroup other than the identity, (b) S < L, (c) R is canonical and not of small order, (d) R = SB - kA
without the cofactor.
libsodium checks (b), (c) and (d) when it opens a signed message, and (a) as a point check, done once per key.
`self_test` shows that the libsodium at hand really does.

libsodium signs too (ADR 26). pyca/cryptography does neither: it accepts the identity point as a key for any message.
Nothing here reads files, the environment or the clock; keys at rest are in `keystore`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

import base58
from nacl.bindings import (
    crypto_core_ed25519_is_valid_point,
    crypto_sign,
    crypto_sign_open,
    crypto_sign_seed_keypair,
)
from nacl.exceptions import BadSignatureError, UnavailableError

from pseudoledger.errors import InvalidSignature, MalformedError, VerificationError
from pseudoledger.identity.verdicts import VERDICTS

DID_PREFIX = "did:key:z"
DID_LENGTH = 56
"""Characters of every did:key over Ed25519: 34 bytes that begin with 0xed always take 47 base58 digits."""

KEY_BYTES = 32
SIGNATURE_BYTES = 64

CACHED_DIDS_MAX = 131_072
"""Dids whose key is remembered after its point check; about 45 MB when full."""

CACHED_KEYS_MAX = 8_192
"""Keys given as bytes whose point check, or did text, is remembered."""

_MULTICODEC_ED25519 = b"\xed\x01"
_CHUNK_MIN = 16
_CHUNKS_PER_WORKER = 4


class Signed(NamedTuple):
    """One signature to judge: who signed (did or 32 key bytes), the exact message, the 64 signature bytes."""

    signer: str | bytes
    message: bytes
    signature: bytes


def did_from_key(key: bytes) -> str:
    """Return the did:key of an Ed25519 public key of 32 bytes (spec 1).

    Raises MalformedError for a key that no signature is ever accepted for.
    """
    return _did_from_checked_key(key)


@functools.lru_cache(maxsize=CACHED_DIDS_MAX)
def key_from_did(did: str) -> bytes:
    """Return the 32 key bytes of a did:key, which must be canonical and name an acceptable key (spec 1).

    Results are cached, refusals are not. Raises MalformedError.
    """
    if len(did) != DID_LENGTH or not did.startswith(DID_PREFIX):
        raise MalformedError(
            f"not a did:key over Ed25519: expected {DID_LENGTH} characters that start with {DID_PREFIX}6Mk",
            code="did.form",
        )
    try:
        decoded = base58.b58decode(did[len(DID_PREFIX) :])
    except ValueError as error:
        raise MalformedError("not a did:key: its text is not base58btc", code="did.form") from error
    key = decoded[2:]
    if decoded[:2] != _MULTICODEC_ED25519 or len(key) != KEY_BYTES:
        raise MalformedError(
            "not a did:key over Ed25519: expected the bytes ed 01 and a key of 32 bytes", code="did.form"
        )
    if _did_text(key) != did:
        raise MalformedError("the did:key is not in its canonical form", code="did.form")
    _check_key(key)
    return key


def verify(signer: str | bytes, message: bytes, signature: bytes) -> None:
    """Accept the signature or raise InvalidSignature: the one predicate of the whole program (spec 2).

    `signer` is a did:key or 32 key bytes. The first call of a process runs `self_test`, which raises
    VerificationError when this installation cannot be trusted to judge.
    """
    try:
        key = key_from_did(signer) if isinstance(signer, str) else _checked_key(signer)
    except MalformedError as error:
        raise InvalidSignature(f"no signature is accepted for this signer: {error.message}") from error
    if len(signature) != SIGNATURE_BYTES:
        raise InvalidSignature(f"an Ed25519 signature has 64 bytes, this one has {len(signature)}")
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        raise InvalidSignature("the signature does not match this key and message") from None


def verify_chunk(items: Sequence[Signed]) -> list[InvalidSignature | None]:
    """Judge the items in the calling thread: None where accepted, else the error that `verify` raises."""
    results: list[InvalidSignature | None] = []
    for signer, message, signature in items:
        try:
            verify(signer, message, signature)
        except InvalidSignature as error:
            results.append(error.with_traceback(None))
        else:
            results.append(None)
    return results


def verify_many(items: Sequence[Signed], *, workers: int | None = None) -> list[InvalidSignature | None]:
    """Judge many signatures on all cores: for each item None where accepted, else an InvalidSignature.

    libsodium runs outside the interpreter lock, so threads suffice. `workers` is the number of threads, by
    default one for each core this process may use. Raises VerificationError as `verify` does.
    """
    if len(items) <= _CHUNK_MIN:
        return verify_chunk(items)
    threads = workers if workers is not None else cores()
    size = max(_CHUNK_MIN, -(-len(items) // (max(threads, 1) * _CHUNKS_PER_WORKER)))
    if threads <= 1 or len(items) <= size:
        return verify_chunk(items)
    chunks = [items[start : start + size] for start in range(0, len(items), size)]
    results: list[InvalidSignature | None] = []
    for part in _threads(threads).map(verify_chunk, chunks):
        results.extend(part)
    return results


def cores() -> int:
    """Return the number of cores this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0)) or 1
    return os.cpu_count() or 1


def self_test() -> None:
    """Judge recorded signatures and raise VerificationError if one verdict differs (about 1 ms).

    It tells apart a libsodium whose point check lets keys of order 2L through (CVE-2025-69277, in the wheels
    of PyNaCl before 1.6.2; only one key of CCTV shows it), one that verifies with the cofactor, and an
    OpenSSL-like acceptance of the identity point. It runs by itself before the first key is accepted.
    """
    for case in VERDICTS:
        try:
            accepted = _accepts(case.key, case.message, case.signature)
        except UnavailableError as error:
            raise VerificationError(
                "this libsodium has no check of Ed25519 points",
                hint="install PyNaCl 1.6.2 or newer from a wheel",
            ) from error
        if accepted != case.accepted:
            raise VerificationError(
                f"this installation {'accepts' if accepted else 'refuses'} the recorded signature"
                f" {case.source} ({case.shows}), so it cannot judge signatures as every other node does",
                hint="install the versions of the lock file: PyNaCl 1.6.2 or newer with its own libsodium",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A private key that signs. Its repr shows the did alone, and it refuses to be pickled.

    Equal when the public keys are equal. Make one with `generate` or `from_seed`.
    """

    did: str
    public_key: bytes = field(repr=False)
    _private: bytes = field(repr=False, compare=False)
    """Seed and public key, one after the other, as libsodium takes them."""

    @classmethod
    def generate(cls) -> Signer:
        """Return a signer with a fresh random key."""
        return cls.from_seed(os.urandom(32))

    @classmethod
    def from_seed(cls, seed: bytes) -> Signer:
        """Return the signer of a 32-byte Ed25519 seed (RFC 8032, 5.1.5). Raises MalformedError."""
        if len(seed) != KEY_BYTES:
            raise MalformedError(f"an Ed25519 seed has 32 bytes, this one has {len(seed)}", code="seed.form")
        public, private = crypto_sign_seed_keypair(seed)
        return cls(did=did_from_key(public), public_key=public, _private=private)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 signature bytes over the message (RFC 8032, pure Ed25519)."""
        return crypto_sign(message, self._private)[:SIGNATURE_BYTES]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Signer holds a private key and is not pickled; hand over its key file's name")

    def __copy__(self) -> Signer:
        return self

    def __deepcopy__(self, memo: object) -> Signer:
        return self


def _did_text(key: bytes) -> str:
    """Return the did:key text of 32 bytes, whatever they are."""
    return DID_PREFIX + base58.b58encode(_MULTICODEC_ED25519 + key).decode("ascii")


def _check_key(key: bytes) -> None:
    """Refuse a key that is no canonical point of the prime-order subgroup, or the identity (spec 2a)."""
    _self_test_once()
    if len(key) != KEY_BYTES:
        raise MalformedError(f"an Ed25519 key has 32 bytes, this one has {len(key)}", code="key.form")
    if not crypto_core_ed25519_is_valid_point(key):
        raise MalformedError(
            "the key is not the canonical encoding of a point of the prime-order subgroup of edwards25519,"
            " or it is the identity",
            code="key.refused",
        )


@functools.lru_cache(maxsize=CACHED_KEYS_MAX)
def _checked_key(key: bytes) -> bytes:
    """Return the key after its point check, remembered."""
    _check_key(key)
    return key


@functools.lru_cache(maxsize=CACHED_KEYS_MAX)
def _did_from_checked_key(key: bytes) -> str:
    """Return the did of a key after its point check, remembered."""
    _check_key(key)
    return _did_text(key)


def _accepts(key: bytes, message: bytes, signature: bytes) -> bool:
    """Apply the predicate of `verify` to raw bytes, without caches and without the self-test."""
    if not crypto_core_ed25519_is_valid_point(key):
        return False
    try:
        crypto_sign_open(signature + message, key)
    except BadSignatureError:
        return False
    return True


@functools.cache
def _self_test_once() -> None:
    """Run the self-test; a failure is not remembered, so that it fails each time."""
    self_test()


@functools.cache
def _threads(count: int) -> ThreadPoolExecutor:
    """Return the threads that verify, made at first use and kept."""
    return ThreadPoolExecutor(max_workers=count, thread_name_prefix="verify")


if hasattr(os, "register_at_fork"):
    # A child process has none of its parent's threads: a kept pool would wait for them for ever.
    os.register_at_fork(after_in_child=_threads.cache_clear)
