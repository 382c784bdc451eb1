"""`pool`: what a lessor has to lease out."""

from __future__ import annotations

from typing import Annotated

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.listing import (
    LIMIT,
    LimitOption,
    MineOption,
    cut,
    id_column,
    lines_text,
    party,
    row_of,
    text,
    things_of,
)
from pseudoledger.cli.show import Column, Sheet
from pseudoledger.cli.values import stock_line
from pseudoledger.contract.things import Pool

app = group("pool", "Pools: what a lessor has to lease out.")
APPS = (app,)


@acting(
    app,
    "declare",
    examples=(
        "pl pool declare P1 --line h100=8xnvidia-h100-sxm5-80gb --as alice",
        "pl pool declare P2 --line cpu=64xcpu_core --line ram=256xmemory_gib --label 'hall 2' --as alice",
    ),
)
def declare(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the pool.", show_default=False)],
    line: Annotated[
        list[str],
        typer.Option("--line", help="ID=COUNTxRESOURCE: a chip, cpu_core, memory_gib or storage_gib."),
    ],
    label: Annotated[
        str | None, typer.Option("--label", help="Your own name for it; sealed.", show_default=False)
    ] = None,
) -> Act:
    """Declare stock; offers of one pool share it."""
    lines = [stock_line(item, place, "--line", acting.desk.tables) for place, item in enumerate(line, 1)]
    tree = {"type": "pool.declared", "number": number, "lines": lines}
    if label:
        tree["label"] = label
    return Act(tree=tree, title=number, then=f"pl offer publish NUMBER --pool {number} …")


@reading(app, "list", examples=("pl pool list", "pl pool list --of alice --json"))
def list_pools(desk: Desk, of: MineOption = None, limit: LimitOption = LIMIT) -> Sheet:
    """List pools, newest first."""
    rows = [row_of(key, pool) for key, pool in things_of(desk, Pool, of=of)]
    columns = (
        id_column(),
        text("number", "number"),
        party(desk, "lessor"),
        Column(
            title="stock",
            form=lambda row: lines_text({"id": name, **line} for name, line in row["lines"].items()),
            wide=True,
        ),
    )
    return cut("Pools", columns, rows, limit, empty="none yet; pl pool declare makes one")
