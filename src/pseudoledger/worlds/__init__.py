"""Worlds in a ledger: owners known to us act out their habits as signed statements, so that a trace can be scored."""
