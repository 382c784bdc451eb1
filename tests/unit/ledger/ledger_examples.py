"""Fixed keys, statements and a small tree, from which the tests of this folder and the specs are made."""

import cbor2

from pseudoledger.identity.keys import Signer
from pseudoledger.ledger import receipt, tree

ORIGIN = "city.example/compute"
LEDGER = Signer.from_seed(bytes([1]) * 32)
WITNESS = Signer.from_seed(bytes([2]) * 32)
PARTY = Signer.from_seed(bytes([3]) * 32)


def statement(number, *, payload=None):
    """A Signed Statement; only its outer form matters to the ledger room."""
    header = {
        1: -8,
        3: "application/vnd.pseudoledger.v1+json",
        4: PARTY.did.encode(),
        15: {1: PARTY.did, 2: PARTY.did, 3: "00" * 32, 6: 1_700_000_000},
    }
    protected = cbor2.dumps(header, canonical=True)
    payload = b'{"number":%d,"type":"example","v":1}' % number if payload is None else payload
    signature = PARTY.sign(cbor2.dumps(["Signature1", protected, b"", payload], canonical=True))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature]), canonical=True)


ENTRIES = [statement(number) for number in range(13)]
SIZE = len(ENTRIES)
LEAVES = [tree.hash_leaf(entry) for entry in ENTRIES]
STORED = tree.StoredHashes(tree.Frontier().store(LEAVES))


def read(positions):
    return STORED.read(positions)


def head(size=SIZE, signer=LEDGER, origin=ORIGIN):
    return receipt.sign_head(signer, origin, size, tree.root(size, read))


def receipt_of(index, size=SIZE):
    return receipt.build(head(size), index, tree.inclusion_proof(index, size, read))


def flips(raw):
    """Every change of one bit."""
    for at in range(len(raw)):
        for bit in range(8):
            changed = bytearray(raw)
            changed[at] ^= 1 << bit
            yield bytes(changed)
