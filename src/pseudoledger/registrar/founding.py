"""The founding statement: entry 0, signed by the founder, naming everything that a new ledger starts with."""

from __future__ import annotations

from pseudoledger.contract.ruleset import newest, newest_tables
from pseudoledger.identity.keys import Signer
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.payload import draft


def sign_founding(
    founder: Signer, *, origin: str, ledger_key: str, policy: Policy, nonce: bytes, now: int
) -> bytes:
    """Sign the founding of a ledger under the newest rule set and tables, at a Unix time in seconds.

    Raises MalformedError if the origin or policy is not of its form.
    """
    rules = newest()
    payload = draft(
        {
            "type": "ledger.founded",
            "v": 1,
            "origin": origin,
            "nonce": nonce.hex(),
            "ledger_key": ledger_key,
            "rules": {"name": rules.name, "sha256": rules.sha256},
            "tables": [{"name": name, "sha256": sha256} for name, sha256 in newest_tables()],
            "mode": "single",
            "policy": policy.model_dump(mode="json"),
        }
    )
    return envelope.sign(founder, payload, sub=origin, aud=None, iat=now)
