"""Who may write, and how fast: write tokens hashed at rest, and a token bucket for each address.

The ledger's own admission policy and quotas are rules, judged for everybody by the registrar; these here are
the operator's.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from pseudoledger.errors import MalformedError, StoreError
from pseudoledger.identity import files

ADDRESSES_MAX = 65_536
"""Addresses remembered; the one unseen for longest is forgotten first."""
_TOKEN_BYTES = 32


class Buckets:
    """A token bucket for each address: `rate` statements a second, and `burst` at once."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, max(burst, 1.0), clock
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str, count: int = 1) -> float:
        """Take tokens; return 0.0, or after how many seconds to come again where there were too few.

        A request larger than the whole burst passes when the bucket is full, and leaves it in debt.
        """
        now = self._clock()
        level, seen = self._levels.get(address, (self._burst, now))
        level = min(self._burst, level + (now - seen) * self._rate)
        needed = min(float(count), self._burst)
        wait = 0.0
        if level >= needed:
            level -= count
        else:
            wait = (needed - level) / self._rate
        self._levels[address] = (level, now)
        self._levels.move_to_end(address)
        if len(self._levels) > ADDRESSES_MAX:
            self._levels.popitem(last=False)
        return wait


class WriteTokens:
    """The tokens that may write, by the SHA-256 of each; a token has 256 random bits, so no salt is needed."""

    def __init__(self, hashes: frozenset[str]) -> None:
        self._hashes = hashes

    @classmethod
    def read(cls, path: Path) -> WriteTokens:
        """Read a file of lines `sha256 [name]`. Raises StoreError or MalformedError."""
        try:
            lines = path.read_text("ascii").splitlines()
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}", hint="pl serve-token FILE makes one") from error
        except UnicodeDecodeError as error:
            raise MalformedError(f"{path}: not ASCII", code="token.form") from error
        hashes = set()
        for number, line in enumerate(lines, 1):
            word = line.split("#", 1)[0].strip()
            if not word:
                continue
            if len(word) != hashlib.sha256().digest_size * 2 or set(word) - set("0123456789abcdef"):
                raise MalformedError(
                    f"{path}: line {number} is not the SHA-256 of a token in hex",
                    code="token.form",
                    hint="pl serve-token FILE adds a line",
                )
            hashes.add(word)
        return cls(frozenset(hashes))

    def allows(self, authorization: str) -> bool:
        """Tell whether an Authorization header carries one of the tokens."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer":
            return False
        # How long the look-up takes depends on the hash of what was offered alone, which helps nobody to guess.
        return hash_token(token.strip()) in self._hashes


def hash_token(token: str) -> str:
    """Return what is kept of a token."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


def add_token(path: Path, name: str) -> str:
    """Make a token, add its hash to a file under a name, and return it: it is nowhere else."""
    token = secrets.token_urlsafe(_TOKEN_BYTES)
    line = f"{hash_token(token)}  # {name}\n".encode("ascii", "replace")
    if path.exists():
        files.replace_private(path, path.read_bytes() + line)
    else:
        files.create_private(path, line)
    return token
