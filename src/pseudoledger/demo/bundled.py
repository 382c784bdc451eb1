"""One lease of the month as its parties would hand it over: a bundle, and the page of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from pseudoledger.ledger import query
from pseudoledger.ledger.bundle import decode_bundle, encode_bundle
from pseudoledger.ledger.bundle_proof import verify_bundle
from pseudoledger.ledger.store import Store
from pseudoledger.market.bundling.choose import make_bundle
from pseudoledger.market.bundling.page import to_html

NUMBER = "L-long-context"
"""Number of the lease that is handed over."""


def hand_over(ledger: Path, out: Path, *, key: str) -> Path:
    """Write the bundle and its page into `out`, the bundle verified under the ledger key; return its path."""
    with closing(Store.open_reader(ledger)) as store:
        (lease,) = query.ids_numbered(store, "lease.proposed", NUMBER, limit=2)
        raw = encode_bundle(make_bundle(store, lease, {}).bundle)
    path = out / f"{NUMBER}.plbundle"
    path.write_bytes(raw)
    page = to_html(verify_bundle(decode_bundle(raw), key=key), "named key")
    path.with_suffix(".html").write_bytes(page)
    return path
