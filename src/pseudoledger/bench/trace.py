"""Tracing: one identity from four vantage points, all identities exactly, and a whole large world with its memory."""

from __future__ import annotations

import importlib.util
import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from splink import DuckDBAPI

from pseudoledger.audit.trace.beside import scanner_beside
from pseudoledger.audit.trace.clusters import THRESHOLD_BITS, components
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.matrix import View, vantage_matrix
from pseudoledger.audit.trace.model import linker
from pseudoledger.audit.trace.report.page import LANGUAGES, to_html
from pseudoledger.audit.trace.report.run import Asked, trace_table
from pseudoledger.audit.trace.report.values import to_json
from pseudoledger.audit.trace.roles import Columns
from pseudoledger.audit.trace.tracing import Traced, trace
from pseudoledger.audit.trace.whole import exact_figures
from pseudoledger.bench.measure import Figure, at_most

ASKED = 50
"""Identities over which the median of one is taken."""
TIMES = 10
"""The large world has so many times as many identities."""


def bench_trace(directory: Path, *, entries: int) -> Iterator[Figure]:
    """Measure tracing `entries` pseudonyms of a generated world, and ten times as many."""
    with ExitStack() as held:
        found: list[tuple[Seat, Traced]] = []
        for seat in Seat:
            seen = held.enter_context(generate(World(seed=1, identities=entries), seat))
            found.append((seat, trace(seen, seed=1)))
        traced = found[-1][1]
        views = [
            View(vantage=seat.value, scanner=scanner_beside(one, traced, seed=1), identity=0)
            for seat, one in found
        ]
        yield from _one(views, entries)
        start = time.perf_counter()
        exact_figures(views[-1].scanner, range(entries))
        yield at_most(
            f"all {entries:,} exactly", time.perf_counter() - start, "s", 60 * (entries / 10_000) ** 2
        )
        yield from _clustering(traced)
    yield from _whole(directory, TIMES * entries)


def _one(views: list[View], entries: int) -> Iterator[Figure]:
    scans, all_of_it = [], []
    for identity in np.linspace(0, entries - 1, ASKED).astype(int).tolist():
        start = time.perf_counter()
        for view in views:
            view.scanner.scan(identity)
        scans.append(time.perf_counter() - start)
        start = time.perf_counter()
        vantage_matrix(
            [View(vantage=view.vantage, scanner=view.scanner, identity=identity) for view in views]
        )
        all_of_it.append(time.perf_counter() - start)
    name = f"one of {entries:,} from {len(views)} vantage points"
    yield Figure(name=f"{name}, the scans alone", value=1e3 * statistics.median(scans), unit="ms")
    yield at_most(f"{name}, figures too", 1e3 * statistics.median(all_of_it), "ms", 5)


def _clustering(traced: Traced) -> Iterator[Figure]:
    """Compare components by scipy with Splink's own clustering on the same links."""
    connection = traced.features.connection
    got = connection.execute(
        f"SELECT a, b FROM links WHERE bits >= {THRESHOLD_BITS} ORDER BY a, b"  # noqa: S608 - a number of ours
    ).fetchnumpy()
    start = time.perf_counter()
    label = components(traced.features.count, got["a"].astype(np.int64), got["b"].astype(np.int64))
    yield Figure(name="components of the links, scipy", value=1e3 * (time.perf_counter() - start), unit="ms")
    if importlib.util.find_spec("networkx") is not None:
        yield _by_networkx(traced.features.count, got["a"].tolist(), got["b"].tolist(), len(np.unique(label)))
    connection.execute(
        "CREATE OR REPLACE TABLE splink_links AS SELECT a AS id_l, b AS id_r,"
        " 1 / (1 + pow(2, -bits)) AS match_probability FROM links ORDER BY a, b"
    )
    linking = linker(
        traced.features, tuple(item.comparison for item in traced.model.comparisons), traced.model
    )
    predicted = linking.table_management.register_table_predict(
        DuckDBAPI(connection=connection).register("splink_links")
    )
    start = time.perf_counter()
    clustered = linking.clustering.cluster_pairwise_predictions_at_threshold(
        predicted, threshold_match_probability=1 / (1 + 2.0**-THRESHOLD_BITS)
    )
    yield Figure(name="the same by Splink", value=1e3 * (time.perf_counter() - start), unit="ms")
    rows = connection.execute(f"SELECT count(DISTINCT cluster_id) FROM {clustered.physical_name}").fetchall()  # noqa: S608 - its name
    assert rows[0][0] == len(np.unique(label)), "both find the same clusters"


def _by_networkx(count: int, a: list[int], b: list[int], clusters: int) -> Figure:
    """Find the same components with networkx, which tests bring along; its graph is not counted."""
    networkx = importlib.import_module("networkx")
    graph = networkx.Graph()
    graph.add_nodes_from(range(count))
    graph.add_edges_from(zip(a, b, strict=True))
    start = time.perf_counter()
    found = sum(1 for _ in networkx.connected_components(graph))
    took = time.perf_counter() - start
    assert found == clusters, "both find the same clusters"
    return Figure(name="the same by networkx", value=1e3 * took, unit="ms")


def _whole(directory: Path, identities: int) -> Iterator[Figure]:
    """Trace a large world as a table, to the pages of its report, in a process of its own, so that its memory can be told.

    Once more with 1 GB for DuckDB.
    """
    table = directory / "world.parquet"
    _alone(_write, identities, str(table))
    for limit in ("", "1GB"):
        seconds, peak, deviation = _alone(_large, str(table), limit)
        under = f", DuckDB within {limit}" if limit else ""
        name = f"{identities:,} pseudonyms, {10 * identities:,} records{under}"
        whole = f"{name}: whole run"
        if limit:
            # Within a limit it has to end, however long that takes.
            yield Figure(name=whole, value=seconds, unit="s")
        else:
            yield at_most(whole, seconds, "s", 90 * identities / 100_000)
        yield at_most(f"{name}: peak memory", peak / 1024, "MiB", 2_048)
        yield Figure(name=f"{name}: H off by (median of a sample)", value=deviation, unit="bits")


def _alone(work: Callable[..., tuple[float, ...]], *values: object) -> tuple[float, ...]:
    """Do something in a process of its own, and return what it says."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *values).result()


def _write(identities: int, table: str) -> tuple[float, ...]:
    with generate(World(seed=1, identities=identities), Seat.AUDITOR) as seen:
        seen.connection.execute(
            f"""COPY (SELECT i.name AS identity, to_timestamp("at")::TIMESTAMP AS time,
                r.* EXCLUDE (id, "at", ref), t.account FROM records r JOIN identities i USING (id)
                LEFT JOIN (SELECT id, min(value) AS account FROM tokens WHERE kind = 'payment_account' GROUP BY id) t
                USING (id) ORDER BY r.id, "at") TO '{table}'"""  # noqa: S608 - a path of ours
        )
    return ()


def _large(table: str, limit: str) -> tuple[float, ...]:
    """Return seconds, peak memory in KiB, and how far the estimate of H is off."""
    start = time.perf_counter()
    columns = Columns(token=("account",), counterparty=("counterparty",))
    report = trace_table(Path(table), Asked(cap=8, memory_limit=limit), columns=columns)
    to_json(report)
    for language in LANGUAGES:
        to_html(report, language)
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, report.vantages[-1].deviation_bits
