"""Parties known only by their keys: did:key over Ed25519, derivation of many keys from words, keys at rest.

`keys` accepts and makes signatures, `derivation` derives pseudonyms from words, `keystore` keeps them in
files, `last_signed` keeps a ledger key from signing two histories.
"""

from __future__ import annotations

from pseudoledger.identity.keys import (
    Signed,
    Signer,
    did_from_key,
    key_from_did,
    self_test,
    verify,
    verify_chunk,
    verify_many,
)

__all__ = [
    "Signed",
    "Signer",
    "did_from_key",
    "key_from_did",
    "self_test",
    "verify",
    "verify_chunk",
    "verify_many",
]
