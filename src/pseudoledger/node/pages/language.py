"""Every word that the pages say, by language: two catalogues with the same keys, one choice for each request.

`words/<code>.json` holds the sentences by key, those that count something in their plural forms (CLDR), and `words/dictionary.<code>.json` the descriptions of the data
dictionary by their English text. What is put into a sentence is escaped and isolated (`<bdi>` in HTML, U+2068
and U+2069 in attributes), so that a hash or a name never turns the words around it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType

from markupsafe import Markup, escape

CODES = ("en", "ar")
"""Languages of the pages; the first is the default."""

_RIGHT_TO_LEFT = frozenset({"ar"})
_ACCEPTED_MAX = 32
"""Most entries of Accept-Language that are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One language: its code and all its words."""

    code: str
    words: Mapping[str, str]
    counted: Mapping[str, Mapping[str, str]]
    """Sentences about a number `{n}`, by plural category."""
    dictionary: Mapping[str, str]

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, for the `dir` attribute."""
        return "rtl" if self.code in _RIGHT_TO_LEFT else "ltr"

    def say(self, key: str, **values: object) -> Markup:
        """Return a sentence for HTML, each value escaped and isolated."""
        isolated = {name: Markup("<bdi>{}</bdi>").format(value) for name, value in values.items()}
        return escape(self.words[key]).format(**isolated)

    def count(self, key: str, number: int) -> Markup:
        """Return a sentence about a number of things, in the plural form that the number takes."""
        forms = self.counted[key]
        form = forms.get(_plural(self.code, number), forms["other"])
        return escape(form).format(n=Markup("<bdi>{}</bdi>").format(f"{number:,}"))

    def plain(self, key: str, **values: object) -> str:
        """Return a sentence for an attribute or a title, each value isolated by Unicode controls."""
        return self.words[key].format(**{name: f"\u2068{value}\u2069" for name, value in values.items()})

    def describe(self, text: str) -> str:
        """Return a description of the data dictionary in this language; unknown ones stay as they are."""
        return self.dictionary.get(text, text)

    def some(self, prefix: str) -> dict[str, str]:
        """Return all words whose key starts with a prefix, without it: what a script on the page says."""
        return {key.removeprefix(prefix): text for key, text in self.words.items() if key.startswith(prefix)}


@lru_cache(maxsize=len(CODES))
def language(code: str) -> Language:
    """Read one language from the package."""
    folder = files("pseudoledger.node.pages") / "words"
    catalogue = json.loads((folder / f"{code}.json").read_text(encoding="utf-8"))
    known = folder / f"dictionary.{code}.json"
    # English is the language of the data dictionary itself.
    dictionary = {} if code == CODES[0] else json.loads(known.read_text(encoding="utf-8"))
    return Language(
        code=code,
        words=MappingProxyType(catalogue["words"]),
        counted=MappingProxyType(catalogue["counted"]),
        dictionary=MappingProxyType(dictionary),
    )


def _plural(code: str, number: int) -> str:
    """Return the CLDR plural category of a whole number."""
    if code == "ar":
        if number in {0, 1, 2}:
            return ("zero", "one", "two")[number]
        rest = number % 100
        return "few" if 3 <= rest <= 10 else "many" if rest >= 11 else "other"
    return "one" if number == 1 else "other"


def choose(asked: str | None, accepted: str) -> Language:
    """Choose by `?lang=`, else by Accept-Language, else English."""
    if asked in CODES:
        return language(asked)
    ranked: list[tuple[float, str]] = []
    for item in accepted.split(",")[:_ACCEPTED_MAX]:
        tag, _, parameter = item.strip().partition(";")
        code = tag.strip().lower().split("-")[0]
        if code in CODES:
            ranked.append((_weight(parameter), code))
    best = max(ranked, key=lambda pair: pair[0], default=(0.0, CODES[0]))
    return language(best[1] if best[0] > 0 else CODES[0])


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
