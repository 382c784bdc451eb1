"""A ledger of compute leases between parties known only by their keys."""

__version__ = "0.1.0"
