"""Kinds of the family *capital*: stakes in assets, and quotas within an organisation (design §3 "Capital and allocation")."""

from __future__ import annotations

from pseudoledger.statement.kinds.kind import Kind

KINDS: tuple[Kind, ...] = ()
"""Kinds of this family, for the registry."""
