"""Statement ids are told from other hashes by the names of their fields."""

import re
from collections.abc import Iterator
from typing import get_args

import pytest

from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.references import OTHER_HASHES, is_id, pinned_files, references
from pseudoledger.statement.values import Value

ONE, TWO = "1a" * 32, "2b" * 32


def models_in(annotation) -> Iterator[type[Value]]:
    if isinstance(annotation, type) and issubclass(annotation, Value):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


def fields():
    """Every field that may hold 64 hex digits, by name and description."""
    open_models = [kind.model for kind in KINDS.values()]
    seen = set()
    while open_models:
        model = open_models.pop()
        if model in seen:
            continue
        seen.add(model)
        for name, info in model.model_fields.items():
            open_models.extend(models_in(info.annotation))
            if "[0-9a-f]{64}" in repr(info):
                yield info.alias or name, info.description


FIELDS = sorted(set(fields()))


def test_there_are_such_fields():
    assert {"nonce", "sha256", "answers", "report", "invoice"} <= {name for name, _ in FIELDS}


@pytest.mark.parametrize(("name", "says"), FIELDS)
def test_a_field_that_says_it_is_a_hash_is_none_of_an_id(name, says):
    about_a_hash = re.search(r"sha-256|\bhash\b|digest|random|\broot\b", says, re.IGNORECASE)
    assert bool(about_a_hash) == (name in OTHER_HASHES), f"{name}: {says}"


def test_references_are_found_wherever_they_stand():
    payload = f'{{"a":{{"report":"{ONE}"}},"lines":[{{"reports":["{TWO}"]}}],"sha256":"{"3c" * 32}","n":1}}'
    assert references(payload.encode()) == {ONE, TWO}
    assert references(b'{"label":"no id"}') == frozenset()
    assert not is_id(ONE.upper())


def test_files_are_found_with_their_names():
    payload = (
        f'{{"rules":{{"name":"r","sha256":"{ONE}"}},"evidence":[{{"media_type":"m/x","sha256":"{TWO}"}}]}}'
    )
    assert pinned_files(payload.encode()) == {ONE: "r", TWO: "m/x"}
