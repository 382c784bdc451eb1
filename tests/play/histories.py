"""Random histories: a state machine of hypothesis, played the same way on every run."""

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test


def random_histories(machine, examples, steps):
    """Play so many histories of so many steps each; what fails is shrunk and shown."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
