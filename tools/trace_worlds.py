"""Measures the tracer on generated worlds with known owners, and prints the tables of docs/reference/trace-model.md.

python tools/trace_worlds.py                         seeds 101 to 105: nothing was chosen by looking at these
python tools/trace_worlds.py --identities 1000 7 8   smaller worlds, other seeds

Three minutes a seed at 10,000 pseudonyms on two cores. Floors stand beside each figure; nothing is asserted here.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from collections.abc import Mapping
from contextlib import ExitStack, closing

import numpy as np

from pseudoledger.audit.trace.beside import scanner_beside
from pseudoledger.audit.trace.evaluate.guesses import guesses
from pseudoledger.audit.trace.evaluate.measure import CAP, measure, owners
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.hard import CAP as DEFAULT_CAP
from pseudoledger.audit.trace.tracing import Traced, trace
from pseudoledger.audit.trace.whole import exact_figures

SEEDS = (101, 102, 103, 104, 105)
CAPS = (20, CAP, DEFAULT_CAP, 3)
SCANNED = 500
"""Identities scanned exactly for the medians of a vantage point."""
FLOORS = {
    "pair precision at 4 bits": ">= 0.97",
    "pair recall": ">= 0.35",
    "F1 over that of hard links alone": ">= 1.8",
    "AUC over scored pairs": ">= 0.86",
    "ECE, scored pairs": "<= 0.05",
    "best candidate right, counterparty": ">= 0.45",
    "a sibling in the 90 % credible set, its last to a degree, counterparty": "0.85 to 0.95",
}


def one_world(seed: int, identities: int) -> tuple[dict[str, float], str]:
    """Return every figure of one seed, and its row of median H by vantage point."""
    world = World(seed=seed, identities=identities)
    with ExitStack() as held:
        traced = {
            seat: trace(held.enter_context(closing(generate(world, seat))), seed=1, cap=CAP) for seat in Seat
        }
        auditor = traced[Seat.AUDITOR]
        found = measure(auditor.observations, auditor)
        guessed = guesses(traced[Seat.COUNTERPARTY], seed=seed)
        row = vantages(seed, traced)
    return {
        "pair precision at 4 bits": found.pairs.precision,
        "pair recall": found.pairs.recall,
        "F1 over that of hard links alone": found.pairs.f1 / found.hard.f1,
        "AUC over scored pairs": found.auc,
        "ECE, scored pairs": found.calibration.ece,
        "ECE, pairs with a chance of 5 % or more": found.noticeable.ece if found.noticeable else 0.0,
        "prior found, of the true one": found.prior / found.true_prior,
        "true pairs among the candidates": found.blocking_recall,
        "F1 of hard links alone": found.hard.f1,
        "best candidate right, counterparty": guessed.first,
        "a sibling in the 90 % credible set, its last to a degree, counterparty": guessed.covered,
        "the same, the last candidate counted whole": guessed.covered_whole,
        "what whole sets hold by the tracer's own account": guessed.held,
        "sets of one candidate": guessed.single,
    }, row


def caps(seed: int, identities: int) -> list[str]:
    """Return a row for each hub cap: how good hard links are, and what becomes of the clusters."""
    rows = []
    for cap in CAPS:
        with closing(generate(World(seed=seed, identities=identities), Seat.AUDITOR)) as seen:
            traced = trace(seen, seed=1, cap=cap)
            found, owner = measure(seen, traced), owners(seen)
        a, b = traced.hard_pairs
        right = float((owner[a] == owner[b]).mean())
        rows.append(f"| {cap} | {right:.2f} | {found.pairs.precision:.3f} | {found.pairs.recall:.3f} |")
    return rows


def vantages(seed: int, traced: Mapping[Seat, Traced]) -> str:
    """Return the median H at every vantage point, all held to the account of the one that sees most."""
    texts = []
    for one in traced.values():
        scanner = scanner_beside(one, traced[Seat.AUDITOR], seed=1)
        every = range(0, scanner.count, max(1, scanner.count // SCANNED))
        figures = exact_figures(scanner, every)
        texts.append(f"{np.median(figures.entropy_bits):.2f} ({figures.nobody.mean():.2f})")
    owner = owners(traced[Seat.AUDITOR].observations)
    alone = float((np.bincount(owner)[owner] == 1).mean())
    return f"| {seed} | {' | '.join(texts)} | {alone:.2f} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--identities", type=int, default=10_000)
    given = parser.parse_args()
    figures: dict[str, list[float]] = defaultdict(list)
    by_vantage = []
    for seed in given.seeds:
        found, row = one_world(seed, given.identities)
        by_vantage.append(row)
        for name, value in found.items():
            figures[name].append(value)
    print("| what | floor | median | lowest to highest |\n|---|---|---|---|")
    for name, values in figures.items():
        digits = 4 if name.startswith("ECE, scored") else 3
        print(
            f"| {name} | {FLOORS.get(name, '')} | {statistics.median(values):.{digits}f} |"
            f" {min(values):.{digits}f} to {max(values):.{digits}f} |"
        )
    print("\n| hub cap | right hard pairs | pair precision | pair recall |\n|---|---|---|---|")
    for row in caps(given.seeds[0], given.identities):
        print(row)
    seats = " | ".join(seat.value for seat in Seat)
    print(f"\nMedian H in bits (mean chance of nobody)\n\n| seed | {seats} | without a sibling |")
    print(f"|---|{'---|' * len(Seat)}---|")
    print("\n".join(by_vantage))


if __name__ == "__main__":
    main()
