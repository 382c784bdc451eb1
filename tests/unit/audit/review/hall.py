"""A real ledger under the plays of the contract: deals and grants are registered, and review reads them back."""

import copy
from hashlib import sha256
from itertools import count

from town import reviewed as reviewed_town

from play.papers import START
from play.table import LEDGER, POLICY, key
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Refused, Registrar
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.payload import draft, jcs


class Hall:
    """What `play.table.Table` offers to deals and grants, on a registrar of its own."""

    def __init__(self, directory):
        self.ledger = directory / "ledger"
        self.now = START
        self._salts = count(1)
        self.registrar = Registrar.found(
            self.ledger,
            origin="hall.example",
            founder=key("founder"),
            signer=LEDGER,
            last_signed=LastSigned.create(directory / "keys" / "ledger.last-signed"),
            clock=lambda: self.now * 1000,
            policy=Policy.model_validate_json(jcs(POLICY)),
            nonce=bytes(32),
        )

    def close(self):
        self.registrar.close()

    @property
    def book(self):
        return self.registrar.book

    def later(self, seconds):
        self.now += seconds
        return self

    def at(self, seconds):
        self.now = max(self.now, seconds)
        return self

    def _salt(self, size):
        return sha256(f"hall {next(self._salts)}".encode()).digest()[:size]

    def act(self, who, tree, sub=None):
        """Sign and register what has to be accepted, a minute after what came before; return its id."""
        aud = self.registrar.state.id
        ready = sealed.seal(copy.deepcopy(tree), aud=aud, iss=who.did, random=self._salt)
        raw = envelope.sign(who, draft(ready.tree), sub=sub or who.did, aud=aud, iat=self.now)
        (answer,) = self.registrar.register([raw])
        assert not isinstance(answer, Refused), answer
        return answer.id


def reviewed(hall, *packs):
    """Verify the hall's ledger, then review it."""
    return reviewed_town(hall, *packs)
