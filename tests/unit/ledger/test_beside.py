"""Two things at once: both done, every error raised, and nothing left over for the next call."""

import threading
import time

import pytest

from pseudoledger.ledger.beside import Beside


@pytest.fixture
def beside():
    made = Beside()
    yield made
    made.close()


def fail(error):
    raise error


def test_both_are_done_at_once(beside):
    """Each waits for the other, so that they cannot be done one after the other."""
    both, threads = threading.Barrier(2, timeout=10), []

    def work():
        both.wait()
        threads.append(threading.current_thread())

    for _ in range(3):
        beside.run(work, work)
    assert len(threads) == 6
    assert len(set(threads)) == 2


def test_every_error_is_raised_when_both_are_over(beside):
    done = []

    def slow():
        time.sleep(0.05)
        done.append("slow")

    with pytest.raises(KeyError):
        beside.run(lambda: fail(KeyError()), slow)
    with pytest.raises(IndexError):
        beside.run(slow, lambda: fail(IndexError()))
    with pytest.raises(IndexError):
        beside.run(lambda: fail(KeyError()), lambda: fail(IndexError()))
    assert done == ["slow", "slow"]
    beside.run(lambda: done.append("next"), lambda: None)
    assert done[-1] == "next"


def test_what_was_under_way_at_an_interruption_is_waited_for(beside):
    go = threading.Event()
    beside._started = True
    threading.Thread(target=beside._serve, daemon=True).start()
    beside._open = True
    beside._asked.put(go.wait)
    threading.Timer(0.05, go.set).start()
    assert beside.wait() is None
    assert go.is_set()
    assert beside.wait() is None


def test_closing_ends_the_thread_and_may_come_twice():
    made, found = Beside(), []
    made.close()
    made.run(lambda: found.append(threading.current_thread()), lambda: None)
    made.close()
    made.close()
    found[0].join(10)
    assert not found[0].is_alive()
