"""Rule packs, compiled: every expression once, every version with what it takes over from an earlier one.

Raises MalformedError with every reason where a file is no pack, names facts that observations do not have, or
has two versions of one track in force at a time.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import ValidationError

from pseudoledger.audit.review.expression import Expression
from pseudoledger.audit.review.facts import Sort, Table
from pseudoledger.audit.review.pack_model import (
    Answer,
    CasesText,
    Evidence,
    Line,
    PackText,
    Part,
    RuleText,
    VersionText,
)
from pseudoledger.audit.review.words import places
from pseudoledger.contract.tables import contracts_dir
from pseudoledger.errors import Finding, MalformedError, PeerUnreachable
from pseudoledger.statement.values import date_seconds

PACK_BYTES_MAX = 1_000_000
_P = TypeVar("_P", bound=Part)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyLine:
    """A line with its exact value."""

    text: Line
    value: Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyAnswer:
    """An answer for one table."""

    text: Answer
    choices: tuple[tuple[str, Expression], ...]
    needs: frozenset[str]
    """Facts, lines and answers it reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyEvidence:
    """One fact for or against."""

    says: str
    when: Expression | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyRule:
    """A rule with its expressions."""

    text: RuleText
    when: Expression
    pros: tuple[ReadyEvidence, ...]
    cons: tuple[ReadyEvidence, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What one version has to say about one kind of observation."""

    table: Table
    lines: tuple[ReadyLine, ...]
    answers: tuple[ReadyAnswer, ...]
    rules: tuple[ReadyRule, ...]
    lists: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version, whole, with its time in seconds."""

    text: VersionText
    start: int
    until: int | None
    sheets: Mapping[str, Sheet]
    """By observation table."""

    @property
    def name(self) -> str:
        """Name of the version."""
        return self.text.version

    def counts_at(self, when: int) -> bool:
        """Tell whether it counts at a time."""
        return self.start <= when and (self.until is None or when < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One pack, ready to be asked."""

    name: str
    title: str
    about: str
    sha256: str
    versions: tuple[Version, ...]

    def version(self, name: str) -> Version | None:
        """Return a version by its name."""
        return next((version for version in self.versions if version.name == name), None)


def pack_files() -> list[Path]:
    """Return the shipped packs, by name."""
    folder = contracts_dir() / "packs"
    return sorted(path for path in folder.glob("*.toml") if not path.name.endswith(".cases.toml"))


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped packs."""
    return tuple(path.stem for path in pack_files())


def find_pack(name: str) -> Path:
    """Return the file of a pack by its name or path; raise PeerUnreachable if there is none."""
    if name in shipped_names():
        return contracts_dir() / "packs" / f"{name}.toml"
    path = Path(name)
    if path.suffix == ".toml":
        if path.is_file():
            return path
        raise PeerUnreachable(f"{name}: no such file", hint="name a file of a rule pack, or a shipped pack")
    raise PeerUnreachable(
        f"there is no rule pack {name!r}",
        hint=f"choose one of {', '.join(shipped_names())}, or name a .toml file",
    )


def read_pack(path: Path, tables: Mapping[str, Table]) -> Pack:
    """Read and compile one pack file."""
    raw = _bytes(path)
    return build(_parsed(PackText, raw, path.name), sha256(raw).hexdigest(), tables)


def read_cases(path: Path) -> CasesText:
    """Read the cases that stand beside a pack: `NAME.cases.toml` for `NAME.toml`."""
    beside = path.with_name(f"{path.stem}.cases.toml")
    return _parsed(CasesText, _bytes(beside), beside.name)


def build(text: PackText, digest: str, tables: Mapping[str, Table]) -> Pack:
    """Compile a pack."""
    whole: dict[str, VersionText] = {}
    for version in text.versions:
        place = f"{text.pack} {version.version}"
        if version.version in whole:
            raise _bad(f"{place}: the version stands twice")
        if version.extends is not None and version.extends not in whole:
            raise _bad(f"{place}: extends {version.extends!r}, which does not stand before it")
        whole[version.version] = _inherit(version, whole.get(version.extends or ""))
    versions = tuple(_ready(version, f"{text.pack} {name}", tables) for name, version in whole.items())
    _check_tracks(text.pack, versions)
    return Pack(name=text.pack, title=text.title, about=text.about, sha256=digest, versions=versions)


def _inherit(version: VersionText, base: VersionText | None) -> VersionText:
    """Return a version with what it takes over: its own lines, answers and rules replace those of one name."""
    if base is None:
        return version
    known = {line.name for line in base.lines} | {answer.name for answer in base.answers}
    known |= {rule.rule for rule in base.rules} | set(base.lists)
    stray = set(version.without) - known
    if stray:
        raise _bad(
            f"{version.version}: is without {', '.join(sorted(stray))}, which {base.version} does not have"
        )
    gone = frozenset(version.without)

    def merged(old: Sequence[_P], new: Sequence[_P], name: Callable[[_P], str]) -> tuple[_P, ...]:
        mine = {name(item): item for item in new}
        kept = [mine.pop(name(item), item) for item in old if name(item) not in gone]
        return (*kept, *mine.values())

    return version.model_copy(
        update={
            "lists": {key: value for key, value in base.lists.items() if key not in gone} | version.lists,
            "lines": merged(base.lines, version.lines, lambda item: item.name),
            "answers": merged(base.answers, version.answers, lambda item: item.name),
            "rules": merged(base.rules, version.rules, lambda item: item.rule),
        }
    )


def _ready(version: VersionText, place: str, tables: Mapping[str, Table]) -> Version:
    observed = [rule.observes for rule in version.rules]
    observed += [name for answer in version.answers for name in answer.observes]
    sheets = {}
    for name in dict.fromkeys(observed):
        if name not in tables:
            raise _bad(
                f"{place}: there is no observation {name!r}", f"there are: {', '.join(sorted(tables))}"
            )
        sheets[name] = _sheet(version, tables[name], place)
    _check_lines_used(version, sheets, place)
    return Version(
        text=version,
        start=date_seconds(version.start),
        until=None if version.until is None else date_seconds(version.until),
        sheets=MappingProxyType(sheets),
    )


def _sheet(version: VersionText, table: Table, place: str) -> Sheet:
    """Compile what a version says about one table, and check every name."""
    spot = f"{place}, {table.name}"
    lines = tuple(
        ReadyLine(text=line, value=Fraction(line.value)) for line in version.lines if line.fact in table.facts
    )
    for line in lines:
        if table.facts[line.text.fact].sort not in {Sort.RATIO, Sort.INTEGER}:
            raise _bad(f"{spot}: line {line.text.name} compares {line.text.fact}, which is no number")
    seen = {name for name, fact in table.facts.items() if fact.sort is not Sort.RATIO}
    names = seen | {line.text.name for line in lines} | set(version.lists)
    answers = []
    for answer in version.answers:
        if table.name in answer.observes:
            ready = _answer(answer, names, spot)
            names = names | {answer.name}
            answers.append(ready)
    rules = [_rule(rule, names, table, spot) for rule in version.rules if rule.observes == table.name]
    return Sheet(
        table=table, lines=lines, answers=tuple(answers), rules=tuple(rules), lists=dict(version.lists)
    )


def _answer(answer: Answer, names: set[str], spot: str) -> ReadyAnswer:
    choices = tuple(
        (choice.is_, _expression(choice.when, names, f"{spot}, {answer.name}")) for choice in answer.choices
    )
    needs = frozenset(name for _, when in choices for name in when.variables)
    return ReadyAnswer(text=answer, choices=choices, needs=needs)


def _rule(rule: RuleText, names: set[str], table: Table, spot: str) -> ReadyRule:
    place = f"{spot}, {rule.rule}"
    allowed = names | set(table.facts)
    texts = [rule.says, rule.asks, *(item.says for item in (*rule.for_, *rule.against))]
    stray = {name for text in texts for name in places(text)} - allowed
    if stray:
        raise _bad(f"{place}: {{{', '.join(sorted(stray))}}} is no fact of {table.name}")
    if rule.once_per and rule.once_per not in table.facts:
        raise _bad(f"{place}: once_per names {rule.once_per}, which is no fact of {table.name}")

    def weighed(items: Iterable[Evidence]) -> tuple[ReadyEvidence, ...]:
        return tuple(
            ReadyEvidence(
                says=item.says,
                when=None if item.when == "true" else _expression(item.when, names, f"{place}, evidence"),
            )
            for item in items
        )

    return ReadyRule(
        text=rule,
        when=_expression(rule.when, names, place),
        pros=weighed(rule.for_),
        cons=weighed(rule.against),
    )


def _expression(source: str, names: set[str], place: str) -> Expression:
    made = Expression(source, place)
    stray = made.variables - names
    if stray:
        raise _bad(
            f"{place}: {source!r} names {', '.join(sorted(stray))}, which is neither a fact that expressions see"
            " nor a line, answer or list",
            "fractions are compared by lines",
        )
    return made


def _check_lines_used(version: VersionText, sheets: Mapping[str, Sheet], place: str) -> None:
    used = {line.text.name for sheet in sheets.values() for line in sheet.lines}
    lost = [line.name for line in version.lines if line.name not in used]
    if lost:
        raise _bad(f"{place}: {', '.join(lost)} compares a fact that none of its observations has")


def _check_tracks(pack: str, versions: Sequence[Version]) -> None:
    for number, first in enumerate(versions):
        for second in versions[number + 1 :]:
            same = first.text.track == second.text.track
            if (
                same
                and first.counts_at(max(first.start, second.start))
                and second.counts_at(max(first.start, second.start))
            ):
                raise _bad(f"{pack}: {first.name} and {second.name} of track {first.text.track} overlap")


def _bytes(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PeerUnreachable(f"{path}: {error.strerror}", hint="name a file that can be read") from error
    if len(raw) > PACK_BYTES_MAX:
        raise _bad(f"{path.name} is over {PACK_BYTES_MAX:,} bytes")
    return raw


def _parsed(model: type[_P], raw: bytes, name: str) -> _P:
    try:
        tree: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _bad(f"{name} is not TOML: {error}") from None
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        findings = [
            Finding(
                code="pack.form",
                message=f"{name}: {problem['msg'].removeprefix('Value error, ')}",
                field="/" + "/".join(map(str, problem["loc"])),
            )
            for problem in error.errors(include_url=False)[:32]
        ]
        raise MalformedError(
            "; ".join(str(finding) for finding in findings),
            code="pack.form",
            field=findings[0].field,
            findings=findings,
            hint="docs/reference/packs.md shows the form",
        ) from None


def _bad(message: str, hint: str = "docs/reference/packs.md shows the form") -> MalformedError:
    return MalformedError(message, code="pack.form", hint=hint)
