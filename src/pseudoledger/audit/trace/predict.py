"""Predict: the bits of every candidate pair, by Splink on DuckDB, a chunk at a time.

Splink computes the levels and adds up the model's bits; the sum is rounded to 1e-6, so it is the same as that of the
scan of one identity in numpy (`TrainedModel.raw`). Result is the table

    links(a INTEGER, b INTEGER, raw_bits DOUBLE, bits DOUBLE)

a < b, ordered; raw as summed, bits calibrated and with the prior: log2 of the posterior odds of one party. The
levels behind a link are not kept: `model.levels` gives them for the pairs that are asked for. A memory limit does
not make a large join spill by itself, so the chunks are what bounds it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from splink import Linker

from pseudoledger.audit.trace.features import Features, Integers
from pseudoledger.audit.trace.model import ROUND, TrainedModel, linker

CHUNK = 500_000
"""Pairs scored at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """How many pairs were scored and how many kept in the table `links`."""

    scored: int
    kept: int


def predict(
    features: Features, model: TrainedModel, *, keep_bits: float | None = None, chunk: int = CHUNK
) -> Links:
    """Score the pairs of the table `candidates` into the table `links`; keep those of `keep_bits` and more."""
    connection = features.connection
    connection.execute("CREATE OR REPLACE TABLE links(a INTEGER, b INTEGER, raw_bits DOUBLE, bits DOUBLE)")
    row = connection.execute("SELECT count(*) FROM candidates").fetchall()
    scored = int(row[0][0])
    if scored and model.comparisons:
        linking = linker(features, tuple(item.comparison for item in model.comparisons), model, features.work)
        step = chunk * features.work.chunk_factor
        with features.work.on_all_cores():
            for start in range(0, scored, step):
                _chunk(features, model, linking, start, min(start + step, scored), keep_bits)
    elif scored and (keep_bits is None or model.prior_bits >= keep_bits):
        connection.execute(
            "INSERT INTO links SELECT a, b, 0, $bits FROM candidates ORDER BY a, b",
            {"bits": model.prior_bits},
        )
    row = connection.execute("SELECT count(*) FROM links").fetchall()
    return Links(scored=scored, kept=int(row[0][0]))


def predict_around(
    features: Features, model: TrainedModel, ids: Integers, *, component: Integers, threshold_bits: float
) -> Links:
    """Score as `predict` does, but only what says who is in one cluster with some identities, and all pairs with these.

    From the identities on, pairs with everybody who is joined to those before, by `threshold_bits` or by evidence
    (`component`, int64[N]). The table `candidates` is used up.
    """
    connection = features.connection
    connection.execute(
        """CREATE OR REPLACE TABLE open_candidates AS FROM candidates;
        CREATE OR REPLACE TABLE near_links(a INTEGER, b INTEGER, raw_bits DOUBLE, bits DOUBLE)"""
    )
    near = np.zeros(features.count, np.bool_)
    front = np.unique(ids)
    scored = 0
    while front.size:
        near[front] = True
        connection.register("front", pa.table({"id": front.astype(np.int32)}))
        connection.execute(
            """CREATE OR REPLACE TABLE candidates AS SELECT a, b FROM open_candidates
            WHERE a IN (FROM front) OR b IN (FROM front) ORDER BY a, b;
            DELETE FROM open_candidates WHERE a IN (FROM front) OR b IN (FROM front)"""
        )
        connection.unregister("front")
        scored += predict(features, model).scored
        connection.execute("INSERT INTO near_links FROM links")
        joined = connection.execute(
            "SELECT a, b FROM links WHERE bits >= $bits", {"bits": threshold_bits}
        ).fetchnumpy()
        reached = np.isin(component, component[front])
        reached[joined["a"]] = reached[joined["b"]] = True
        front = np.flatnonzero(reached & ~near)
    connection.execute(
        "CREATE OR REPLACE TABLE links AS FROM near_links ORDER BY a, b; DROP TABLE near_links; DROP TABLE open_candidates"
    )
    return Links(scored=scored, kept=scored)


def _chunk(  # noqa: PLR0917 - one step of `predict`
    features: Features, model: TrainedModel, linking: Linker, start: int, end: int, keep: float | None
) -> None:
    connection, work = features.connection, features.work
    connection.execute(
        f"""CREATE OR REPLACE TABLE blocked_chunk AS SELECT '0' AS match_key, a AS join_key_l, b AS join_key_r FROM candidates
        WHERE rowid >= {start} AND rowid < {end}"""
    )
    work.share("blocked_chunk")
    table = linking._db_api.register("blocked_chunk", table_name=f"blocked_{start}")  # noqa: SLF001 - its only way to take pairs that are blocked already
    linking.table_management.register_blocked_pairs_for_predict(table)
    scored = linking.inference.predict(warning_mode="never")
    connection.execute("CREATE OR REPLACE TABLE scored_chunk(a INTEGER, b INTEGER, raw DOUBLE)")
    work.insert(
        "scored_chunk",
        f"SELECT id_l AS a, id_r AS b, match_weight AS raw FROM {scored.physical_name}",
        order="a, b",
    )
    got = connection.execute(f"SELECT a, b, round(raw, {ROUND}) AS raw FROM scored_chunk").fetchnumpy()
    scored.drop_table_from_database_and_remove_from_cache()
    connection.execute("DROP TABLE scored_chunk; DROP TABLE blocked_chunk")
    bits = np.round(model.evidence(got["raw"]) + model.prior_bits, ROUND)
    kept = np.ones(len(bits), np.bool_) if keep is None else bits >= keep
    table = pa.table(
        {"a": got["a"][kept], "b": got["b"][kept], "raw_bits": got["raw"][kept], "bits": bits[kept]}
    )
    connection.register("links_in", table)
    connection.execute("INSERT INTO links SELECT a, b, raw_bits, bits FROM links_in")
    connection.unregister("links_in")
