"""The tables of an export as a page, read from the code that writes them."""

from __future__ import annotations

from pseudoledger.market.export.columns import tables


def export_page() -> str:
    """Write docs/reference/export.md."""
    out = [
        "# Tables of an export\n",
        (
            "What `pl export DIR --csv FOLDER` and `--parquet FOLDER` write, from the code by `make docs`: one file for"
            " each table, columns in this order, and `export.json` with the state of the ledger that they show. Entries"
            " and blocks stand in their order, everything else by its first column. A new version may add tables, and"
            " columns at the end of one; what is there keeps its name, type and meaning.\n"
        ),
        "| type | CSV | Parquet |",
        "|---|---|---|",
        "| `text` | as it is; empty where there is none | string |",
        "| `int` | decimal | int64 |",
        "| `time` | RFC 3339, UTC | timestamp[ms, UTC] |",
        "| `bool` | `true`, `false` | boolean |",
        "| `json` | an object or list as JSON text | string |",
        "",
        (
            "Amounts are minor units of the row's currency, shares hundredths of a percent, `entry` the index of the"
            " statement that opened the thing. Sealed fields stay sealed. Rows of the book show the state as of the last"
            " block; what follows from the time (deemed, overdue) is no column, since it changes without a statement.\n"
        ),
    ]
    for table in tables():
        out += [f"## {table.name}\n", "| column | type |", "|---|---|"]
        out += [f"| `{column.name}` | {column.type} |" for column in table.columns]
        out.append("")
    return "\n".join(out)
