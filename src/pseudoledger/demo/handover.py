"""The last scene: a party hands its identity over to a new key, which a trace can see."""

from __future__ import annotations

from pseudoledger.demo.city import LAB
from pseudoledger.demo.stage import Stage

NEW_KEY = "river-lab-2"


def hand_over(stage: Stage) -> None:
    """The laboratory moves to another key; what it signed before and what it signs after is one identity's."""
    rotated = {"type": "identity.rotated", "number": "K-1", "to": stage.did(NEW_KEY)}
    ref = stage.act(LAB, rotated, says="hands its identity over to a new key")
    adopted = {"type": "identity.adopted", "handover": ref}
    stage.act(
        NEW_KEY,
        adopted,
        stage.did(LAB),
        says=f"adopts it: from here on it acts for {LAB}, and a trace says so",
    )
