"""Cited entries with their inclusion proofs: what makes a report checkable without the ledger."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator

from pseudoledger.audit.trace.report.values import Entry, Identity, TraceReport
from pseudoledger.errors import MalformedError, VerificationError
from pseudoledger.ledger.paths import SharedPaths
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import hash_leaf, verify_inclusion
from pseudoledger.statement.envelope import decode
from pseudoledger.statement.payload import canonical_kind


def refs_of(identities: Iterable[Identity]) -> list[int]:
    """Return every index that is cited, each once, in order."""
    found: set[int] = set()
    for one in identities:
        for path in one.paths:
            for step in path.steps:
                found.update(step.refs)
        for tie in one.beside:
            found.update(tie.refs)
        for link in one.links:
            for bar in link.bars:
                found.update(bar.refs, bar.others_refs)
            for against in link.against:
                found.update(against.refs)
        for leak in one.leaks:
            found.update(leak.refs)
        found.update(moment.ref for moment in one.timeline)
    return sorted(found)


def cited(store: Store, size: int, indices: Iterable[int]) -> Iterator[Entry]:
    """Yield entries with their bytes and proofs in the tree of `size`, in the order given."""
    paths = SharedPaths(size, lambda position: store.hashes([position])[0])
    for index in indices:
        row = store.entry(index)
        if row is None or index >= size:
            raise MalformedError(
                f"entry {index} is cited and not there", hint="this is a bug; please report it"
            )
        yield Entry(
            index=index,
            id=row.id,
            kind=row.type,
            issuer=row.issuer,
            statement=b64encode(row.statement).decode(),
            path=tuple(b64encode(step).decode() for step in paths.proof(index)),
        )


def broken_citations(report: TraceReport) -> Iterator[str]:
    """Yield what is wrong with the citations of a report: each has to stand in its tree, as what it says it is."""
    root = bytes.fromhex(report.looked.digest)
    there = {entry.index for entry in report.entries}
    for entry in report.entries:
        try:
            raw = b64decode(entry.statement, validate=True)
            path = [b64decode(step, validate=True) for step in entry.path]
            verify_inclusion(hash_leaf(raw), entry.index, report.looked.entries, path, root)
            statement = decode(raw)
            statement.verify()
            kind = canonical_kind(statement.payload).name
        except ValueError:
            yield f"entry {entry.index}: its bytes or its path are not base64"
            continue
        except (VerificationError, MalformedError) as error:
            yield f"entry {entry.index}: {error.message}"
            continue
        if (statement.id, statement.iss, kind) != (entry.id, entry.issuer, entry.kind):
            yield f"entry {entry.index}: its bytes are another statement than the report says"
    for index in refs_of(report.identities):
        if index not in there:
            yield f"entry {index} is cited and stands nowhere in the report"
