"""Measuring the hot paths against a limit taken in the same run (design §7)."""
