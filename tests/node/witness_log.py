"""A log in memory that signs what it is told to, also lies, and the requests that it sends to a witness."""

from base64 import b64encode

from pseudoledger.identity.keys import Signer
from pseudoledger.ledger import checkpoint, note, tree

ORIGIN = "log.example/one"


class Log:
    """Leaves, a key and an origin."""

    def __init__(self, leaves=64, *, seed=1, origin=ORIGIN, salt=b""):
        self.origin, self.signer = origin, Signer.from_seed(bytes([seed]) * 32)
        hashes = [tree.hash_leaf(salt + b"leaf %d" % number) for number in range(leaves)]
        self._stored = tree.StoredHashes(tree.Frontier().store(hashes))

    @property
    def key(self):
        return note.VerifierKey(
            name=self.origin,
            signature_type=note.SignatureType.ED25519,
            public_key=self.signer.public_key,
        )

    @property
    def line(self):
        """Its line in a policy."""
        return f"log {note.format_vkey(self.key)}\n"

    def read(self, positions):
        return self._stored.read(positions)

    def root(self, size):
        return tree.root(size, self.read)

    def sign(self, size, root=None, extensions=()):
        """A signed checkpoint of any size and root."""
        said = checkpoint.Checkpoint(origin=self.origin, size=1, root=bytes(32), extensions=extensions)
        text = checkpoint.format_checkpoint(said).split(b"\n")
        text[1:3] = [b"%d" % size, b64encode(self.root(size) if root is None else root)]
        whole = b"\n".join(text)
        lines = (note.sign_text(self.signer, self.origin, whole),)
        return note.format_note(note.SignedNote(text=whole, signatures=lines))

    def proof(self, old, size):
        return tree.consistency_proof(old, size, self.read) if 1 <= old <= size else ()

    def request(self, old, size, *, proof=None, note=None):
        """The body of add-checkpoint."""
        proof = self.proof(old, size) if proof is None else proof
        lines = b"".join(b64encode(item) + b"\n" for item in proof)
        return b"old %d\n%b\n%b" % (old, lines, self.sign(size) if note is None else note)
