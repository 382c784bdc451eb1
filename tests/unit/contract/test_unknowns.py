"""What the book does not say about a party."""

from pseudoledger.contract.book import Book, EmptyShelf
from pseudoledger.contract.things import Chain, Owner
from pseudoledger.contract.unknowns import CLAIMS, unknowns

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
MISSING = [f"claim.{name}" for name in CLAIMS]


def codes(chain=None, party=DID):
    book = Book(EmptyShelf())
    if chain is not None:
        book.put(DID, chain)
        book.put("did:later", Owner(root=DID))
    return [item.code for item in unknowns(book, party, 0)]


def test_a_key_that_never_declared_anything():
    assert codes() == ["identity.undeclared", "identity.succession", *MISSING]


def test_what_a_declaration_says_is_no_longer_unknown():
    assert codes(Chain(keys=(DID,), entry=1)) == ["identity.label", "identity.succession", *MISSING]
    assert codes(Chain(keys=(DID,), label="north", entry=1)) == ["identity.succession", *MISSING]
    assert codes(Chain(keys=(DID,), label="north", recovery="did:other", entry=1)) == MISSING


def test_any_key_of_the_chain_will_do():
    chain = Chain(keys=(DID, "did:later"), label="north", next="00", entry=1)
    assert codes(chain, party="did:later") == MISSING
