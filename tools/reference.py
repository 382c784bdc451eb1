"""Writes the generated parts of docs/reference and the files of rule sets in preparation, or says with --check which of them are out of step.

python tools/reference.py            make docs
python tools/reference.py --check    part of make check
"""

from __future__ import annotations

import sys
from pathlib import Path

from commands import cli_page
from dictionary import kinds_page, schemas
from exports import export_page
from http_api import http_page
from packbook import packs_page, schema_text
from rulebook import errors_page, rule_set_files, rules_page, tables_page
from tracebook import trace_columns_page, trace_schema_text

REFERENCE = Path(__file__).resolve().parents[1] / "docs" / "reference"


def pages() -> dict[str, str]:
    """Return the text of every generated file, by its path below docs/reference."""
    return {
        "cli.md": cli_page(),
        "errors.md": errors_page(),
        "export.md": export_page(),
        "http.md": http_page(),
        "kinds.md": kinds_page(),
        "packs.md": packs_page(),
        "review.schema.json": schema_text(),
        "rules.md": rules_page(),
        "tables.md": tables_page(),
        "trace-columns.md": trace_columns_page(),
        "trace.schema.json": trace_schema_text(),
        **{f"schema/{name}": text for name, text in schemas().items()},
    }


def out_of_step() -> list[str]:
    """Name the files that differ from what the code yields, and schemas of kinds that are gone."""
    wanted = pages()
    changed = [
        name
        for name, text in wanted.items()
        if not (REFERENCE / name).is_file() or (REFERENCE / name).read_text(encoding="utf-8") != text
    ]
    stored = {f"schema/{path.name}" for path in (REFERENCE / "schema").glob("*")}
    return sorted({*changed, *(stored - wanted.keys())})


def write() -> None:
    """Write every generated file, and remove schemas of kinds that are gone."""
    wanted = pages()
    (REFERENCE / "schema").mkdir(parents=True, exist_ok=True)
    for path in (REFERENCE / "schema").glob("*"):
        if f"schema/{path.name}" not in wanted:
            path.unlink()
    for name, text in wanted.items():
        (REFERENCE / name).write_text(text, encoding="utf-8")


def main() -> None:
    """Write, or check."""
    if sys.argv[1:] == ["--check"]:
        stale = [str(path) for path, raw in rule_set_files().items() if path.read_bytes() != raw]
        stale += out_of_step()
        if stale:
            sys.exit("out of step with the code: " + ", ".join(stale) + "; run make docs")
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        # First, because the pages name the hashes of these files.
        for path, raw in rule_set_files().items():
            path.write_bytes(raw)
        write()


if __name__ == "__main__":
    main()
