"""`invoice export|check`: invoices and credit notes for the world outside, and a check of anybody's sums."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from pseudoledger.cli.command import JsonOption, LedgerOption, plain
from pseudoledger.cli.desk import Desk, read_file, write_file
from pseudoledger.cli.disclosures import disclosures_of, read_disclosures
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.find import did_of, find
from pseudoledger.cli.invoice import app
from pseudoledger.cli.nodes import NodeKeyOption, NodeOption, place_of
from pseudoledger.cli.show import Facts, errors, money, present
from pseudoledger.cli.values import choice
from pseudoledger.contract.tables import newest_exponents
from pseudoledger.contract.things import Invoice
from pseudoledger.errors import MalformedError
from pseudoledger.market.ubl.document import FILE_BYTES_MAX, read
from pseudoledger.market.ubl.names import Details, open_texts, read_details
from pseudoledger.market.ubl.page import LANGUAGES, to_html
from pseudoledger.market.ubl.paper import (
    Earlier,
    Paper,
    Place,
    Sealed,
    lacking,
    paper_of_credit,
    paper_of_invoice,
)
from pseudoledger.market.ubl.sums import check_sums
from pseudoledger.market.ubl.write import to_ubl
from pseudoledger.statement import envelope
from pseudoledger.statement.kinds.billing import CreditIssued, InvoiceIssued
from pseudoledger.statement.payload import parse

APPS = ()

_CREDIT = "credit.issued"


@plain(
    app,
    "export",
    examples=(
        "pl invoice export INV-1 --ubl -o INV-1.xml",
        "pl invoice export CN-1 --ubl --disclosures got/INV-1.disclosures.json --details firms.toml -o CN-1.xml",
        "pl invoice export INV-1 --html --lang ar -o INV-1.html",
    ),
)
def export(
    document: Annotated[
        str, typer.Argument(help="Invoice or credit note: id, prefix or number.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("-o", "--out", help="New file for it.", show_default=False)],
    *,
    ubl: Annotated[bool, typer.Option("--ubl", help="Write UBL 2.1 under EN 16931.")] = False,
    html: Annotated[bool, typer.Option("--html", help="Write one HTML file that prints on A4.")] = False,
    lang: Annotated[
        str, typer.Option("--lang", help=f"Language of the page: {', '.join(LANGUAGES)}.")
    ] = "en",
    disclosures: Annotated[
        list[Path] | None,
        typer.Option(
            "--disclosures",
            help="File that opens sealed fields of the invoice or its terms; may be repeated. Those kept"
            " beside the keys are read anyway.",
        ),
    ] = None,
    details: Annotated[
        Path | None,
        typer.Option("--details", help="TOML file with addresses and tax numbers; no ledger attests them."),
    ] = None,
    ledger: LedgerOption = None,
    node: NodeOption = None,
    node_key: NodeKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write an invoice or credit note as UBL or as a page to print, once the names of both parties are disclosed."""
    if ubl == html:
        raise WrongUse("say what to write", hint="give one of --ubl and --html")
    choice(lang, "--lang", LANGUAGES)
    with contextlib.closing(Desk(place_of(ledger, node, node_key))) as desk:
        paper = _paper(desk, document, disclosures or (), _details(desk, details))
        exponents = desk.tables.exponents
    raw = to_ubl(paper)
    found = check_sums(read(raw), exponents)
    if found:
        raise MalformedError(
            "the document would not add up; this is a fault of the export", code="ubl.sums", findings=found
        )
    write_file(out, raw if ubl else to_html(paper, lang))
    missing = lacking(paper)
    value = {
        "document": paper.kind,
        "number": paper.number,
        "id": paper.id,
        "file": str(out),
        "form": "ubl" if ubl else "html",
        "payable_minor": paper.payable_minor,
        "currency": paper.currency,
        "lacking": list(missing),
    }
    facts = [
        ("id", paper.id),
        ("file", str(out)),
        (
            "to pay" if paper.kind == "invoice" else "credited",
            money(paper.payable_minor, paper.currency, exponents),
        ),
        *(("lacking", item) for item in missing),
    ]
    note = (
        "What is lacking stands on no ledger, or is sealed; EN 16931 wants it: give --details"
        if missing
        else ""
    )
    title = f"Wrote {'invoice' if paper.kind == 'invoice' else 'credit note'} {paper.number}"
    present(Facts(title=title, facts=facts, value=value, note=note), as_json=as_json)


@plain(app, "check", examples=("pl invoice check INV-1.xml", "pl invoice check other.xml --json"))
def check(
    file: Annotated[Path, typer.Argument(help="UBL 2.1 invoice or credit note.", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Check the sums of anybody's UBL invoice or credit note against the rules of EN 16931; needs no ledger."""
    with contextlib.suppress(OSError):
        if file.stat().st_size > FILE_BYTES_MAX:
            raise MalformedError(f"{file} is larger than {FILE_BYTES_MAX} bytes", code="ubl.form")
    document = read(read_file(file))
    found = check_sums(document, newest_exponents())
    value = {
        "file": str(file),
        "document": document.kind,
        "number": document.number,
        "adds_up": not found,
        "findings": [{"code": item.code, "message": item.message, "field": item.field} for item in found],
    }
    facts = [
        ("document", f"{document.kind} {document.number}"),
        ("checked", f"{len(document.lines)} lines, {len(document.amounts)} amounts, {document.currency}"),
    ]
    title = f"{file} does not add up" if found else f"{file} adds up"
    style = "bold red" if found else "bold green"
    present(Facts(title=title, facts=facts, value=value, style=style), as_json=as_json)
    for item in found:
        errors(f"found: {item}")
    if found:
        raise typer.Exit(CHECK_FAILED)


# From the ledger to the paper


@dataclass(frozen=True, slots=True)
class _Opener:
    """The desk, and the disclosures that were given for statements by their id."""

    desk: Desk
    given: Mapping[str, tuple[str, ...]]

    def statement(self, statement_id: str) -> Sealed:
        """Return a billing statement with what is disclosed of it."""
        entry = self.desk.ledger.entry_by_id(statement_id)
        assert entry is not None, "the book names only statements that stand on the ledger"
        statement, sealing = envelope.decode(entry.statement), self.desk.ledger.block_of(entry.index)
        payload = parse(statement.payload)
        assert isinstance(payload, InvoiceIssued | CreditIssued), "the caller looked for one of these"
        assert sealing is not None, "every entry stands under a block"
        return Sealed(
            id=statement_id,
            index=entry.index,
            time=sealing[1] // 1000,
            payload=payload,
            opened=open_texts(statement, self._disclosures(statement_id)),
        )

    def texts(self, statement_id: str) -> Mapping[str, str]:
        """Return what is disclosed of any statement."""
        entry = self.desk.ledger.entry_by_id(statement_id)
        assert entry is not None, "the book names only statements that stand on the ledger"
        return open_texts(envelope.decode(entry.statement), self._disclosures(statement_id))

    def _disclosures(self, statement_id: str) -> Sequence[str]:
        kept = self.desk.disclosures / f"{statement_id}.disclosures.json"
        return (*disclosures_of(kept, statement_id, named=False), *self.given.get(statement_id, ()))


def _paper(desk: Desk, text: str, files: Sequence[Path], details: Details) -> Paper:
    given: dict[str, tuple[str, ...]] = {}
    for path in files:
        found = read_disclosures(path)
        given[found.statement] = (*given.get(found.statement, ()), *found.disclosures)
    opener = _Opener(desk, given)
    place = Place(origin=desk.state.origin, ledger=desk.state.id, simulated=desk.simulated)
    credit_id, invoice_id = _named(desk, text)
    invoice = desk.book.get(Invoice, invoice_id)
    assert invoice is not None, "it was found in the book"
    _all_needed(given, {invoice_id, invoice.contract, *([credit_id] if credit_id else ())})
    said, terms_opened = opener.statement(invoice_id), opener.texts(invoice.contract)
    if credit_id:
        return paper_of_credit(
            desk.book,
            opener.statement(credit_id),
            said,
            place=place,
            exponents=desk.tables.exponents,
            terms_opened=terms_opened,
            details=details,
        )
    return paper_of_invoice(
        desk.book,
        said,
        place=place,
        exponents=desk.tables.exponents,
        terms_opened=terms_opened,
        details=details,
        replaced=_replaced(desk, said),
    )


def _details(desk: Desk, path: Path | None) -> Details:
    """Read a file of details, and resolve the names of the parties in it."""
    if path is None:
        return Details()
    said = read_details(read_file(path), str(path))
    found = {desk.book.root_of(did_of(desk, name, str(path))): party for name, party in said.parties.items()}
    return said.model_copy(update={"parties": found})


def _named(desk: Desk, text: str) -> tuple[str | None, str]:
    """Return the credit note that a text names, if it names one, and the invoice."""
    credit_id = _credit_id(desk, text)
    if credit_id is None:
        return None, find(desk, Invoice, text)[0]
    try:
        find(desk, Invoice, text)
    except WrongUse:
        return credit_id, _subject_of(desk, credit_id)
    raise WrongUse(f"an invoice and a credit note are called {text!r}", hint="give the beginning of an id")


def _credit_id(desk: Desk, text: str) -> str | None:
    """Return the id of the credit note that a text names, by its number or the beginning of its id."""
    found = list(desk.ledger.ids_numbered(_CREDIT, text, limit=9))
    for begun in desk.ledger.ids_that_begin(text, limit=9) if _is_begin(text) else ():
        entry = desk.ledger.entry_by_id(begun)
        found += [begun] if entry is not None and entry.type == _CREDIT else []
    found = list(dict.fromkeys(found))
    if len(found) > 1:
        raise WrongUse(f"{len(found)} credit notes are called {text!r}", hint="give more of the id")
    return found[0] if found else None


def _is_begin(text: str) -> bool:
    return 6 <= len(text) <= 64 and all(c in "0123456789abcdef" for c in text)


def _subject_of(desk: Desk, statement_id: str) -> str:
    """Return what a statement is about: the invoice that a credit note lowers."""
    entry = desk.ledger.entry_by_id(statement_id)
    assert entry is not None, "it was found on the ledger"
    return envelope.decode(entry.statement).sub


def _all_needed(given: Mapping[str, tuple[str, ...]], needed: set[str]) -> None:
    for statement in given:
        if statement not in needed:
            raise WrongUse(
                f"--disclosures: a file opens {statement}, which this document does not need",
                hint=f"it needs those of {', '.join(sorted(needed))}",
            )


def _replaced(desk: Desk, said: Sealed) -> Earlier | None:
    assert isinstance(said.payload, InvoiceIssued), "only invoices replace others"
    if said.payload.preceding is None:
        return None
    invoice = desk.book.get(Invoice, said.payload.preceding)
    return None if invoice is None else Earlier(number=invoice.number, time=invoice.issued_at)
