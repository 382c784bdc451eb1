"""Habits of writing: the shape of numbers, prices and words, without what they say."""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

_LEADING = re.compile(r"[A-Za-z]+", re.ASCII)
_YEAR = 4
"""Digits from which on a run keeps its length: years and dates are habits, a counter that grows is none."""

_WORD = 5
"""Letters from which on a run is a word."""


def number_style(number: str) -> str:
    """Return the pattern of a number: A, a and 9 for letters and digits, everything else as it stands.

    A run of digits keeps its length where it starts with 0 or has four digits and more, otherwise it counts as
    one; a run of five letters and more is a word, of whatever length. So `INV-2026-007` is `AAA-9999-999`, and
    `L-7-render` and `L-12-harbour` are both `A-9-a+`.
    """
    return "".join(_run(kind, "".join(run)) for kind, run in groupby(number, key=_kind))


def _run(kind: str, run: str) -> str:
    if kind == "9":
        return "9" * (len(run) if run.startswith("0") or len(run) >= _YEAR else 1)
    if kind in {"A", "a"}:
        return kind * len(run) if len(run) < _WORD else f"{kind}+"
    return run


def _kind(letter: str) -> str:
    if letter.isdigit():
        return "9"
    if letter.isalpha():
        return "A" if letter.isupper() else "a"
    return letter


def number_prefix(number: str) -> str | None:
    """Return the letters with which a number starts, None where it starts with something else."""
    found = _LEADING.match(number)
    return None if found is None else found[0]


def number_stem(number: str) -> str:
    """Return a number without its last run of digits: what the numbers of one series share."""
    return re.sub(r"[0-9]+(?=[^0-9]*$)", "#", number, count=1)


def price_style(price: int) -> str:
    """Return how round a price is: its significant digits, and the last of them."""
    digits = str(price).rstrip("0") or "0"
    return f"{len(digits)} digits, ends in {digits[-1]}"


def word_style(text: str) -> str:
    """Return case, script, separators, final mark and rough length (the power of two above it) of a text."""
    letters = [letter for letter in text if letter.isalpha()]
    script = unicodedata.name(letters[0], "unknown").split()[0].lower() if letters else "no letters"
    separators = "".join(mark for mark in " -_./" if mark in text.strip()).replace(" ", "space")
    ending = text[-1] if text and not text[-1].isalnum() else "none"
    digits = "digits" if any(letter.isdigit() for letter in text) else "no digits"
    return f"{_case(text)}, {script}, between {separators or 'none'}, end {ending}, {digits}, under {1 << len(text).bit_length()}"


def _case(text: str) -> str:
    if text.islower():
        return "lower"
    if text.isupper():
        return "upper"
    if text.istitle():
        return "title"
    return "sentence" if text[:1].isupper() and text[1:] == text[1:].lower() else "mixed"


def one_spelling(text: str) -> str:
    """Return a text so that spellings of one thing meet: NFKC, case folded, single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
