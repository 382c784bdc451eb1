"""docs/reference/trace-columns.md and trace.schema.json: what trace reads out of a ledger and writes, from the code."""

from __future__ import annotations

import json

from pseudoledger.audit.trace.columns import COLUMNS, ELSEWHERE, Column, all_columns
from pseudoledger.audit.trace.hard import CAP, EXPLAINED, EXPLAINS, SHOWN_ONLY, STRENGTH
from pseudoledger.audit.trace.observations import FieldKind
from pseudoledger.audit.trace.report.values import schema
from pseudoledger.audit.trace.ties import OWN

HEAD = """# Columns of trace

What `trace` reads out of a ledger, written from the code by `make docs`. Each statement of a party is one record, at the time that it was signed (`iat`). What a column reveals is a word of the [data dictionary](kinds.md). A sealed field is seen only from a vantage point that holds it, and only if its disclosure was given.

The ledger's own statements (founding, policy, blocks) make no records: its key is no identity, and the founder is one only if it also acts as a party. Keys stay apart; a rotation is a hard link between two of them.
"""
SPARE = """Every other field that reveals something has a column of its own; of several numbers it is the largest, of several words all different ones.
"""
CONSENT = """What a statement says of its issuer counts at once; what a proposal or invoice says of the other side counts from that side's signature on, a new key from its adoption, a stake from its acceptance. Claims are as good as their attestor; those taken back as mistaken count for nothing, and those at the tier `declared` make a kind of their own. An affiliation that both sides declare is one.
"""


def trace_schema_text() -> str:
    """Write docs/reference/trace.schema.json."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def trace_columns_page() -> str:
    """Return the page."""
    parts = (
        HEAD,
        "## Made from several fields\n",
        _columns(COLUMNS),
        "## Fields as they stand\n",
        SPARE,
        _columns(all_columns()[len(COLUMNS) :]),
        "## Fields without a column\n",
        "Ids of other statements have none either.\n",
        "| field | reveals | why |\n|---|---|---|",
        *(f"| `{name}` | {reveals} | {why} |" for (name, reveals), why in sorted(ELSEWHERE.items())),
        "",
        "## Hard links\n",
        _links(),
        CONSENT,
        "| token | fields |\n|---|---|",
        *(f"| `{kind}` | {_list(names)} |" for kind, names in sorted(_fields().items())),
        "",
    )
    return "\n".join(parts)


def _links() -> str:
    shown = sorted(kind for kind in SHOWN_ONLY if not kind.endswith("_declared"))
    return (
        f"Two identities that hold one value are tied, unless more than {CAP} hold it (or as many as the caller"
        " says): then it is a hub, ties nobody, and is listed. From the strongest on, these kinds join:"
        f" {_list(STRENGTH)}. These join nothing, and a report shows them under a heading of their own (`beside`),"
        " because they tie two parties, can be copied at will"
        f" or say little: {_list(shown)}; nor does a claim at the tier `declared`. A shared"
        f" {_or(sorted(EXPLAINED))} joins nothing where a {_or(sorted(EXPLAINS))} between the holders explains it.\n"
    )


def _columns(columns: tuple[Column, ...]) -> str:
    rows = ["| column | reveals | compared as | what it is |", "|---|---|---|---|"]
    for column in columns:
        field = column.field
        how = field.kind.value + (", log" if field.kind is FieldKind.NUMERIC and field.log else "")
        unit = f" ({field.unit})" if field.unit else ""
        rows.append(f"| `{field.name}` | {field.reveals} | {how} | {column.says}{unit} |")
    return "\n".join([*rows, ""])


def _fields() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for (name, _), kind in OWN.items():
        found.setdefault(kind, []).append(name)
    return found


def _list(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _or(names: list[str]) -> str:
    return " or ".join(names)
