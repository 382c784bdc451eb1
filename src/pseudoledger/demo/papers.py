"""What leaves the ledger: an invoice as UBL and as a page, once both names are known, and everything as tables."""

from __future__ import annotations

from pathlib import Path

from pseudoledger.contract.ruleset import tables_for
from pseudoledger.contract.things import Invoice
from pseudoledger.demo.city import CENTRE, City
from pseudoledger.demo.stage import ORIGIN, Stage
from pseudoledger.ledger.store import Store
from pseudoledger.market.export import csv_files
from pseudoledger.market.export.folder import export
from pseudoledger.market.ubl.document import read
from pseudoledger.market.ubl.names import Details, PartyDetails, open_texts
from pseudoledger.market.ubl.page import to_html
from pseudoledger.market.ubl.paper import Place, Sealed, paper_of_invoice
from pseudoledger.market.ubl.sums import check_sums
from pseudoledger.market.ubl.write import to_ubl
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.billing import InvoiceIssued
from pseudoledger.statement.payload import parse

INVOICE = "2026-05-river-lab-1"
"""Number of the invoice that is printed, and name of its files."""
TABLES = "tables"


def write_invoice(stage: Stage, city: City) -> None:
    """Write the laboratory's invoice as UBL and HTML, with the names that its parties hold."""
    invoice = stage.book.get(Invoice, city.invoice)
    assert invoice is not None, "it was issued"
    exponents = tables_for(stage.registrar.state.pins).exponents
    kept = stage.kept[invoice.contract]
    paper = paper_of_invoice(
        stage.book,
        _sealed(stage, city.invoice),
        place=Place(origin=ORIGIN, ledger=stage.ledger_id, simulated=True),
        exponents=exponents,
        terms_opened=open_texts(envelope.decode(kept.raw), kept.disclosures),
        details=Details(
            parties={
                invoice.issuer: PartyDetails(country="DE", city="Quillmere"),
                invoice.payer: PartyDetails(country="DE", city="Quillmere"),
            },
            exemption_reason="services of the city to its own programme",
        ),
    )
    raw = to_ubl(paper)
    assert not check_sums(read(raw), exponents), "what the ledger admitted adds up"
    out = stage.directory / "out"
    (out / f"{INVOICE}.xml").write_bytes(raw)
    (out / f"{INVOICE}.html").write_bytes(to_html(paper))
    stage.note(CENTRE, "prints the invoice with both names, as UBL that adds up under EN 16931 and as a page")


def _sealed(stage: Stage, statement: str) -> Sealed:
    store = stage.registrar.store
    row = store.entry_by_id(statement)
    assert row is not None, "the book names what stands on the ledger"
    sealing, read_back = store.block_of(row.index), envelope.decode(row.statement)
    assert sealing is not None, "every entry stands under a block"
    payload = parse(read_back.payload)
    assert isinstance(payload, InvoiceIssued), "it is an invoice"
    held = stage.kept.get(statement)
    opened = open_texts(read_back, held.disclosures if held else ())
    return Sealed(id=statement, index=row.index, time=sealing.time_ms // 1000, payload=payload, opened=opened)


def write_tables(ledger: Path, out: Path) -> int:
    """Write every table of the ledger as CSV into a new folder; return how many there are."""
    store = Store.open_reader(ledger)
    try:
        done = export(
            store,
            out / TABLES,
            suffix=csv_files.SUFFIX,
            write=csv_files.write,
            progress=lambda _done, _of: None,
        )
    finally:
        store.close()
    return len(done.files)
