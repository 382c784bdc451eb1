"""A market in memory for tests: fixed keys, a clock that tests turn, and a ledger without files.

`Table` signs statements and lets them in exactly as the registrar does (decode, verify, parse, judge, fold,
block), over a shelf in memory. `papers` writes payloads with sensible contents. `Deal` plays a lease from
the pool to the confirmed payment, as far as a test asks.
"""

from play.deal import Deal
from play.papers import DAY, HOUR, START, changed, instant
from play.table import FOUNDER, KEYS, LEDGER, Accepted, Attempt, MemoryShelf, Refusal, Table, key

__all__ = [
    "DAY",
    "FOUNDER",
    "HOUR",
    "KEYS",
    "LEDGER",
    "START",
    "Accepted",
    "Attempt",
    "Deal",
    "MemoryShelf",
    "Refusal",
    "Table",
    "changed",
    "instant",
    "key",
]
