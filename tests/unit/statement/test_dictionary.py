"""The data dictionary: every field says what it is and what it tells; rules read nothing that may be sealed."""

import ast
from pathlib import Path
from types import ModuleType
from typing import get_args

import pytest

from pseudoledger.contract import apart, judge
from pseudoledger.contract.rules import common
from pseudoledger.statement.kinds import KINDS, Subject
from pseudoledger.statement.sealed import sealable_fields
from pseudoledger.statement.values import INTEGER_MAX, Reveals, Sealable, Value, is_sealable

CONTRACT = Path(common.__file__).parents[1]


def models():
    """Every object of the dictionary, with those inside others."""
    found, waiting = {}, [kind.model for kind in KINDS.values()]
    while waiting:
        model = waiting.pop()
        if model not in found.values():
            found[model.__name__] = model
            for info in model.model_fields.values():
                waiting.extend(inner(info.annotation))
    return found


def inner(annotation):
    if isinstance(annotation, type) and issubclass(annotation, Value):
        return [annotation]
    return [model for part in get_args(annotation) for model in inner(part)]


FIELDS = [
    pytest.param(model, name, info, id=f"{model.__name__}.{name}")
    for model in models().values()
    for name, info in model.model_fields.items()
]


@pytest.mark.parametrize(("model", "name", "info"), FIELDS)
def test_a_field_is_described(model, name, info):
    assert len(info.description) >= 3
    assert not info.description.endswith(".")
    extra = info.json_schema_extra
    assert set(extra) == {"unit", "reveals", "sealable"}
    assert extra["reveals"] in get_args(Reveals)
    if is_sealable(info):
        assert issubclass(model, Sealable)
        assert info.default is None
        assert extra["reveals"] != "nothing"


NO_QUANTITY = {"v", "number", "height", "index", "code"}
"""Integers that count nothing: versions, numbers, codes."""


@pytest.mark.parametrize(("model", "name", "info"), FIELDS)
def test_a_quantity_has_a_unit(model, name, info):
    whole = info.annotation is int or int in get_args(info.annotation)
    if whole and name not in NO_QUANTITY:
        assert info.json_schema_extra["unit"]


def integers(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "integer":
            yield schema
        for member in schema.values():
            yield from integers(member)
    elif isinstance(schema, list):
        for member in schema:
            yield from integers(member)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_every_integer_of_a_payload_is_bounded(kind):
    for schema in integers(kind.model.model_json_schema()):
        if "const" not in schema:
            assert -INTEGER_MAX <= schema["minimum"] <= schema["maximum"] <= INTEGER_MAX


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_is_described_and_can_be_told_apart(kind):
    assert kind.model.__doc__.strip().endswith((".", ")"))
    assert kind.name.split(".")[0].isalpha()
    assert isinstance(kind.subject, Subject)
    assert kind.from_network == (kind.family != "ledger")
    assert ("sd_alg" in kind.model.model_fields) == bool(list(sealable_fields(kind.model)))


def test_kinds_that_may_repeat_carry_a_number():
    """Two honest acts in one second stay two: opening kinds are numbered."""
    for kind in KINDS.values():
        if kind.subject is Subject.ISSUER:
            assert "number" in kind.model.model_fields


# Sealable fields and fields that rules read are disjoint.

NAMESAKES = {
    # A public label, a never sealed key of a chain, the JSON of a book's own thing.
    "label": {"identity.py", "standing.py", "things"},
}


def names_read(path):
    """Every attribute, keyword and text of a source file that could name a field."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"getattr", "hasattr"}:
            yield from (arg.value for arg in node.args if isinstance(arg, ast.Constant))
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            yield node.slice.value


SOURCES = [
    *CONTRACT.glob("rules/*.py"),
    *(CONTRACT / f"{n}.py" for n in ("stock", "derive", "amounts", "case", "book")),
]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_no_rule_reads_what_may_be_sealed(path):
    read = set(names_read(path)) & apart.sealable_names()
    assert read <= {name for name, files in NAMESAKES.items() if path.name in files}


def test_the_names_that_may_be_sealed_are_known():
    assert apart.sealable_names() == {
        *("label", "contact", "site", "owner", "operator", "bank_account", "lessor_name", "lessee_name"),
        *("workload", "seller_name", "buyer_name", "buyer_reference", "remark", "subject_name"),
    }


def module_with(source):
    module = ModuleType("made_up")
    exec(compile(source, "made_up", "exec"), vars(module))  # noqa: S102 - a rule made up for this test
    return module


@pytest.mark.parametrize(
    "source",
    [
        "def rule(case):\n    yield case.payload.remark",
        "def rule(case):\n    yield getattr(case.payload, 'remark')",
        "def rule(case):\n    return [x.site for x in case.payload.lines]",
        "def rule(case):\n    def inner():\n        return case.payload.facility.owner\n    return inner",
        "def rule(case):\n    return all(getattr(case.payload, n) for n in ('workload', 'v'))",
        "class Helper:\n    @property\n    def place(self):\n        return self.payload.facility.site",
    ],
)
def test_a_rule_that_could_read_one_is_not_loaded(source):
    with pytest.raises(RuntimeError, match=r"made_up\.\S+ reads what may be sealed"):
        apart.check([module_with(source)])


def test_a_rule_that_reads_none_is_loaded():
    apart.check([module_with("def rule(case):\n    yield case.payload.number")])


def test_the_functions_that_read_a_namesake_are_still_there():
    for place, names in apart.NAMESAKES.items():
        module, _, function = place.rpartition(".")
        family = getattr(judge, module.rpartition(".")[2])
        assert names <= apart.reads(getattr(family, function))
