"""The rules that a ledger is founded on or changes to: only those that this program can judge by."""

from __future__ import annotations

from pseudoledger.contract.ruleset import (
    CannotJudge,
    RuleSet,
    newest,
    newest_tables,
    rules_for,
    tables_for,
)
from pseudoledger.contract.things import Pins
from pseudoledger.errors import Finding
from pseudoledger.identity.keys import Signer
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds import Payload
from pseudoledger.statement.kinds.ledger import LedgerPolicyChanged, Policy
from pseudoledger.statement.payload import draft


def sign_founding(
    founder: Signer,
    *,
    origin: str,
    ledger_key: str,
    policy: Policy,
    nonce: bytes,
    now: int,
    rules: RuleSet | None = None,
) -> bytes:
    """Sign the founding of a ledger under a rule set, or the newest, and tables, at a Unix time in seconds.

    Raises MalformedError if the origin or policy is not of its form.
    """
    rules = rules or newest()
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


def unfit_pins(payload: Payload, in_force: RuleSet) -> tuple[Finding, ...]:
    """Refuse a change of policy to rules that this program cannot judge by, or back to older ones.

    Under an older rule set what newer kinds have done would stand in the book, and nobody could answer it.
    """
    if not isinstance(payload, LedgerPolicyChanged):
        return ()
    pins = Pins.of(payload.rules, payload.tables, payload.policy)
    try:
        wanted = rules_for(pins)
        tables_for(pins)
    except CannotJudge as error:
        return (Finding(code="ledger.unknown_rules", message=error.message, field="/rules"),)
    if wanted.number < in_force.number:
        message = f"{wanted.name} is older than {in_force.name}, which is in force"
        return (Finding(code="ledger.older_rules", message=message, field="/rules"),)
    return ()
