"""`pack`: the rule packs that review applies, their cases, and what they say about one chip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from pseudoledger.audit.review.cases import check_cases
from pseudoledger.audit.review.chips import chip_of, chips
from pseudoledger.audit.review.engine import UNKNOWN, Chosen
from pseudoledger.audit.review.observers import TABLES
from pseudoledger.audit.review.pack import find_pack, read_cases, read_pack, shipped_names
from pseudoledger.audit.review.run import chip_answers, read_packs
from pseudoledger.audit.review.words import decimal
from pseudoledger.cli.command import JsonOption, group, plain
from pseudoledger.cli.failure import CHECK_FAILED, WrongUse
from pseudoledger.cli.show import Column, Facts, Row, Sheet, errors, listed, present
from pseudoledger.errors import PeerUnreachable

app = group("pack", "Rule packs of review: their versions, their cases, the class of a chip.")
APPS = (app,)

PacksArgument = Annotated[
    list[str] | None, typer.Argument(help="Shipped packs or .toml files; all shipped packs without.")
]


def known_packs(said: Sequence[str] | None) -> tuple[str, ...]:
    """Return the packs that were named; raise WrongUse for a name that is neither shipped nor a file's."""
    for name in said or ():
        try:
            find_pack(name)
        except PeerUnreachable as error:
            if name.endswith(".toml"):
                raise
            raise WrongUse(error.message, hint=error.hint) from None
    return tuple(said or ())


@plain(app, "list", examples=("pl pack list", "pl pack list chip-class --json"))
def list_packs(packs: PacksArgument = None, *, as_json: JsonOption = False) -> None:
    """List packs and the versions in them, with the time for which each counts."""
    rows: list[Row] = [
        {
            "pack": pack.name,
            "version": version.name,
            "track": version.text.track,
            "from": version.text.start,
            "until": version.text.until or "",
            "status": version.text.status.value,
            "title": version.text.title,
            "sha256": pack.sha256,
        }
        for pack in read_packs(known_packs(packs), Chosen())
        for version in pack.versions
    ]
    present(Sheet(title="Rule packs", columns=_COLUMNS, rows=rows), as_json=as_json)


@plain(app, "check", examples=("pl pack check", "pl pack check my-rules.toml"))
def check(packs: PacksArgument = None, *, as_json: JsonOption = False) -> None:
    """Compile packs and run the cases that stand beside them (NAME.cases.toml for NAME.toml)."""
    rows: list[Row] = []
    for name in known_packs(packs) or shipped_names():
        path = find_pack(name)
        pack = read_pack(path, TABLES)
        rows += [
            {"pack": result.pack, "case": result.case, "problems": list(result.problems)}
            for result in check_cases(pack, read_cases(path), TABLES)
        ]
    failed = [row for row in rows if row["problems"]]
    facts = [("cases", f"{len(rows)}"), ("as expected", f"{len(rows) - len(failed)}")]
    value = {"cases": len(rows), "failed": failed}
    present(Facts(title="Cases of rule packs", facts=facts, value=value), as_json=as_json)
    for row in failed:
        for problem in row["problems"]:
            errors(f"{row['pack']}, {row['case']}: {problem}")
    if failed:
        raise typer.Exit(CHECK_FAILED)


@plain(app, "chip", examples=("pl pack chip nvidia-h20-96gb", "pl pack chip nvidia-a30 amd-mi308x --json"))
def chip(
    names: Annotated[list[str], typer.Argument(help="Rows of the chip table.", show_default=False)],
    *,
    as_json: JsonOption = False,
) -> None:
    """Say what every version that classes chips says about a chip, from its exact TPP and density."""
    packs = read_packs((), Chosen())
    rows: list[Row] = []
    for name in names:
        if name not in chips():
            raise WrongUse(
                f"the chip table has no row {name!r}", hint="docs/reference/tables.md names the table"
            )
        found = chip_of(name)
        answers = chip_answers(name, packs)
        for version, given in answers.items():
            rows.append(
                {
                    "chip": name,
                    "tpp": UNKNOWN if found.tpp is None else decimal(found.tpp),
                    "density": UNKNOWN if found.density is None else decimal(found.density),
                    "version": version,
                    "answers": given,
                    "doubt": found.doubt,
                }
            )
    doubts = {str(row["chip"]): str(row["doubt"]) for row in rows if row["doubt"]}
    note = "; ".join(f"{name}: {doubt}" for name, doubt in doubts.items())
    present(Sheet(title="Chips", columns=_CHIP_COLUMNS, rows=rows, note=note), as_json=as_json)


_COLUMNS = (
    Column(title="pack", form=lambda row: str(row["pack"])),
    Column(title="version", form=lambda row: str(row["version"])),
    Column(title="from", form=lambda row: str(row["from"])),
    Column(title="until", form=lambda row: str(row["until"])),
    Column(title="status", form=lambda row: str(row["status"]).replace("_", " ")),
    Column(title="title", form=lambda row: str(row["title"]), wide=True),
)
_CHIP_COLUMNS = (
    Column(title="chip", form=lambda row: str(row["chip"])),
    Column(title="TPP", form=lambda row: str(row["tpp"]), right=True),
    Column(title="density", form=lambda row: str(row["density"]), right=True),
    Column(title="version", form=lambda row: str(row["version"])),
    Column(
        title="answers",
        form=lambda row: listed(f"{name} {value}" for name, value in row["answers"].items()),
        wide=True,
    ),
)
