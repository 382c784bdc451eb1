"""Measures the tracer on generated worlds with known owners, and prints the tables of docs/reference/trace-model.md.

python tools/trace_worlds.py                         seeds 101 to 105: nothing was chosen by looking at these
python tools/trace_worlds.py --identities 1000 7 8   smaller worlds, other seeds

Two minutes a seed at 10,000 pseudonyms on two cores. Floors stand beside each figure; nothing is asserted here.
"""

from __future__ import annotations

import argparse
import statistics
from collections import defaultdict
from contextlib import closing

import numpy as np

from pseudoledger.audit.trace.anonymity import measures, posterior, tally
from pseudoledger.audit.trace.evaluate.measure import CAP, measure, owners
from pseudoledger.audit.trace.evaluate.world import Seat, World, generate
from pseudoledger.audit.trace.hard import CAP as DEFAULT_CAP
from pseudoledger.audit.trace.scan import Scanner
from pseudoledger.audit.trace.tracing import Traced, trace

SEEDS = (101, 102, 103, 104, 105)
CAPS = (20, CAP, DEFAULT_CAP, 3)
EVERY = 5
"""One in so many identities with a sibling is scanned against all others."""
FLOORS = {
    "pair precision at 4 bits": ">= 0.97",
    "pair recall": ">= 0.35",
    "F1 over that of hard links alone": ">= 1.8",
    "AUC over scored pairs": ">= 0.86",
    "ECE, scored pairs": "<= 0.05",
    "best candidate right, counterparty": ">= 0.45",
    "a sibling in the 90 % credible set, counterparty": "0.85 to 0.95",
}


def guesses(traced: Traced, seed: int) -> tuple[float, float]:
    """Return how often the best candidate is a sibling, and how often one is in the credible set, ties shared."""
    owner = owners(traced.observations)
    having = np.flatnonzero(np.bincount(owner)[owner] > 1)
    asked = np.random.default_rng(seed).permutation(having)[::EVERY]
    scanner = Scanner(traced.features, traced.model, component=traced.hard.component)
    first, covered = [], []
    for identity in asked.tolist():
        bits = scanner.scan(identity)
        found = measures(posterior(tally(bits)), identities=scanner.count)
        siblings = bits[(owner == owner[identity]) & (np.arange(len(bits)) != identity)]
        first.append(_hit(bits, siblings, 1))
        covered.append(_hit(bits, siblings, found.credible))
    return statistics.fmean(first), statistics.fmean(covered)


def _hit(bits: np.ndarray, siblings: np.ndarray, places: int) -> float:
    """Return the chance that one of the best `places` is a sibling, equal bits in random order."""
    bound = np.partition(bits, len(bits) - places)[len(bits) - places]
    if (siblings > bound).any():
        return 1.0
    tied, open_ = int((bits == bound).sum()), places - int((bits > bound).sum())
    true = int((siblings == bound).sum())
    missed = 1.0
    for taken in range(open_):
        missed *= max(0.0, (tied - true - taken) / (tied - taken))
    return 1.0 - missed


def one_world(seed: int, identities: int) -> dict[str, float]:
    """Return every figure of one seed."""
    world = World(seed=seed, identities=identities)
    with closing(generate(world, Seat.AUDITOR)) as seen:
        found = measure(seen, trace(seen, seed=1, cap=CAP))
    with closing(generate(world, Seat.COUNTERPARTY)) as seen:
        first, covered = guesses(trace(seen, seed=1, cap=CAP), seed)
    return {
        "pair precision at 4 bits": found.pairs.precision,
        "pair recall": found.pairs.recall,
        "F1 over that of hard links alone": found.pairs.f1 / found.hard.f1,
        "AUC over scored pairs": found.auc,
        "ECE, scored pairs": found.calibration.ece,
        "ECE, pairs with a chance of 5 % or more": found.noticeable.ece if found.noticeable else 0.0,
        "true pairs among the candidates": found.blocking_recall,
        "F1 of hard links alone": found.hard.f1,
        "best candidate right, counterparty": first,
        "a sibling in the 90 % credible set, counterparty": covered,
    }


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


def vantages(seed: int, identities: int) -> str:
    """Return the median H at every vantage point, under the prior of the one that sees most."""
    found = [(seat, generate(World(seed=seed, identities=identities), seat)) for seat in Seat]
    traced = [(seat, trace(seen, seed=1, cap=CAP)) for seat, seen in found]
    prior = traced[-1][1].model.prior
    texts = []
    for seat, one in traced:
        scanner = Scanner(one.features, one.model, component=one.hard.component, prior=prior)
        entropies, nobody = [], []
        for identity in range(0, identities, max(1, identities // 500)):
            told = measures(posterior(tally(scanner.scan(identity))), identities=identities)
            entropies.append(told.entropy_bits)
            nobody.append(told.nobody)
        texts.append(f"{seat.value} {np.median(entropies):.2f} (nobody {np.mean(nobody):.2f})")
    owner = owners(found[-1][1])
    alone = float((np.bincount(owner)[owner] == 1).mean())
    for _, seen in found:
        seen.close()
    return f"{', '.join(texts)}; without a sibling are {alone:.2f}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--identities", type=int, default=10_000)
    given = parser.parse_args()
    figures: dict[str, list[float]] = defaultdict(list)
    for seed in given.seeds:
        for name, value in one_world(seed, given.identities).items():
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
    print(f"\nMedian H: {vantages(given.seeds[0], given.identities)}")


if __name__ == "__main__":
    main()
