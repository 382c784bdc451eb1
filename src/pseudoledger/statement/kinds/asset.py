"""Kinds of the family *asset*: machines and who holds them (design §3 "Delivery and assets")."""

from __future__ import annotations

from pseudoledger.statement.kinds.kind import Kind

KINDS: tuple[Kind, ...] = ()
"""Kinds of this family, for the registry."""
