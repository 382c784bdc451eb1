"""Where the marks of a chart stand: geometry as values, drawn as plain SVG by the template.

Every chart has a table or a list beside it that says the same; the drawing is for people who would rather look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, pi, sin

import msgspec

from pseudoledger.audit.trace.report.card import Bin
from pseudoledger.audit.trace.report.values import Bar, Cluster, Moment

WIDTH = 640
ROW = 22
DAY = 86_400
BARS_MAX = 16
"""Bars of a link that are drawn one by one, the prior included; the table beside has all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One bar of a waterfall: from one sum of bits to the next."""

    x: float
    width: float
    y: int
    rises: bool
    label: str
    label_x: float
    label_end: bool
    """Whether the label ends at its place, left of the bar, rather than beginning there, right of it."""
    bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Waterfall:
    """The bars of a link between the sums they lead from and to; `zero` and `line` are where 0 and 4 bits stand."""

    blocks: tuple[Block, ...]
    height: int
    zero: float
    line: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A member of a cluster."""

    x: float
    y: float
    number: int
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """A tie of a cluster's tree."""

    x1: float
    y1: float
    x2: float
    y2: float
    hard: bool
    weakest: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A cluster on a circle, members in the order of their names."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """A record on the timeline: the day along, the hour of the day down."""

    x: float
    y: float
    at: int
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A bin of a reliability plot; `radius` grows with the root of the count."""

    x: float
    y: float
    radius: float


def waterfall(bars: Sequence[Bar], threshold: float, *, rest: str) -> Waterfall:
    """Lay out the bars of a link, the sum along, one row each; the lightest share one that is labelled `rest`."""
    bars = _heaviest(bars, rest)
    sums = [0.0, threshold, *(bar.after for bar in bars)]
    low, high = min(sums), max(sums)
    scale = (WIDTH - 20) / max(high - low, 1e-9)

    def place(bits: float) -> float:
        return round(10 + (bits - low) * scale, 2)

    blocks = []
    before = 0.0
    for number, bar in enumerate(bars):
        left, right = (place(bits) for bits in sorted((before, bar.after)))
        # The label stands where there is more room.
        end = left > WIDTH - right
        blocks.append(
            Block(
                x=left,
                width=max(1.0, round(right - left, 2)),
                y=number * ROW,
                rises=bar.after >= before,
                label=bar.label,
                label_x=round(left - 6 if end else right + 6, 2),
                label_end=end,
                bits=bar.bits,
            )
        )
        before = bar.after
    return Waterfall(blocks=tuple(blocks), height=len(bars) * ROW, zero=place(0.0), line=place(threshold))


def _heaviest(bars: Sequence[Bar], rest: str) -> Sequence[Bar]:
    """Keep the bars that come first, which are the heaviest, and the last, and sum up what is between them."""
    if len(bars) <= BARS_MAX + 2:
        return bars
    light = bars[BARS_MAX:-1]
    together = msgspec.structs.replace(light[-1], label=rest, bits=light[-1].after - bars[BARS_MAX - 1].after)
    return (*bars[:BARS_MAX], together, bars[-1])


def graph(cluster: Cluster, own: str) -> Graph:
    """Lay out a cluster on a circle."""
    count = len(cluster.members)
    radius = 60 + 6 * count
    middle = radius + 20
    places = {
        name: (
            round(middle + radius * cos(2 * pi * at / count - pi / 2), 2),
            round(middle + radius * sin(2 * pi * at / count - pi / 2), 2),
        )
        for at, name in enumerate(cluster.members)
    }
    nodes = tuple(
        Node(x=places[name][0], y=places[name][1], number=at + 1, own=name == own)
        for at, name in enumerate(cluster.members)
    )
    edges = tuple(
        Edge(
            x1=places[tie.a][0],
            y1=places[tie.a][1],
            x2=places[tie.b][0],
            y2=places[tie.b][1],
            hard=tie.bits is None,
            weakest=tie == cluster.weakest,
        )
        for tie in cluster.ties
    )
    return Graph(nodes=nodes, edges=edges, size=2 * middle)


def timeline(moments: Sequence[Moment]) -> tuple[Dot, ...]:
    """Lay out records by day and hour."""
    if not moments:
        return ()
    first = moments[0].at // DAY * DAY
    span = max(DAY, moments[-1].at - first)
    return tuple(
        Dot(
            x=round(30 + (one.at - first) / span * (WIDTH - 50), 2),
            y=round(8 + one.at % DAY / DAY * 144, 2),
            at=one.at,
            kind=one.kind,
        )
        for one in moments
    )


def reliability(bins: Sequence[Bin]) -> tuple[Point, ...]:
    """Lay out what was said along, what was found up, in a square of 200."""
    most = max((one.count for one in bins), default=1)
    return tuple(
        Point(
            x=round(30 + 200 * one.said, 2),
            y=round(210 - 200 * one.found, 2),
            radius=round(3 + 7 * (one.count / most) ** 0.5, 2),
        )
        for one in bins
    )
