"""A founder cannot change to rules that nobody here could judge by."""

from pathlib import Path

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.demo.stage import Stage
from pseudoledger.registrar import Refused, Registered
from pseudoledger.statement import envelope
from pseudoledger.statement.payload import draft


def change(stage, rules):
    pins = stage.registrar.state.pins
    payload = draft(
        {
            "type": "ledger.policy_changed",
            "v": 1,
            "number": 1,
            "rules": rules,
            "tables": [{"name": name, "sha256": sha256} for name, sha256 in pins.tables],
            "mode": "single",
            "policy": pins.read_policy().model_dump(mode="json"),
        }
    )
    founder = stage.signer("founder")
    return envelope.sign(
        founder, payload, sub=stage.registrar.state.origin, aud=stage.ledger_id, iat=stage.now
    )


def test_unknown_rules_are_refused_and_known_ones_taken(tmp_path):
    stage = Stage.build(
        Path(tmp_path) / "ledger", seed=1, start="2026-03-01T00:00:00Z", tell=lambda _scene: None
    )
    (answer,) = stage.registrar.govern([change(stage, {"name": "later-7", "sha256": "0" * 64})])
    assert isinstance(answer, Refused)
    assert [finding.code for finding in answer.findings] == ["ledger.unknown_rules"]
    name, sha256 = stage.registrar.state.pins.rules
    (answer,) = stage.registrar.govern([change(stage, {"name": name, "sha256": sha256})])
    assert isinstance(answer, Registered)
    stage.act("party", {"type": "identity.declared", "label": "party"})
    stage.registrar.close()
    assert verify(tmp_path / "ledger" / "ledger").verdict is Verdict.VALID
