"""What the OpenAPI document says is what the node does: schemathesis tries, in process and within bounds."""

import pytest
import schemathesis
from api_world import World
from hypothesis import HealthCheck, given, settings

STREAM = "/api/v1/entries/stream"
"""Has no end by itself; tests of its own ask it."""
EXAMPLES = 20


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("openapi") / "month")
    yield made
    made.close()


@pytest.fixture(scope="module")
def operations(world):
    document = schemathesis.openapi.from_asgi("/api/v1/openapi.json", world.app)
    found = [result.ok() for result in document.get_all_operations()]
    assert len(found) > 20
    return [operation for operation in found if operation.path != STREAM]


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_the_node_does_what_its_document_says(operations, mode):
    for operation in operations:

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=EXAMPLES,
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
