"""Evaluate: worlds with known owners, and how well the tracer does in them."""
