"""A drafted example of every kind is a payload of that kind, and stays one when it is sealed."""

import json
import os

import pytest

from pseudoledger.cli.examples import example
from pseudoledger.cli.main import run
from pseudoledger.statement import sealed
from pseudoledger.statement.kinds import KINDS
from pseudoledger.statement.payload import draft

DID = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"
SENT = [kind for kind in KINDS.values() if kind.from_network]


@pytest.mark.parametrize("kind", SENT, ids=lambda kind: kind.name)
def test_an_example_can_be_sealed_and_signed(kind):
    tree = json.loads(json.dumps(example(kind)))
    done = sealed.seal(tree, aud="0" * 64, iss=DID, random=os.urandom)
    assert draft(done.tree).type == kind.name


NEWEST = list({kind.name: kind for kind in sorted(SENT, key=lambda kind: kind.v)}.values())
"""Of every name the newest version, which is what is drafted."""


@pytest.mark.parametrize("kind", NEWEST, ids=lambda kind: kind.name)
def test_draft_prints_it(kind, capsys):
    assert run(["draft", kind.name]) == 0
    assert json.loads(capsys.readouterr().out) == example(kind)


def test_the_list_names_every_kind_that_may_be_sent(capsys):
    assert run(["draft", "--list", "--json"]) == 0
    assert {row["kind"] for row in json.loads(capsys.readouterr().out)} == {kind.name for kind in SENT}
