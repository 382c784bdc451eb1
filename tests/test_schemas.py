"""The generated JSON Schemas and the models judge shapes alike, on made payloads and on a real ledger's.

A schema cannot say what two fields ask of each other, nor count the digests of sealed fields; it says so in
`$comment`. Everything else it has to say exactly.
"""

import copy
import json
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from dictionary import conditions, schema_name
from pseudoledger.demo.play import play
from pseudoledger.errors import MalformedError
from pseudoledger.statement import payload
from pseudoledger.statement.envelope import decode
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.values import INTEGER_MAX

SCHEMAS = Path(__file__).resolve().parents[1] / "docs" / "reference" / "schema"
ALL = sorted(KINDS.values(), key=lambda kind: kind.name)


def schema_of(kind):
    return json.loads((SCHEMAS / schema_name(kind)).read_text())


def valid(schema, tree):
    return Draft202012Validator(schema).is_valid(tree)


def accepted(tree):
    """The model's word, and why not."""
    try:
        payload.draft(tree)
    except MalformedError as error:
        return False, error
    return True, None


def made(schema, root):
    """A strategy for values that a schema accepts."""
    if "$ref" in schema:
        return made(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([made(choice, root) for choice in schema["anyOf"]])
    match schema["type"]:
        case "integer":
            return st.integers(schema.get("minimum", -INTEGER_MAX), schema.get("maximum", INTEGER_MAX))
        case "boolean":
            return st.booleans()
        case "array":
            low = schema.get("minItems", 0)
            return st.lists(
                made(schema["items"], root), min_size=low, max_size=min(low + 1, schema.get("maxItems", 2))
            )
        case "string" if "pattern" in schema:
            return st.from_regex(
                schema["pattern"], fullmatch=True, alphabet=st.characters(codec="ascii")
            ).filter(lambda text: not text.endswith("\n") and len(text) <= schema.get("maxLength", len(text)))
        case "string":
            letters = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
            return st.text(letters, min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 20))
        case "object":
            fields = {name: made(member, root) for name, member in schema["properties"].items()}
            needed = set(schema.get("required", ()))
            return st.fixed_dictionaries(
                {name: member for name, member in fields.items() if name in needed},
                optional={name: member for name, member in fields.items() if name not in needed},
            )
    raise AssertionError(schema)


@lru_cache(maxsize=1)
def words_of_conditions():
    models = {model for kind in ALL for model in models_below(kind.model)}
    return tuple({text for model in models for text in conditions(model)})


def across_fields(error):
    """Tell whether every finding is of the sort that a schema leaves to the model."""
    known = (
        *words_of_conditions(),
        "_sd must",
        "_sd_alg stands",
        "the period ends",
        "is not a real date",
        "is not a date",
        "after validation",  # a list whose items were refused is empty to the library that checks it
    )
    return all(any(part in finding.message for part in known) for finding in error.findings)


def models_below(model):
    yield model
    for info in model.model_fields.values():
        parts = [info.annotation]
        while parts:
            part = parts.pop()
            parts.extend(getattr(part, "__args__", ()))
            if hasattr(part, "model_fields"):
                yield from models_below(part)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_schemas_are_well_formed_and_say_what_each_field_is(kind):
    schema = schema_of(kind)
    Draft202012Validator.check_schema(schema)
    for node in (schema, *schema.get("$defs", {}).values()):
        assert node["additionalProperties"] is False
        for name, field in node["properties"].items():
            assert field.get("description") or "$ref" in field, name
            assert field["reveals"]
            assert isinstance(field["sealable"], bool)
            assert (
                field.get("type") != "integer"
                or field.get("unit")
                or name in {"v", "number", "height", "index", "code"}
            ), name


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.name)
def test_what_fits_the_schema_fits_the_model_but_for_what_fields_ask_of_each_other(kind):
    schema = schema_of(kind)

    @settings(
        max_examples=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
        phases=(Phase.generate,),
    )
    @given(tree=made(schema, schema))
    def check(tree):
        assert valid(schema, tree)
        ok, error = accepted(tree)
        assert ok or error.code == "payload.limits" or across_fields(error), error.findings

    check()


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """Every payload of the demo month, by kind."""
    stage = play(tmp_path_factory.mktemp("month"), seed=1, tell=lambda _scene: None)
    found = {}
    with stage.registrar as registrar:
        for entry in registrar.store.entries():
            found.setdefault(entry.type, []).append(json.loads(decode(entry.statement).payload))
    return found


def test_every_payload_of_a_real_ledger_fits_its_schema(registered):
    assert len(registered) > 20
    for name, trees in registered.items():
        schema = schema_of(KINDS[name, trees[0]["v"]])
        for tree in trees:
            try:
                Draft202012Validator(schema).validate(tree)
            except ValidationError as error:
                raise AssertionError(f"{name}: {error.message} at {error.json_path}") from None


OTHER = {str: 7, int: "7", bool: "yes", list: {}, dict: []}


def spoiled(tree):
    """Yield copies of a payload with one shape broken: a field more, of another type, or too long."""
    places = [((), tree)]
    while places:
        path, node = places.pop()
        children = node.items() if isinstance(node, dict) else enumerate(node)
        for key, child in children:
            yield path, key, replaced(tree, (*path, key), OTHER[type(child)])
            if isinstance(child, str):
                yield path, key, replaced(tree, (*path, key), child + "~" * 300)
            elif isinstance(child, int) and not isinstance(child, bool):
                yield path, key, replaced(tree, (*path, key), -1)
                yield path, key, replaced(tree, (*path, key), 1.5)
            elif isinstance(child, dict | list):
                places.append(((*path, key), child))
        if isinstance(node, dict):
            yield path, "unheard_of", replaced(tree, (*path, "unheard_of"), 1)


def replaced(tree, path, value):
    changed = copy.deepcopy(tree)
    node = changed
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return changed


def test_broken_shapes_fit_neither(registered):
    """One payload of each kind of a real ledger, with each of its shapes broken in turn."""
    checked = 0
    for name, trees in registered.items():
        schema = schema_of(KINDS[name, trees[0]["v"]])
        for path, key, tree in spoiled(trees[0]):
            assert not valid(schema, tree), (name, path, key)
            assert not accepted(tree)[0], (name, path, key)
            checked += 1
    assert checked > 500


def test_missing_fields_fit_neither(registered):
    for name, trees in registered.items():
        schema = schema_of(KINDS[name, trees[0]["v"]])
        for field in schema["required"]:
            if field in {"type", "v"}:
                continue
            tree = {key: value for key, value in trees[0].items() if key != field}
            assert not valid(schema, tree)
            assert not accepted(tree)[0]
