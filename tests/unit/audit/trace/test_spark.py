"""The engine on Apache Spark: the same links and clusters as on DuckDB, and nothing left behind."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unicodedata
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from seeded import COUNT, FIELDS, SOURCE, fill

from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.features import features
from pseudoledger.audit.trace.foreign import read_observations
from pseudoledger.audit.trace.observations import Field, FieldKind, Observations
from pseudoledger.audit.trace.tracing import trace
from pseudoledger.cli import trace as trace_command
from pseudoledger.cli.main import run
from pseudoledger.errors import PeerUnreachable


def java_is_new():
    home = os.environ.get("JAVA_HOME")
    program = shutil.which(str(Path(home) / "bin" / "java") if home else "java")
    if program is None:
        return False
    said = subprocess.run([program, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', said)
    return found is not None and int(found[1]) >= 17


WITHOUT = (
    "pyspark is not installed: make test-spark installs it"
    if importlib.util.find_spec("pyspark") is None
    else ""
    if java_is_new()
    else "Java 17 or newer is not installed"
)
needs_spark = pytest.mark.skipif(bool(WITHOUT), reason=WITHOUT)
pytestmark = [
    pytest.mark.spark,
    # py4j leaves it to the garbage collector to close its sockets.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning"),
]
IDENTITIES = 10_000
TOLERANCE_BITS = 1e-6
MAIN = "import sys; from pseudoledger.cli.main import run; sys.exit(run(sys.argv[1:]))"
CSV = "identity,time,account,seller,price\n" + "".join(
    f"k{n % 6},2026-01-{1 + n // 6:02d}T{8 + n % 6:02d}:00:00Z,a{n % 3},s{n % 4},{10 + n % 5}\n"
    for n in range(90)
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    from pseudoledger.audit.trace.spark import spark_engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("files")))
        with spark_engine() as started:
            yield started


def links_of(traced):
    return traced.features.connection.execute(
        "SELECT a, b, raw_bits, bits FROM links ORDER BY a, b"
    ).fetchnumpy()


def assert_same(one, other):
    """Of the same observations: the model and the pairs to the last digit, bits within the tolerance."""
    assert one.model.hash == other.model.hash
    assert one.candidates == other.candidates
    assert one.links == other.links
    first, second = links_of(one), links_of(other)
    assert first["a"].tolist() == second["a"].tolist()
    assert first["b"].tolist() == second["b"].tolist()
    for column in ("raw_bits", "bits"):
        assert np.abs(first[column] - second[column]).max(initial=0) <= TOLERANCE_BITS * 1.01
    assert one.clusters.label.tolist() == other.clusters.label.tolist()


@needs_spark
def test_ten_thousand_pseudonyms_come_out_the_same(engine):
    world = World(seed=1, identities=IDENTITIES)
    with generate(world, Seat.AUDITOR) as here, generate(world, Seat.AUDITOR) as there:
        one = trace(here, seed=1, cap=8)
        assert len(np.unique(one.clusters.label)) < IDENTITIES
        assert_same(one, trace(there, seed=1, cap=8, engine=engine))


@needs_spark
def test_less_is_seen_and_still_the_same(engine):
    seat = Seat.BROKER
    with (
        generate(World(seed=2, identities=300), seat) as here,
        generate(World(seed=2, identities=300), seat) as there,
    ):
        assert_same(trace(here, seed=1, keep_bits=0.0), trace(there, seed=1, keep_bits=0.0, engine=engine))


@needs_spark
def test_times_alone_come_out_the_same(engine, tmp_path):
    rows = [
        f"k{key},{(20_500 + day) * 86_400 + key % 9 * 7_200 + day * 61}"
        for key in range(60)
        for day in range(20)
    ]
    (tmp_path / "times.csv").write_text("\n".join(["identity,time", *rows, ""]))
    (tmp_path / "ties.csv").write_text("a,b\n" + "".join(f"k{one},k{one + 9}\n" for one in range(12)))
    with (
        closing(read_observations(tmp_path / "times.csv", edges=tmp_path / "ties.csv")) as here,
        closing(read_observations(tmp_path / "times.csv", edges=tmp_path / "ties.csv")) as there,
    ):
        one = trace(here, seed=1)
        assert one.candidates.pairs
        assert_same(one, trace(there, seed=1, engine=engine))


LETTERS = "".join(
    chr(code)
    for code in range(0x20, 0x3000)
    if unicodedata.ucd_3_2_0.category(chr(code)) not in {"Cn", "Cc", "Cs"}
)
"""Of a Unicode that every Java knows."""


@needs_spark
def test_features_of_odd_texts_and_numbers_are_the_same(engine):
    odd = [
        "ΟΔΟΣ ΣΑΣ",
        "\u0130STANBUL I\u011fd\u0131r",
        "ǅ ǈ straße STRASSE",
        'a\'b\\c "d" `e` %_ {0}',
        "",
        "  ",
        "\t\n",
        "٣٤٥ ೧೨",
        "naïve ﬁ \U0001d538\U0001d553",
    ]
    odd += [LETTERS[start : start + 40] for start in range(0, len(LETTERS), 40)]
    numbers = [
        0.0,
        -0.0,
        -5.0,
        1e300,
        -1e300,
        float("nan"),
        float("inf"),
        float("-inf"),
        1e-300,
        0.5,
        1.5,
        2.5,
    ]
    fields = (
        Field(name="log_size", kind=FieldKind.NUMERIC, reveals="hardware", log=True),
        Field(name="price", kind=FieldKind.NUMERIC, reveals="money"),
        Field(name="date", kind=FieldKind.CATEGORY, reveals="counterparty"),
        Field(name="note", kind=FieldKind.TEXT, reveals="free_text"),
    )
    tables = []
    for work in (None, engine):
        with Observations(fields=fields, source=SOURCE) as seen:
            seen.connection.execute(
                "INSERT INTO identities SELECT i, lpad(i::VARCHAR, 4, '0'), NULL FROM range(40) t(i)"
            )
            rows = [
                (
                    n % 39,
                    (n * 7_919_777 - 4_000_000) if n % 5 else None,
                    n,
                    numbers[n % 12],
                    numbers[n % 6] / 3,
                    odd[n % 11],
                    odd[n // 3 % len(odd)],
                )
                for n in range(1_200)
            ]
            seen.connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            if work is None:
                features(seen)
            else:
                with work.over(seen.connection) as taken:
                    features(seen, taken)
            tables.append(repr(seen.connection.execute("FROM features ORDER BY id").fetchall()))
    assert tables[0] == tables[1]


@needs_spark
def test_nothing_known_is_no_error(engine):
    with (
        Observations(fields=FIELDS, source=SOURCE) as here,
        Observations(fields=FIELDS, source=SOURCE) as there,
    ):
        for seen in (here, there):
            fill(seen)
            seen.connection.execute("DELETE FROM records WHERE id > 3")
        assert here.count == COUNT
        assert_same(trace(here, seed=1), trace(there, seed=1, engine=engine))


def break_off(engine, seen):
    with engine.over(seen.connection) as work:
        work.share("records")
        assert list(engine.folder.rglob("*.parquet"))
        work.keep("broken", "SELECT no_such_column FROM records")


@needs_spark
def test_files_are_gone_when_work_fails(engine):
    before = sorted(engine.folder.iterdir())
    with (
        generate(World(seed=2, identities=50), Seat.PUBLIC) as seen,
        pytest.raises(PeerUnreachable, match="Spark gave up"),
    ):
        break_off(engine, seen)
    assert sorted(engine.folder.iterdir()) == before


def told(capsys, *arguments, code):
    assert run([str(one) for one in arguments]) == code
    return capsys.readouterr()


@pytest.fixture
def sales(tmp_path):
    file = tmp_path / "sales.csv"
    file.write_text(CSV)
    return file


def test_without_pyspark_it_says_how_to_get_it(sales, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trace_command, "SPARK", "no_such_library_anywhere")
    answer = told(
        capsys, "trace", "--observations", sales, "--engine", "spark", "--out", tmp_path / "t", code=2
    )
    assert 'pip install "pseudoledger[trace,spark]"' in answer.err
    assert not (tmp_path / "t").exists()


def test_without_java_it_says_what_is_missing(sales, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(trace_command, "SPARK", "json")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    answer = told(
        capsys, "trace", "--observations", sales, "--engine", "spark", "--out", tmp_path / "t", code=2
    )
    assert "none in JAVA_HOME" in answer.err
    assert "Java 17" in answer.err
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(tmp_path))
    answer = told(
        capsys, "trace", "--observations", sales, "--engine", "spark", "--out", tmp_path / "t", code=2
    )
    assert "none on the PATH" in answer.err
    assert not (tmp_path / "t").exists()


def test_another_engine_is_wrong_use(sales, tmp_path, capsys):
    assert (
        "abacus"
        in told(capsys, "trace", "--observations", sales, "--engine", "abacus", "--out", tmp_path, code=2).err
    )


@needs_spark
def test_the_report_is_the_same_to_the_byte_and_nothing_is_left(town, tmp_path, capsys):
    for day in range(1, 5):
        for name in ("north", "south", "east"):
            town.at(f"2023-12-0{day}").offer(name, "nvidia-a800-sxm4-80gb", "CN")
    town.close()
    for name in ("here", "temporary"):
        (tmp_path / name).mkdir()
    told(capsys, "trace", town.ledger, "--out", tmp_path / "one", code=0)
    said = subprocess.run(
        [sys.executable, "-c", MAIN, "trace", town.ledger, "--engine", "spark", "--out", tmp_path / "other"],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path / "here",
        env=os.environ | {"TMPDIR": str(tmp_path / "temporary")},
        timeout=600,
    )
    assert not said.stderr
    for file in sorted((tmp_path / "one").iterdir()):
        assert file.read_bytes() == (tmp_path / "other" / file.name).read_bytes(), file.name
    assert not list((tmp_path / "here").iterdir())
    assert not list((tmp_path / "temporary").iterdir())
    told(capsys, "report", "verify", tmp_path / "other" / "trace.json", "--ledger", town.ledger, code=0)


ASK = """
from pseudoledger.audit.trace.spark import spark_engine
with spark_engine() as engine:
    conf = engine.session.sparkContext.getConf()
    names = ("spark.master", "spark.driver.memory", "spark.driver.host", "spark.ui.enabled")
    print(*(conf.get(name) for name in names))
"""


@needs_spark
def test_sparks_own_configuration_counts(tmp_path):
    (tmp_path / "spark-defaults.conf").write_text("spark.master local[1]\nspark.driver.memory 600m\n")
    said = [
        subprocess.run(
            [sys.executable, "-c", ASK],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | more,
            timeout=300,
        ).stdout.split()
        for more in ({}, {"SPARK_CONF_DIR": str(tmp_path)})
    ]
    assert said == [["local[2]", "2g", "localhost", "false"], ["local[1]", "600m", "localhost", "false"]]


@needs_spark
def test_java_that_does_not_start_is_said_in_a_line(sales, tmp_path):
    """A Java that ends at once, as one that is too old does."""
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'class file has wrong version 61.0, should be 55.0' >&2\nexit 1\n")
    java.chmod(0o755)
    (tmp_path / "temporary").mkdir()
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            MAIN,
            "trace",
            "--observations",
            sales,
            "--engine",
            "spark",
            "--out",
            tmp_path / "t",
        ],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"JAVA_HOME": str(tmp_path), "TMPDIR": str(tmp_path / "temporary")},
        timeout=120,
    )
    assert said.returncode == 3
    assert "Java could not be started: class file has wrong version" in said.stderr
    assert "Java 17" in said.stderr
    assert not list((tmp_path / "temporary").iterdir())
    assert not (tmp_path / "t").exists()
