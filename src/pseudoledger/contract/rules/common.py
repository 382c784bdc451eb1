"""Rules that every statement meets before those of its kind: address, time, subject, signer, tables, seals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, get_args

from pseudoledger.contract.book import Book, ReadMany
from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.claims import in_force
from pseudoledger.contract.things import THING_OF_SUBJECT, OpenPapers, Owner, Taken
from pseudoledger.statement.kinds import KINDS, Subject
from pseudoledger.statement.sealed import digests
from pseudoledger.statement.values import Table, Value, format_instant

SKEW_SECONDS = 300
"""How far a statement's iat may lie ahead of the block time (formats §2)."""

SEALING = frozenset(kind.model for kind in KINDS.values() if "sd_alg" in kind.model.model_fields)
"""Kinds with sealable fields. Asking each payload for a field that it may not have is slow in pydantic."""


def addressed_to_this_ledger(case: Case) -> Findings:
    """Refuse a statement made for another ledger: nothing replays."""
    ledger = case.book.ledger
    if ledger is None:
        yield refuse("ledger.not_founded", "the first entry founds the ledger")
    elif case.statement.aud != ledger.id:
        yield refuse(
            "statement.aud", f"the statement is for ledger {case.statement.aud!r}, this is {ledger.id}"
        )


def timely(case: Case) -> Findings:
    """Refuse statements from the future, expired ones and those older than the policy allows."""
    statement, now = case.statement, case.now
    if statement.iat > now + SKEW_SECONDS:
        yield refuse(
            "statement.future",
            f"issued at {format_instant(statement.iat)}, more than {SKEW_SECONDS} s after block time"
            f" {format_instant(now)}; check the clock that signed",
        )
    if statement.exp is not None and now >= statement.exp:
        yield refuse("statement.expired", f"expired at {format_instant(statement.exp)}; sign it anew")
    if now - statement.iat > case.policy.max_age_seconds:
        yield refuse(
            "statement.too_old",
            f"issued at {format_instant(statement.iat)}, longer ago than the policy's"
            f" {case.policy.max_age_seconds} s; sign it anew",
        )


def subject_fits(case: Case) -> Findings:
    """Refuse a subject that is not what the kind's table says."""
    subject = KINDS[case.payload.type, case.payload.v].subject
    ledger = case.book.ledger
    if subject is Subject.ORIGIN:
        if ledger is not None and case.sub != ledger.origin:
            yield refuse("statement.sub", f"sub is the origin {ledger.origin}, not {case.sub[:80]!r}")
    elif subject is Subject.ISSUER:
        if case.sub != case.iss:
            yield refuse("statement.sub", f"{case.payload.type} opens a thing: sub is the issuer's did")
    elif subject is Subject.IDENTITY:
        if case.sub != case.book.root_of(case.sub):
            yield refuse(
                "statement.sub", f"sub is the first key of the identity, {case.book.root_of(case.sub)}"
            )
    else:
        for cls in THING_OF_SUBJECT[subject]:
            if case.book.get(cls, case.sub) is not None:
                return
        yield refuse(
            "statement.unknown_subject",
            f"sub is {subject.value}, and {case.sub[:80]!r} is none on this ledger",
        )


def signer_in_force(case: Case) -> Findings:
    """Refuse keys that were rotated away or revoked, and the ledger's own keys."""
    ledger = case.book.ledger
    if ledger and ledger.is_own_key(case.iss):
        yield refuse("identity.ledger_role", "a key of the ledger's founder or log signs nothing else")
    chain = case.book.chain_of(case.iss)
    if chain is None:
        return
    if chain.keys[-1] != case.iss:
        yield refuse(
            "identity.key_retired", f"the key was rotated away; {chain.keys[-1]} acts now", entry=chain.entry
        )
    elif chain.revoked_by is not None:
        yield refuse(
            "identity.key_revoked", f"the key was taken out of force by {chain.revoked_by}", entry=chain.entry
        )


def issuer_admitted(case: Case) -> Findings:
    """Apply the admission policy."""
    if case.policy.admission != "open":
        yield refuse(
            "policy.not_admitted", "the policy admits issuers with a claim from a listed attestor only"
        )


def issuer_declared(case: Case) -> Findings:
    """Under declared admission only listed attestors and those they attest may issue."""
    policy = case.policy
    if policy.admission == "open" or case.payload.type == "claim.revoked":
        # An attestor that is listed no more still takes its claims back.
        return
    listed = any(case.is_party(did) for did in policy.attestors)
    if not listed and next(in_force(case.book, case.party, policy.attestors, case.now), None) is None:
        yield refuse(
            "policy.not_attested",
            "the policy admits issuers with a claim in force from a listed attestor only, and there is none",
        )


def fetch_seals(book: Book, payloads: Iterable[bytes], read_many: ReadMany) -> None:
    """Read at once what `seals_new` will ask about some payloads, which need not be well-formed."""
    book.fetch(Taken, (f"digest {digest}" for payload in payloads for digest in digests(payload)), read_many)


def seals_new(case: Case) -> Findings:
    """Refuse a digest that stands on the ledger already: a copied seal would open elsewhere too."""
    if type(case.payload) not in SEALING or case.payload.sd_alg is None:
        return
    seen: set[str] = set()
    for digest in digests(case.statement.payload):
        taken = case.book.get(Taken, f"digest {digest}")
        if taken is not None or digest in seen:
            yield refuse(
                "sealed.digest_reused",
                f"the digest {digest} was used before",
                entry=taken.entry if taken else None,
            )
        seen.add(digest)


def rows_known(case: Case) -> Findings:
    """Refuse chips, currencies and places that the pinned tables do not list."""
    for pointer, table, text in named_rows(case.payload, ""):
        known: Any = {
            Table.CHIPS: case.tables.chips,
            Table.CURRENCIES: case.tables.exponents,
            Table.PLACES: case.tables.places,
        }[table]
        if text not in known:
            yield refuse(
                "table.unknown_row",
                f"{text!r} does not stand in the ledger's table {table.value}",
                field=pointer,
            )


GATE = ((addressed_to_this_ledger,), (timely, subject_fits))
"""Stages for every kind but the founding; a stage runs only if the ones before found nothing."""

ALWAYS = (signer_in_force, issuer_admitted, seals_new, rows_known)
"""Run with the rules of the kind, for every kind that parties sign."""

ALWAYS_2 = (signer_in_force, issuer_declared, seals_new, rows_known)
"""The same from the second rule set on, which has claims."""


def within_quota(case: Case) -> Findings:
    """Hold the number of papers of one identity that wait for somebody."""
    papers = case.book.get(OpenPapers, case.party)
    waiting = sum(1 for until in papers.until.values() if until > case.now) if papers else 0
    if waiting >= case.policy.open_max:
        yield refuse(
            "policy.quota",
            f"{waiting} of its offers, bids and proposals wait already, the policy allows {case.policy.open_max};"
            " withdraw or cancel some",
        )


def remember_issuer(case: Case) -> None:
    """Remember that a key has acted, so that no other identity can adopt it."""
    if case.book.get(Owner, case.iss) is None:
        case.book.put(case.iss, Owner(root=case.iss))


def remember_seals(case: Case) -> None:
    """Remember the digests of a statement."""
    if type(case.payload) in SEALING and case.payload.sd_alg is not None:
        taken = Taken(by=case.id, entry=case.index)
        for digest in digests(case.statement.payload):
            case.book.put(f"digest {digest}", taken)


def open_paper(case: Case, party: str, paper: str, until: int) -> None:
    """Count a paper that waits; those that lapsed are forgotten."""
    papers = case.book.get(OpenPapers, party) or OpenPapers(until={})
    kept = {ref: lapses for ref, lapses in papers.until.items() if lapses > case.now}
    kept[paper] = until
    case.book.put(party, OpenPapers(until=kept))


def close_paper(case: Case, party: str, paper: str) -> None:
    """Stop counting a paper that was answered or taken back."""
    papers = case.book.get(OpenPapers, party)
    if papers and paper in papers.until:
        case.book.put(party, OpenPapers(until={ref: at for ref, at in papers.until.items() if ref != paper}))


def named_rows(value: Value, pointer: str) -> Iterator[tuple[str, Table, str]]:
    """Yield (JSON Pointer, table, text) of every text of a payload that names a row of a table."""
    for name, alias, table, nested in _plan(type(value)):
        member = getattr(value, name)
        if member is None:
            continue
        place = f"{pointer}/{alias}"
        items = enumerate(member) if isinstance(member, tuple) else ((None, member),)
        for index, item in items:
            at = place if index is None else f"{place}/{index}"
            if nested:
                yield from named_rows(item, at)
            elif table is not None:
                yield at, table, item


@lru_cache(maxsize=256)
def _plan(model: type[Value]) -> tuple[tuple[str, str, Table | None, bool], ...]:
    """Find once per model which of its fields name rows or hold objects that may."""
    plan: list[tuple[str, str, Table | None, bool]] = []
    for name, info in model.model_fields.items():
        marks = [mark for mark in info.metadata if isinstance(mark, Table)]
        models: list[type[Value]] = []
        _search(info.annotation, marks, models)
        if marks or any(_plan(inner) for inner in models):
            plan.append((name, info.alias or name, marks[0] if marks else None, not marks))
    return tuple(plan)


def _search(annotation: Any, marks: list[Table], models: list[type[Value]]) -> None:
    if isinstance(annotation, Table):
        marks.append(annotation)
    elif isinstance(annotation, type) and issubclass(annotation, Value):
        models.append(annotation)
    else:
        for part in get_args(annotation) + tuple(getattr(annotation, "__metadata__", ())):
            _search(part, marks, models)


Fold = Callable[[Case], None]
"""Takes an accepted statement into the book."""
