"""Which disclosure to ask for next, by what it is expected to tell in bits.

A disclosure of an identity opens one value (its site, its payment account, its subject group, its country). What it
can tell depends on what is known of the candidates: a value that one of them holds speaks for that one, a value
that nobody holds speaks for nobody. With the posterior P(x) over candidates and "nobody" (`anonymity`), and for each
outcome the distribution of the value that the disclosure would open,

    P(v | x = j, j holds w)             = reuse * [v = w] + (1 - reuse) * background(v)
    P(v | nobody, or j holds nothing)   = background(v)

the expected gain is the mutual information I(X; V) = sum over x of P(x) KL(P(v | x) || P(v)) (Lindley, Annals of
Mathematical Statistics 27, 1956). It is what H falls by on average; one single answer may also raise H. Asking a
party is the auditor's decision: nothing here contacts anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pseudoledger.audit.trace.anonymity import Integers, Posterior, Reals, posterior, tally
from pseudoledger.audit.trace.observations import FieldKind, Observations

ABSENT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A kind of disclosure that can be asked for."""

    kind: str
    """Kind of token, or name of a field."""
    values: Integers
    """int64[N]: code of the value known of each identity, -1 where none is known."""
    reuse: float
    """Chance that two identities of one party hold the same value."""
    background: Reals
    """float64[V + 1]: chance of each value for an unrelated identity; the last is that of a value never seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What one disclosure is expected to tell."""

    kind: str
    of: tuple[int, ...]
    """Who would have to disclose: the identity, or it and its best candidate."""
    gain_bits: float
    """Expected fall of H, in bits."""
    known: int
    """How many candidates it could be compared with."""
    reuse: float


def token_question(
    observations: Observations, kind: str, *, tied: Sequence[tuple[int, int]] = ()
) -> Question:
    """Ask for a token of this kind; an identity with several counts with the one that most identities hold.

    `tied` are pairs known to be one party from other evidence: from them the reuse is estimated.
    """
    rows = observations.connection.execute(
        """WITH held AS (SELECT DISTINCT id, value FROM tokens WHERE kind = ?),
        df AS (SELECT value, count(*) AS n FROM held GROUP BY value)
        SELECT id, min_by(value, (-n, value)) FROM held JOIN df USING (value) GROUP BY id ORDER BY id""",
        [kind],
    ).fetchall()
    return _question(kind, rows, observations.count, tied)


def field_question(
    observations: Observations, name: str, *, tied: Sequence[tuple[int, int]] = ()
) -> Question:
    """Ask for a category field (a country, say): the value that most of an identity's records show."""
    if observations.field(name).kind is FieldKind.NUMERIC:
        raise ValueError(f"{name} is a number")  # a caller's mistake
    rows = observations.connection.execute(
        f"""WITH held AS (SELECT id, {name} AS value, count(*) AS n FROM records WHERE value IS NOT NULL GROUP BY ALL)
        SELECT id, min_by(value, (-n, value)) FROM held GROUP BY id ORDER BY id"""
    ).fetchall()
    return _question(name, rows, observations.count, tied)


def _question(
    kind: str, rows: Sequence[tuple[int, str]], count: int, tied: Sequence[tuple[int, int]]
) -> Question:
    codes = {value: code for code, value in enumerate(sorted({value for _, value in rows}))}
    values = np.full(count, ABSENT, dtype=np.int64)
    for identity, value in rows:
        values[identity] = codes[value]
    held = np.bincount(values[values >= 0], minlength=len(codes)).astype(np.float64)
    # Values held once stand for those not seen yet (Good 1953, Turing's estimate), one added so that none is 0.
    unseen = (float((held == 1).sum()) + 1.0) / (float(held.sum()) + 1.0)
    background = np.append(held * ((1.0 - unseen) / held.sum()) if held.size else held, 0.0)
    background[-1] = 1.0 - background[:-1].sum()
    both = [(values[a], values[b]) for a, b in tied if values[a] >= 0 and values[b] >= 0]
    same = sum(int(one == other) for one, other in both)
    return Question(kind=kind, values=values, reuse=(same + 1) / (len(both) + 2), background=background)


def expected_gain(question: Question, bits: Reals) -> float:
    """Return I(X; V) in bits for the identity whose candidates (all identities, by id) have these bits."""
    return _gain(question, bits, posterior(tally(bits)))


def _gain(question: Question, bits: Reals, outcome: Posterior) -> float:
    shares = _shares(bits, outcome)
    comparable = question.values >= 0
    mass = np.bincount(
        question.values[comparable], weights=shares[comparable], minlength=question.background.size
    )
    background, reuse = question.background, question.reuse
    known = float(mass.sum())
    # P(v) over all outcomes: those without a known value, and nobody, give the background alone.
    mixed = reuse * mass + (1.0 - reuse * known) * background
    told = reuse + (1.0 - reuse) * background
    plain = (1.0 - reuse) * background
    with_value = float((mass * (_term(told, mixed) - _term(plain, mixed))).sum())
    with_value += known * float(_term(plain, mixed).sum())
    without = (1.0 - known) * float(_term(background, mixed).sum())
    return max(0.0, with_value + without)


def _term(one: Reals, mixed: Reals) -> Reals:
    """Return p log2(p / q), 0 where p is 0, and where q is: no outcome leads there."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((one > 0.0) & (mixed > 0.0), one * np.log2(one / mixed), 0.0)


def _shares(bits: Reals, outcome: Posterior) -> Reals:
    """Return P(X = j) for every candidate, 0 for those at minus infinity."""
    shares = np.zeros(bits.size)
    some = bits > -np.inf
    at = np.searchsorted(-outcome.bits, -bits[some])
    shares[some] = (outcome.masses / outcome.counts)[at]
    return shares


def pair_gain(chance: float, *, reuse: float, collision: float) -> float:
    """Return what one learns, in bits, of whether two are one party when both disclose and the values are compared.

    `chance` that they are; `reuse` and `collision` are the chances of equal values if they are, and if not.
    """
    equal = chance * reuse + (1.0 - chance) * collision
    return max(0.0, _binary(equal) - chance * _binary(reuse) - (1.0 - chance) * _binary(collision))


def _binary(p: float) -> float:
    return 0.0 if p <= 0.0 or p >= 1.0 else float(-p * np.log2(p) - (1.0 - p) * np.log2(1.0 - p))


def next_disclosures(identity: int, bits: Reals, questions: Sequence[Question]) -> tuple[Ask, ...]:
    """Return what to ask for, the most telling first, ties by kind.

    For each kind: of the identity alone, set against what is known of the candidates; and of it together with its
    best candidate (where there is one). What the identity has disclosed already is not asked again.
    """
    outcome = posterior(tally(bits))
    found = []
    best = int(np.argmax(bits)) if bits.size and bits.max() > -np.inf else None
    for question in questions:
        if question.values[identity] >= 0:
            continue
        known = int(((question.values >= 0) & (bits > -np.inf)).sum())
        gain = _gain(question, bits, outcome)
        found.append(
            Ask(kind=question.kind, of=(identity,), gain_bits=gain, known=known, reuse=question.reuse)
        )
        if best is not None and question.values[best] < 0:
            seen = question.background[:-1]
            gain = pair_gain(
                float(outcome.chances[0]), reuse=question.reuse, collision=float((seen * seen).sum())
            )
            found.append(
                Ask(kind=question.kind, of=(identity, best), gain_bits=gain, known=1, reuse=question.reuse)
            )
    return tuple(sorted(found, key=lambda ask: (-round(ask.gain_bits, 6), ask.kind, len(ask.of))))
