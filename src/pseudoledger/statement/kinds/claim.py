"""Kinds of the family *claim*: what attestors say about identities, and who was shown what (design §3 "Identity")."""

from __future__ import annotations

from pseudoledger.statement.kinds.kind import Kind

KINDS: tuple[Kind, ...] = ()
"""Kinds of this family, for the registry."""
