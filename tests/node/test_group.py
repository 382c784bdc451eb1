"""Group commit where a block fails while the next batch is under way: nobody gets the answer of another."""

import asyncio
import socket
import threading

import pytest

from pseudoledger.bench.workload import Load
from pseudoledger.errors import StoreError
from pseudoledger.ledger.receipt import verify_receipt
from pseudoledger.ledger.store import Store
from pseudoledger.lines import Line
from pseudoledger.node import group as group_module
from pseudoledger.node import registering
from pseudoledger.node.group import GroupCommit
from pseudoledger.node.metrics import Metrics
from pseudoledger.node.registering import Question, RemoteRegistrar, answer
from pseudoledger.node.submission import Receipted, Unavailable


@pytest.fixture
def load(tmp_path):
    made = Load(tmp_path / "load", leases=1)
    yield made
    made.registrar.close()


@pytest.fixture
def remote(load):
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=answer, args=(Line(ours.detach(), Question), load.registrar))
    thread.start()
    yield RemoteRegistrar(theirs.detach())
    thread.join()


def fail_once_another_is_begun(monkeypatch, remote, owner, name):
    """Let a step of the first block fail, once a second batch was begun beside it."""
    step, begin, begun, failed = getattr(owner, name), remote.begin, [], threading.Event()
    second = threading.Event()

    def beginning(statements):
        begin(statements)
        begun.append(len(statements))
        if len(begun) == 2:
            second.set()

    def failing(*arguments, **named):
        if failed.is_set():
            return step(*arguments, **named)
        failed.set()
        assert second.wait(10), "a second batch was begun"
        raise StoreError("the disk fails")

    monkeypatch.setattr(remote, "begin", beginning)
    monkeypatch.setattr(owner, name, failing)
    monkeypatch.setattr(group_module, "BESIDE_LEAST", 2)


async def submit_all(group, raws):
    return await asyncio.gather(*(group.submit([raw]) for raw in raws), return_exceptions=True)


@pytest.mark.parametrize(
    ("owner", "name"), [(Store, "append"), (registering, "receipted")], ids=["write", "receipts"]
)
def test_a_block_that_fails_shifts_no_answer(load, remote, monkeypatch, owner, name):
    fail_once_another_is_begun(monkeypatch, remote, owner, name)
    state = load.registrar.state
    raws = [load.pool(0, f"P-{number}") for number in range(60)]

    async def run():
        group = GroupCommit(remote, Metrics())
        group.start()
        first = asyncio.create_task(submit_all(group, raws[:20]))
        # The first batch is under way by then.
        await asyncio.sleep(0.1)
        second = await submit_all(group, raws[20:])
        answers = [*(await first), *second]
        again = await asyncio.wait_for(submit_all(group, raws), 10)
        await group.stop()
        return answers, again

    answers, again = asyncio.run(run())
    assert any(isinstance(one, Unavailable) for one in answers)
    for raw, outcome in zip([*raws, *raws], [*answers, *again], strict=True):
        if not isinstance(outcome, Unavailable):
            (one,) = outcome
            assert isinstance(one, Receipted)
            verified = verify_receipt(one.receipt, raw, state.ledger_key, state.origin)
            assert verified.leaf_index == one.index
    assert not any(isinstance(one, Exception) for one in again)
