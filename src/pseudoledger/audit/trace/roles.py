"""What the columns of a table are, as its reader says: what types do not tell (docs/how-to/trace-observations.md).

A report keeps it, so that the table can be traced again; it is therefore a plain value that needs no library.
"""

from __future__ import annotations

from dataclasses import dataclass

REVEALS = ("identity", "place", "time", "money", "hardware", "counterparty", "free_text", "reference")
"""Words of the data dictionary for what a column reveals."""
GROUP = "group"


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What the columns of a table are; names are spelled as in the file."""

    identity: str = "identity"
    time: str = "time"
    """"" where the rows have no times."""
    group: str = GROUP
    """Known owner; the default may be missing, "" for none."""
    numeric: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    token: tuple[str, ...] = ()
    """Columns of values that normally one party alone holds."""
    counterparty: tuple[str, ...] = ()
    """Categories that name whom an identity deals with: they are compared as sets."""
    log: tuple[str, ...] = ()
    """Numeric columns that are compared on a log scale, beside those that spread widely."""
    ignore: tuple[str, ...] = ()
    reveals: tuple[tuple[str, str], ...] = ()
    """What a column reveals, for explanations; `identity` without, `free_text` for text."""

    def named(self) -> tuple[str, ...]:
        """Return every column that has to be there."""
        group = () if self.group in {GROUP, ""} else (self.group,)
        time = (self.time,) if self.time else ()
        chosen = (*self.numeric, *self.category, *self.text, *self.token, *self.counterparty)
        reveals = tuple(name for name, _ in self.reveals)
        return (self.identity, *time, *group, *chosen, *self.log, *self.ignore, *reveals)
