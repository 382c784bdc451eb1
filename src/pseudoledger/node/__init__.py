"""A ledger as a network service: statements in, receipts, tiles, JSON and pages out; mirrors and witnesses.

`app` puts a node together, `intake` is the queue before the registrar, `reading` what every answer is read
from. A mirror is the same service with another way in: it forwards.
"""
