"""Invoices for the world outside: EN 16931 as UBL 2.1, the same on paper, and a checker of anybody's sums.

`paper` draws up an invoice or credit note of the ledger as the values that a document prints; `write` makes
UBL of it and `page` HTML. `document` reads a UBL file of anybody safely, and `sums` checks what it adds up to.
"""
