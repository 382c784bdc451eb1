"""Kinds of the family *dispute*: objections, answers and the decision of the arbiter (design §3 "Disputes")."""

from __future__ import annotations

from pseudoledger.statement.kinds.kind import Kind

KINDS: tuple[Kind, ...] = ()
"""Kinds of this family, for the registry."""
