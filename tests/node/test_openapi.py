"""What the OpenAPI document says is what the node does: schemathesis tries, within bounds, in process and over HTTP."""

import pytest
import schemathesis
from api_world import World, play_month
from hypothesis import HealthCheck, given, settings
from processes import Place

STREAM = "/api/v1/entries/stream"
"""Has no end by itself; tests of its own ask it."""
EXAMPLES = 20
EXAMPLES_SERVED = 10
EXAMPLES_LONG = 500
"""Requests to one operation, in each of the two modes."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("openapi") / "month")
    yield made
    made.close()


def operations_of(document):
    found = [result.ok() for result in document.get_all_operations()]
    assert len(found) > 20
    return [operation for operation in found if operation.path != STREAM]


@pytest.fixture(scope="module")
def operations(world):
    return operations_of(schemathesis.openapi.from_asgi("/api/v1/openapi.json", world.app))


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """The same month, served by real processes."""
    place = Place(tmp_path_factory.mktemp("served"))
    play_month(place.directory).registrar.close()
    with place.running("serve", place.directory / "ledger", "--port", "0") as running:
        yield running
        code, errors = running.stop()
    assert code == 0
    assert "Traceback" not in errors
    assert '"error"' not in errors


def try_all(operations, mode, examples):
    """Send what the document allows, or what it does not, to each operation; compare the answers with it."""
    for operation in operations:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        def tried(case):
            if mode is schemathesis.GenerationMode.POSITIVE and case.query:
                # A cursor is opaque: none that is made up is one, whatever its letters.
                case.query.pop("cursor", None)
            case.call_and_validate()

        if mode is schemathesis.GenerationMode.POSITIVE or operation.path_parameters or operation.query:
            tried()


MODES = pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)


@MODES
def test_the_node_does_what_its_document_says(operations, mode):
    try_all(operations, mode, EXAMPLES)


@MODES
def test_the_running_node_does_what_its_document_says(node, mode):
    document = schemathesis.openapi.from_url(f"{node.url}/api/v1/openapi.json")
    try_all(operations_of(document), mode, EXAMPLES_SERVED)


@pytest.mark.long
@MODES
def test_the_running_node_does_what_its_document_says_for_long(node, mode):
    document = schemathesis.openapi.from_url(f"{node.url}/api/v1/openapi.json")
    try_all(operations_of(document), mode, EXAMPLES_LONG)
