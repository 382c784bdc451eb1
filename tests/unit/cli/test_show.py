"""Tables on terminals of every width: whatever is asked for is there, cut off nowhere."""

import pytest
from rich.console import Console

from pseudoledger.cli import show
from pseudoledger.cli.show import Column, Sheet

ROWS = [
    {"id": "c71e1dff92f8", "number": "2026-05-river-lab-1", "lessor": "quillmere-hall", "status": "settled"},
    {"id": "064e02634b3c", "number": "L-second-sale", "lessor": "", "status": "cancelled"},
]
SHEET = Sheet(
    title="Leases",
    columns=[Column(title=name, form=lambda row, name=name: row[name]) for name in ROWS[0]],
    rows=ROWS,
    note="2 more",
)


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Print on a terminal of some columns and return the lines."""

    def print_at(width):
        monkeypatch.setattr(
            show, "console", lambda **_: Console(width=width, force_terminal=True, color_system=None)
        )
        SHEET.print()
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return print_at


@pytest.mark.parametrize("width", [120, 80, 64])
def test_what_fits_is_a_table(terminal, width):
    lines = terminal(width)
    assert max(map(len, lines)) <= width
    head = next(line for line in lines if "number" in line)
    assert head.split() == ["id", "number", "lessor", "status"]
    assert all("064e02634b3c" not in line or "cancelled" in line for line in lines)


@pytest.mark.parametrize("width", [50, 40, 30])
def test_what_does_not_fit_is_a_list_of_rows(terminal, width):
    lines = terminal(width)
    assert max(map(len, lines)) <= width
    assert lines[:3] == ["Leases", "", "  id      c71e1dff92f8"]
    for row in ROWS:
        for name, value in row.items():
            assert not value or any(line.split() == [name, value] for line in lines)
    assert sum("lessor" in line for line in lines) == 1, "nothing is said of an empty cell"
    assert lines[-1] == "2 more"


def test_what_steers_a_terminal_is_left_out(capsys):
    show.errors("error: a node said \x1b[2J\x1b]0;title\x07OK\u202e verified")
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said
    assert "OK" in said
