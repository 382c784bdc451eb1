"""Signed statements: the envelope, the payload, its values, sealed fields and the data dictionary."""
