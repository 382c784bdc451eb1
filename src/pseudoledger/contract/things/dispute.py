"""What the book remembers of the family *dispute*: objections, answers and the decision of the arbiter (design §3 "Disputes")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds import Subject

THINGS: tuple[type[Thing], ...] = ()
"""Classes of this family that are stored by a key of their own."""
SUBJECTS: Mapping[Subject, tuple[type[Thing], ...]] = MappingProxyType({})
"""What the subjects of this family's kinds name."""
