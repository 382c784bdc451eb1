"""A small table of observations, drawn from a seed, in which every shape of comparison occurs."""

import numpy as np

from pseudoledger.audit.trace.calibrate import Curve
from pseudoledger.audit.trace.model import TrainedComparison, TrainedModel
from pseudoledger.audit.trace.observations import Field, FieldKind, Source

FIELDS = (
    Field(name="size", kind=FieldKind.NUMERIC, reveals="hardware", log=True),
    Field(name="price", kind=FieldKind.NUMERIC, reveals="money"),
    Field(name="region", kind=FieldKind.CATEGORY, reveals="place"),
    Field(name="partner", kind=FieldKind.CATEGORY, reveals="counterparty"),
    Field(name="note", kind=FieldKind.TEXT, reveals="free_text"),
)
SOURCE = Source(name="test", vantage="public", digest="0" * 64, verified=True)
COUNT = 120


def fill(seen, seed=5):
    dice = np.random.default_rng(seed)
    seen.connection.execute(
        f"INSERT INTO identities SELECT i, lpad(i::VARCHAR, 4, '0'), NULL FROM range({COUNT}) t(i)"
    )
    rows = []
    for identity in range(COUNT - 1):  # of the last one nothing is seen
        home = int(dice.integers(86_400))
        for _ in range(int(dice.integers(1, 12))):
            at = int(dice.integers(300)) * 86_400 + int(home + dice.integers(20_000)) % 86_400
            rows.append(
                (
                    identity,
                    at if dice.random() < 0.9 else None,
                    len(rows),
                    float(2 ** dice.integers(0, 7)) if dice.random() < 0.9 else None,
                    float(dice.normal(1, 0.2)),
                    f"r{dice.integers(6)}" if dice.random() < 0.8 else None,
                    f"p{dice.integers(40)}",
                    f"{['Run', 'job', 'TRAIN'][dice.integers(3)]} {dice.integers(100)}"
                    if identity % 3
                    else None,
                )
            )
    seen.connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)


CURVE = Curve(knots=(-40.0, 0.0, 40.0), values=(-25.0, 1.0, 18.0))


def any_model(features, comparisons, *, prior=0.01, curve=CURVE, seed=1):
    """A model whose bits are drawn from a seed: what it says is nonsense, how it is added up is not."""
    dice = np.random.default_rng(seed)
    trained = []
    for item in comparisons:
        plain = dice.normal(0, 3, item.levels)
        m = np.exp2(plain) / 1_000
        weight = float(dice.uniform(0.2, 1))
        bits = tuple(round(float(value), 6) for value in weight * plain)
        trained.append(
            TrainedComparison(comparison=item, m=tuple(m), u=(0.001,) * item.levels, weight=weight, bits=bits)
        )
    return TrainedModel(
        prior=prior,
        curve=curve,
        comparisons=tuple(trained),
        seed=seed,
        identities=features.count,
        hard_pairs=1,
    )
