"""Vouchers from a CSV file: every line is read and judged before anything is registered."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pseudoledger.cli.command import Act, Acting
from pseudoledger.cli.desk import Desk, read_file
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of
from pseudoledger.cli.values import amount, period
from pseudoledger.errors import Finding, MalformedError, RegistrationRefused
from pseudoledger.registrar import Refused

COLUMNS = ("number", "holder", "face", "from", "until")
LINES_READ_MAX = 10_000
"""Most vouchers of one file: they are one batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the file, and the voucher that it asks for."""

    place: int
    tree: dict[str, Any]


def read_lines(desk: Desk, file: Path, currency: str) -> list[Line]:
    """Read every line; raise WrongUse with all that is wrong, each with its line number."""
    try:
        text = read_file(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WrongUse(f"{file} is not UTF-8") from None
    reader = csv.DictReader(io.StringIO(text), strict=True)
    head = tuple(reader.fieldnames or ())
    wrong_names = [f"no {name!r}" for name in COLUMNS if name not in head]
    wrong_names += [f"unknown {name!r}" for name in head if name not in {*COLUMNS, "remark"}]
    wrong_names += [f"{name!r} twice" for name in dict.fromkeys(head) if head.count(name) > 1]
    if wrong_names:
        raise WrongUse(
            f"{file} line 1: {', '.join(wrong_names)}",
            hint=f"the first line names the columns: {','.join(COLUMNS)} and, where wanted, remark",
        )
    lines: list[Line] = []
    wrong: list[str] = []
    try:
        for row in reader:
            if len(lines) + len(wrong) == LINES_READ_MAX:
                raise WrongUse(f"{file} has more than {LINES_READ_MAX} vouchers", hint="split the file")
            try:
                lines.append(Line(place=reader.line_num, tree=_tree(desk, row, currency)))
            except (WrongUse, MalformedError) as error:
                wrong.append(f"line {reader.line_num}: {error.message}")
    except csv.Error as error:
        # The line of the reader below: that of the DictReader is the one before.
        raise WrongUse(f"{file} line {reader.reader.line_num}: {error}") from None
    if wrong:
        raise WrongUse(f"{file}: {'; '.join(wrong)}", hint="nothing was registered; mend these lines")
    return lines


def _tree(desk: Desk, row: dict[str, Any], currency: str) -> dict[str, Any]:
    if row.get(None) or any(row[name] is None for name in COLUMNS):  # type: ignore[call-overload]
        raise WrongUse("it has another number of fields than the first line")
    empty = [name for name in COLUMNS if not row[name].strip()]
    if empty:
        raise WrongUse(f"{', '.join(empty)} left empty")
    tree: dict[str, Any] = {
        "type": "voucher.issued",
        "number": row["number"].strip(),
        "holder": did_of(desk, row["holder"].strip(), "holder"),
        "face_minor": amount(row["face"], "face", desk.tables.exponents, currency).minor,
        "period": period(row["from"].strip(), row["until"].strip(), None),
    }
    remark = (row.get("remark") or "").strip()
    return tree | ({"remark": remark} if remark else {})


def checked(acting: Acting, file: Path, lines: Sequence[Line], acts: Sequence[Act]) -> None:
    """Judge all lines as one batch without registering any; raise RegistrationRefused naming the lines."""
    desk, raws, findings = acting.desk, [], []
    for line, act in zip(lines, acts, strict=True):
        try:
            raws.append(desk.sign(acting.signer, act.tree, sub=act.sub).raw)
        except MalformedError as error:
            findings += [_at(file, line, finding) for finding in error.findings]
    answers = [] if findings else desk.register(raws, dry_run=True)
    for line, answer in zip(lines, answers, strict=False):
        if isinstance(answer, Refused):
            findings += [_at(file, line, finding) for finding in answer.findings]
    if findings:
        raise RegistrationRefused(findings, hint="nothing was registered; mend these lines")


def _at(file: Path, line: Line, finding: Finding) -> Finding:
    message = f"{file.name} line {line.place}: {finding.message}"
    return Finding(code=finding.code, message=message, field=finding.field, entry=finding.entry)
