"""From DuckDB's dialect to Spark's: sqlglot's translation, and the functions that it does not know how to say.

Both engines count, cut and compare alike once the names are right. The queries avoid capital letters that depend on
what stands beside them (`counting.small_letters`). Two differences remain: letters that are newer than the Unicode of
the Java at hand are none to it; and the last digit of logarithms, sines and cosines, which shows only where a product
of them lies within 10^-9 of a half before it is rounded.
"""

from __future__ import annotations

import sqlglot
from sqlglot import exp

DUCKDB, SPARK = "duckdb", "spark"
FUNCTIONS = {
    "array_inner_product": "aggregate(zip_with({0}, {1}, (v, w) -> v * w), CAST(0 AS FLOAT), (s, v) -> s + v)",
    "list_intersect": "array_intersect({0}, {1})",
    "list_position": "array_position({0}, {1})",
    "list_sum": "aggregate({0}, CAST(0 AS BIGINT), (s, v) -> s + v)",
}
"""What sqlglot leaves as it is, in Spark's words, with a place for each argument."""


def spark_query(query: str) -> str:
    """Return a query in Spark's dialect, every name in quotes."""
    return _said(sqlglot.parse_one(query, read=DUCKDB))


def spark_expression(sql: str) -> str:
    """Return an expression in Spark's dialect."""
    return _said(sqlglot.parse_one(sql, read=DUCKDB))


def _said(tree: exp.Expr) -> str:
    return tree.transform(_in_spark).sql(dialect=SPARK, identify=True)


def _in_spark(node: exp.Expr) -> exp.Expr:
    """Return a node as Spark says it, or as it is where sqlglot knows."""
    match node:
        case exp.Bracket(expressions=[exp.Slice(this=start, expression=end)]):
            assert start.name == "1", "a list is cut from its first item on"
            return _made("slice({0}, 1, {1})", node.this, end)
        case exp.ArrayOverlaps():
            return _made("arrays_overlap({0}, {1})", node.this, node.expression)
        case exp.WithinGroup(this=exp.PercentileDisc()):
            # sqlglot would make an approximation of it.
            exact = exp.Anonymous(this="percentile_disc", expressions=[node.this.this])
            return exp.WithinGroup(this=exact, expression=node.expression)
        case exp.Anonymous() if node.name.lower() in FUNCTIONS:
            return _made(FUNCTIONS[node.name.lower()], *node.expressions)
        case _:
            return node


def _made(template: str, *arguments: exp.Expr) -> exp.Expr:
    # What is put in place of a node is not looked into again, so its arguments are said here.
    said = [_said(argument) for argument in arguments]
    return sqlglot.parse_one(template.format(*said), read=SPARK)
