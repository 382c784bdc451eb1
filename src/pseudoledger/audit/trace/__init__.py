"""Trace: how far an identity can be followed, in bits, with the evidence, from a stated vantage point.

`observe` makes observations of a ledger and `foreign` of a table from elsewhere; everything after that works on
`observations.Observations` alone and cannot tell them apart. The modules in here need the extra `trace`
(duckdb, numpy, scipy, pyarrow, splink), so this one imports none of them. Nothing in here hides anybody, and
nothing says who a person is: only which keys are probably held by one party.
"""
