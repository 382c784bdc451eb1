"""The pen of a world: keys and salts made from the seed, identities that change keys, statements signed in order.

Everything follows from the parameters of the world, so the same world gives the same ledger, byte for byte. Its keys
are known to everybody who knows the seed: good for a world that is made up, and for nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from pseudoledger.contract.ruleset import newest
from pseudoledger.identity.keys import Signer
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.payload import draft


def signer_of(world: str, name: str) -> Signer:
    """Return the key of somebody in a world, by the digest of its parameters."""
    return Signer.from_seed(sha256(f"pseudoledger/world/key\0{world}\0{name}".encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One signed statement and what opens its sealed fields."""

    id: str
    at: int
    """When it was signed, Unix time in seconds."""
    raw: bytes
    disclosures: tuple[str, ...]


@dataclass(slots=True)
class Pen:
    """Signs for everybody."""

    world: str
    ledger: str
    """Id of the ledger."""
    said: list[Said] = field(default_factory=list)
    """What was signed since somebody last took it away."""
    _signers: dict[str, Signer] = field(default_factory=dict)
    _acts_for: dict[str, str] = field(default_factory=dict)
    """Who holds the key in force, by a name whose identity it took over."""
    _root: dict[str, str] = field(default_factory=dict)
    _drawn: int = 0

    def signer(self, name: str) -> Signer:
        """Return somebody's own key."""
        if name not in self._signers:
            self._signers[name] = signer_of(self.world, name)
        return self._signers[name]

    def in_force(self, name: str) -> str:
        """Return the did:key that acts for somebody now."""
        return self._acting(name).did

    def _acting(self, name: str) -> Signer:
        while name in self._acts_for:
            name = self._acts_for[name]
        return self.signer(name)

    def sign(self, name: str, tree: dict[str, Any], at: int, sub: str | None = None) -> Said:
        """Seal and sign a statement with the key in force; `sub` is that key's did where nothing else is named."""
        signer = self._acting(name)
        return self._sign(signer, tree, at, sub or signer.did)

    def about_itself(self, name: str, tree: dict[str, Any], at: int) -> Said:
        """Sign a statement of an identity about itself: its subject is its first key."""
        return self._sign(self._acting(name), tree, at, self.root(name))

    def root(self, name: str) -> str:
        """Return the first key of somebody's identity."""
        return self.signer(self._root.get(name, name)).did

    def hand_over(self, before: str, after: str, at: int) -> None:
        """Let the key of `after`, which never signed, take over the identity of `before`."""
        tree = {"type": "identity.rotated", "number": f"K-{at}", "to": self.signer(after).did}
        rotated = self.about_itself(before, tree, at)
        self._root[after] = self._root.get(before, before)
        self._acts_for[before] = after
        self.about_itself(after, {"type": "identity.adopted", "handover": rotated.id}, at)

    def take(self) -> list[Said]:
        """Take away what was signed since the last time."""
        taken, self.said = self.said, []
        return taken

    def _sign(self, signer: Signer, tree: dict[str, Any], at: int, sub: str) -> Said:
        tree = {"v": newest().version_of(tree["type"]), **tree}
        ready = sealed.seal(tree, aud=self.ledger, iss=signer.did, random=self._random)
        raw = envelope.sign(signer, draft(ready.tree), sub=sub, aud=self.ledger, iat=at)
        said = Said(id=envelope.decode(raw).id, at=at, raw=raw, disclosures=ready.disclosures)
        self.said.append(said)
        return said

    def _random(self, count: int) -> bytes:
        """Return bytes, at most 32, that the world alone decides."""
        self._drawn += 1
        return sha256(f"pseudoledger/world/salt\0{self.world}\0{self._drawn}".encode()).digest()[:count]
