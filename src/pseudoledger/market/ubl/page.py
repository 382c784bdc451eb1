"""A drawn-up invoice or credit note as one HTML file that prints on A4, in English or Arabic.

The file needs nothing else: no script, no font, no picture, nothing from elsewhere. What is put into a sentence
is escaped and isolated (`<bdi>`), so that a name or a hash never turns the words around it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from pseudoledger.market.ubl.paper import Paper, PaperLine
from pseudoledger.market.ubl.write import decimal_of, micro_decimal, percent
from pseudoledger.statement.values import format_instant

LANGUAGES = ("en", "ar")
"""Languages of the page; the first is the default."""
_RIGHT_TO_LEFT = frozenset({"ar"})


def to_html(paper: Paper, language: str = LANGUAGES[0]) -> bytes:
    """Return the page in one of `LANGUAGES`."""
    words = _words(language)

    def say(key: str, **values: object) -> Markup:
        isolated = {name: Markup("<bdi>{}</bdi>").format(value) for name, value in values.items()}
        return escape(words[key]).format(**isolated)

    html = (
        _environment()
        .get_template("invoice.html")
        .render(
            paper=paper,
            lang=language,
            direction="rtl" if language in _RIGHT_TO_LEFT else "ltr",
            t=say,
            money=lambda minor: _grouped(decimal_of(minor, paper.exponent)),
            currency=paper.currency,
            price=lambda line: _grouped(micro_decimal(line.price_micro)),
            hours=_hours,
            part_key=_part_key,
            number=lambda value: f"{value:,}",
            percent=percent,
            day=lambda seconds: format_instant(seconds)[:10],
        )
    )
    return html.encode("utf-8")


def _part_key(line: PaperLine) -> str:
    """Return the key of what a line is for; a credit on a fee of no lease line names that line alone."""
    return "part.credit_line" if line.part == "credit" and not line.resource else f"part.{line.part}"


def _hours(line: PaperLine) -> str:
    """Write the unit-hours of a line with two decimals, cut off; the exact seconds stand beside them."""
    return f"{line.quantity // 3600:,}.{line.quantity % 3600 * 100 // 3600:02}"


def _grouped(decimal: str) -> str:
    """Write a decimal in groups of three digits."""
    whole, dot, fraction = decimal.partition(".")
    return f"{int(whole):,}{dot}{fraction}"


@lru_cache(maxsize=len(LANGUAGES))
def _words(language: str) -> Mapping[str, str]:
    folder = files("pseudoledger.market.ubl") / "words"
    return MappingProxyType(json.loads((folder / f"{language}.json").read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("pseudoledger.market.ubl"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
