"""The engine on Apache Spark: the same queries, translated, over Parquet files in a folder of its own.

    DuckDB tables ──Parquet──► Spark: temporary views ──► queries ──Parquet──► DuckDB tables

Needs the extra `spark` (pyspark) and Java 17 or newer. Where Spark runs, and with what, is said by Spark's own
configuration (`spark-defaults.conf` in SPARK_CONF_DIR); without any it is this machine, two threads and 2 GiB, bound
to 127.0.0.1, without a web page. Machines of a cluster have to see the folder for temporary files (TMPDIR). `dialect`
translates. Nothing here knows what the queries are for.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import duckdb
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession
from splink import SparkAPI
from splink.internals.database_api import DatabaseAPI

from pseudoledger.audit.trace.dialect import spark_expression, spark_query
from pseudoledger.audit.trace.engine import Columns, Work
from pseudoledger.errors import PeerUnreachable

UNLESS_SET = {"MASTER": "local[2]", "SPARK_DRIVER_MEMORY": "2g", "SPARK_LOCAL_IP": "127.0.0.1"}
"""Variables by which Spark starts where neither they nor its own configuration say otherwise."""
ALWAYS = {
    "spark.app.name": "pseudoledger trace",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "true",  # a sum that overflows is an error, not another number
}
CHUNK_FACTOR = 16
GATEWAY_SECONDS = 30
"""How long Java may take to end."""


class SparkEngine:
    """A running Spark, for one set of observations after another."""

    name = "spark"

    def __init__(self, session: SparkSession, folder: Path) -> None:
        """Take a session, and a folder that both it and this process see."""
        self.session = session
        self.folder = folder

    @contextmanager
    def over(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Work]:
        """Work in a session of its own; raise PeerUnreachable, with Spark's first line, where Spark gives up."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        try:
            yield SparkWork(connection, self.session.newSession(), folder)
        except (PySparkException, Py4JError) as error:
            raise PeerUnreachable(
                f"Spark gave up: {_first_line(error)}",
                hint="its own log says more: give it a log4j2.properties in SPARK_CONF_DIR",
            ) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class SparkWork:
    """Views over Parquet files, one folder a table."""

    chunk_factor = CHUNK_FACTOR

    def __init__(self, connection: duckdb.DuckDBPyConnection, session: SparkSession, folder: Path) -> None:
        """Take the connection of some observations, a session without tables, and an empty folder."""
        self.connection = connection
        self._session = session
        self._folder = folder
        self._written = 0

    def share(self, table: str) -> None:
        """Write a DuckDB table to Parquet and read it from there."""
        place = self._place()
        place.mkdir()
        self.connection.execute(
            f"COPY (SELECT {self._columns(table)} FROM {table}) TO '{_quoted(place / 'all.parquet')}' (FORMAT parquet)"
        )
        # One file of one table is one task; the rows are few enough to be dealt out.
        parts = self._session.sparkContext.defaultParallelism
        self._session.read.parquet(place.as_uri()).repartition(parts).createOrReplaceTempView(table)

    def keep(self, table: str, query: str) -> None:
        """Write the rows of a query to Parquet and read them from there."""
        self._session.read.parquet(self._rows(query).as_uri()).createOrReplaceTempView(table)

    def drop(self, *tables: str) -> None:
        """Forget tables; their files go with the folder."""
        for table in tables:
            self._session.catalog.dropTempView(table)

    def arrays(self, query: str) -> Columns:
        """Return the rows of a query."""
        found = self._session.sql(spark_query(query)).toArrow()
        return {name: found.column(name).to_numpy() for name in found.column_names}

    def insert(self, table: str, query: str, *, order: str) -> None:
        """Append the rows of a query; DuckDB puts them in order."""
        place = self._rows(query)
        self.connection.execute(
            f"INSERT INTO {table} SELECT * FROM read_parquet('{_quoted(place)}/*.parquet') ORDER BY {order}"
        )
        shutil.rmtree(place)

    def expression(self, sql: str) -> str:
        """Return an expression in Spark's dialect."""
        return spark_expression(sql)

    def splink(self) -> DatabaseAPI[Any]:
        """Return Splink's backend for Spark."""
        return SparkAPI(  # type: ignore[no-untyped-call]
            spark_session=self._session, break_lineage_method="persist", register_udfs_automatically=False
        )

    def on_all_cores(self) -> AbstractContextManager[None]:
        """Do nothing: how many work is a matter of the cluster."""
        return nullcontext()

    def _columns(self, table: str) -> str:
        """Name the columns; arrays of a fixed length as lists, since DuckDB writes those that are NULL out of place."""
        found = self.connection.execute(f"DESCRIBE {table}").fetchall()
        return ", ".join(
            f'"{name}"::{kind[: kind.rindex("[")]}[] AS "{name}"' if kind.endswith("]") else f'"{name}"'
            for name, kind, *_ in found
        )

    def _rows(self, query: str) -> Path:
        place = self._place()
        self._session.sql(spark_query(query)).write.parquet(place.as_uri())
        return place

    def _place(self) -> Path:
        self._written += 1
        return self._folder / f"{self._written:06d}"


@contextmanager
def spark_engine() -> Iterator[SparkEngine]:
    """Start Spark, and stop it and remove its files at the end, after an error too.

    Raise PeerUnreachable where Java is too old or cannot be started, or a cluster does not answer.
    """
    folder = Path(tempfile.mkdtemp(prefix="pseudoledger-spark-"))
    try:
        with _java(folder) as gateway:
            try:
                context = SparkContext(conf=_configured(gateway, folder), gateway=gateway)
                context.setLogLevel("OFF")
                session = SparkSession(context)
            except (PySparkException, Py4JError, ValueError) as error:
                raise PeerUnreachable(
                    f"Spark could not be started: {_first_line(error)}",
                    hint="spark-defaults.conf in SPARK_CONF_DIR says where and with what it runs",
                ) from error
            try:
                yield SparkEngine(session, folder)
            finally:
                session.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _java(folder: Path) -> Iterator[Any]:
    """Start Java with Spark in it, and end it; what it says goes to a file."""
    said = folder / "java.log"
    own = folder / "java"
    own.mkdir()
    # Java does not look at TMPDIR, and Spark leaves files where it looks.
    variables = UNLESS_SET | {"SPARK_SUBMIT_OPTS": f"-Djava.io.tmpdir={own}"}
    conf = SparkConf(loadDefaults=False)
    conf.setAll(list(ALWAYS.items()))
    with said.open("wb") as log, _variables(variables):
        try:
            gateway = launch_gateway(conf, {"stdout": log, "stderr": subprocess.STDOUT})
        except (PySparkException, OSError) as error:
            lines = said.read_text(encoding="utf-8", errors="replace").splitlines()
            told = [line for line in lines if line.strip() and not line.startswith("WARNING")]
            raise PeerUnreachable(
                f"Java could not be started: {told[0] if told else error}",
                hint="Spark 4 needs Java 17 or newer; JAVA_HOME says which one it takes",
            ) from error
    try:
        yield gateway
    finally:
        gateway.shutdown()
        gateway.proc.stdin.close()
        try:
            gateway.proc.wait(GATEWAY_SECONDS)
        except subprocess.TimeoutExpired:
            gateway.proc.kill()
            gateway.proc.wait()
        # Otherwise the next one in this process would talk to the Java that has just ended.
        SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001 - there is no other way


def _configured(gateway: Any, folder: Path) -> SparkConf:
    """Read what Spark's own configuration says, and add what nobody has said."""
    conf = SparkConf(_jvm=gateway.jvm)
    conf.setIfMissing("spark.local.dir", str(folder / "local"))
    conf.setIfMissing("spark.sql.warehouse.dir", str(folder / "warehouse"))
    conf.setIfMissing("spark.sql.shuffle.partitions", "8")
    return conf


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment that are not set, for the time being."""
    missing = [name for name in values if name not in os.environ]
    os.environ.update({name: values[name] for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del os.environ[name]


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
