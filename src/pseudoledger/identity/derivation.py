"""Many pseudonyms from one secret: BIP-39 words, SLIP-0010 derivation, and recovery from the words alone.

Implements docs/spec/identity.md, section 3. A party writes down its words once. Each ledger and each scope on
it gets a key of its own, at the path m/1886152036'/ledger'/scope'/index', so that nobody can tell from two
pseudonyms that they are one party, while the party finds all of them again. Nothing here reads or writes
files; `keystore` does.
"""

from __future__ import annotations

import functools
import os
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from mnemonic import Mnemonic
from slip10 import HARDENED_INDEX, SLIP10

from pseudoledger.errors import MalformedError
from pseudoledger.identity.keys import Signer

PURPOSE = 1_886_152_036
"""First step of every path: the bytes "pled" as a big-endian number."""

SCOPE_GAP = 20
"""Scopes that recovery tries past the last one seen on the ledger."""

WORD_COUNTS = (12, 15, 18, 21, 24)

_STEP_END = 2**31
_LEDGER_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pseudonym:
    """One derived key: its place under the words, and its did."""

    scope: int
    index: int
    did: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """The 64-byte BIP-39 seed of one party, from which its keys are derived. Never shown, never pickled."""

    _seed: bytes = field(repr=False)

    @classmethod
    def from_words(cls, words: str, *, passphrase: str = "") -> Seed:
        """Return the seed of checked English words and an optional passphrase. Raises MalformedError."""
        entropy = entropy_from_words(words)
        return cls(_seed=Mnemonic.to_seed(words_from_entropy(entropy), passphrase))

    def signer(self, ledger_id: str | None, scope: int, index: int = 0) -> Signer:
        """Return the signer at a path; see `steps` for the arguments and errors."""
        hardened = [step + HARDENED_INDEX for step in steps(ledger_id, scope, index)]
        root = SLIP10.from_seed(self._seed, curve_name="ed25519")
        return Signer.from_seed(root.get_privkey_from_path(hardened))

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Seed is a secret and is not pickled")


def fresh_words(count: int = 24) -> str:
    """Return new random English words (BIP-39), separated by spaces. Raises MalformedError."""
    if count not in WORD_COUNTS:
        raise MalformedError(f"words come in sets of {', '.join(map(str, WORD_COUNTS))}, not {count}")
    return words_from_entropy(os.urandom(count // 3 * 4))


def words_from_entropy(entropy: bytes) -> str:
    """Return the English words of 16, 20, 24, 28 or 32 bytes of entropy (BIP-39). Raises MalformedError."""
    if len(entropy) * 3 // 4 not in WORD_COUNTS or len(entropy) % 4:
        raise MalformedError(f"entropy has 16, 20, 24, 28 or 32 bytes, not {len(entropy)}")
    return str(_english().to_mnemonic(entropy))


def entropy_from_words(words: str) -> bytes:
    """Return the entropy behind English words, after checking their checksum (BIP-39).

    Case and spacing are forgiven. Raises MalformedError, which tells positions and never words.
    """
    listed = unicodedata.normalize("NFKD", words).lower().split()
    if len(listed) not in WORD_COUNTS:
        raise MalformedError(
            f"words come in sets of {', '.join(map(str, WORD_COUNTS))}, these are {len(listed)}",
            code="words.form",
        )
    unknown = [str(place) for place, word in enumerate(listed, start=1) if word not in _english_set()]
    if unknown:
        raise MalformedError(
            f"not in the English word list of BIP-39: word {', '.join(unknown)}", code="words.form"
        )
    if not _english().check(" ".join(listed)):
        raise MalformedError(
            "the checksum of the words does not match: a word is wrong, or two changed places",
            code="words.form",
        )
    return bytes(_english().to_entropy(listed))


def ledger_step(ledger_id: str | None) -> int:
    """Return the ledger's step in a path: the first 31 bits of its id, or 0 for keys of no ledger.

    `ledger_id` is 64 lower-case hex digits, or None for founder, ledger, witness and mirror keys. Raises
    MalformedError, also for an id whose first 31 bits are zero: it would yield those keys as pseudonyms.
    """
    if ledger_id is None:
        return 0
    if not _LEDGER_ID.fullmatch(ledger_id):
        raise MalformedError("a ledger id is 64 lower-case hex digits", code="ledger_id.form")
    step = int(ledger_id[:8], 16) >> 1
    if step == 0:
        raise MalformedError(
            "the first 31 bits of this ledger's id are zero, the place of founder and witness keys",
            code="ledger_id.refused",
            hint="use a single key for this ledger; it was very likely founded to link pseudonyms",
        )
    return step


def steps(ledger_id: str | None, scope: int, index: int) -> tuple[int, int, int, int]:
    """Return the four steps of a path, before hardening. Scope and index are 0 to 2^31 - 1.

    Raises MalformedError.
    """
    for label, value in (("scope", scope), ("index", index)):
        if not 0 <= value < _STEP_END:
            raise MalformedError(f"{label} must be 0 to {_STEP_END - 1}, not {value}", code="path.form")
    return PURPOSE, ledger_step(ledger_id), scope, index


def path_text(ledger_id: str | None, scope: int, index: int) -> str:
    """Return a path as people write it: m/1886152036'/ledger'/scope'/index'. Raises MalformedError."""
    return "m/" + "/".join(f"{step}'" for step in steps(ledger_id, scope, index))


def scan(
    seed: Seed, ledger_id: str | None, seen: Callable[[str], bool], *, gap: int = SCOPE_GAP
) -> tuple[Pseudonym, ...]:
    """Find the pseudonyms of one party on one ledger again, from its seed alone.

    `seen` answers whether a did stands on the ledger. Scopes 0, 1, 2 … are tried until `gap` of them in a row
    show nothing; within a scope, indexes from 0 until one is not seen. Raises MalformedError.
    """
    found: list[Pseudonym] = []
    scope = last_seen = -1
    while scope - last_seen < gap:
        scope += 1
        index = 0
        while seen(did := seed.signer(ledger_id, scope, index).did):
            found.append(Pseudonym(scope=scope, index=index, did=did))
            last_seen = scope
            index += 1
    return tuple(found)


@functools.cache
def _english() -> Mnemonic:
    return Mnemonic("english")


@functools.cache
def _english_set() -> frozenset[str]:
    return frozenset(_english().wordlist)
