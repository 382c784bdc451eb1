"""Kinds of the family *voucher*: programmes and the vouchers they issue (design §3 "Vouchers")."""

from __future__ import annotations

from pseudoledger.statement.kinds.kind import Kind

KINDS: tuple[Kind, ...] = ()
"""Kinds of this family, for the registry."""
