"""A founded ledger and parties for the tests of nodes."""

import json
import os
import time

import pytest
from processes import Place

from pseudoledger.identity.keys import Signer
from pseudoledger.statement import envelope, payload, sealed

ORIGIN = "node.example/test"


class Party:
    """Signs for one ledger."""

    def __init__(self, number: int, ledger: str):
        self.signer = Signer.from_seed(bytes([number]) * 32)
        self.ledger = ledger

    def sign(self, tree, *, iat=None, sub=None):
        tree = {"v": 1, **tree}
        ready = sealed.seal(tree, aud=self.ledger, iss=self.signer.did, random=os.urandom)
        return envelope.sign(
            self.signer,
            payload.draft(ready.tree),
            sub=sub or self.signer.did,
            aud=self.ledger,
            iat=int(time.time()) if iat is None else iat,
        )

    def pool(self, number, **changes):
        line = {"id": "chip", "resource": "chip", "chip": "nvidia-h200-sxm-141gb", "count": 8}
        return self.sign({"type": "pool.declared", "number": number, "lines": [line], **changes})


class Founded:
    """A place with a founded ledger in `ledger`."""

    def __init__(self, place: Place):
        self.place = place
        place.pl("init", "ledger", "--origin", ORIGIN, "--unsealed")
        self.directory = place.directory / "ledger"
        description = json.loads((self.directory / "ledger.json").read_text())
        self.id, self.key = description["ledger"], description["ledger_key"]

    def party(self, number=7):
        return Party(number, self.id)

    def serve(self, *options):
        """Serve it on a free port."""
        return self.place.running("serve", self.directory, "--port", "0", *options)

    def verified(self):
        """Verify it, and return the report."""
        return json.loads(self.place.pl("verify", "ledger", "--key", self.key, "--json"))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def founded(place):
    return Founded(place)
