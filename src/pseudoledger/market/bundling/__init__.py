"""Bundles of contracts: what belongs to one, and the page that shows one. The format is `ledger.bundle`."""
