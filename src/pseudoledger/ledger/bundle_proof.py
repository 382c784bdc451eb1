"""What a bundle proves: every signature, every place under one checkpoint, the chain of blocks and keys.

docs/spec/bundle.md, "To verify". Nothing is believed but the key that the reader names (or a log of the
reader's policy): it signed the checkpoint, every entry stands under that, and the founding, the key changes
and the blocks among the entries say which key was to sign what. Rules are not run again: whether the registrar
was right to admit a statement is for `verify`, which needs the whole ledger. Nor is it visible what was left
out, but for key and policy changes, which are counted, and for statements that others refer to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from pseudoledger.errors import (
    InconsistentCheckpoint,
    InvalidProof,
    InvalidSignature,
    MalformedError,
    PseudoledgerError,
)
from pseudoledger.identity.keys import Signed, key_from_did, verify_many
from pseudoledger.ledger.bundle import BundledEntry, ContractBundle
from pseudoledger.ledger.bundle_chain import Sealing, follow_chain
from pseudoledger.ledger.checkpoint import VerifiedCheckpoint, log_key, parse_checkpoint, verify_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.policy import TrustPolicy, verify_with_policy
from pseudoledger.ledger.tree import hash_leaf, verify_inclusion
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.kinds import Payload, kind_of
from pseudoledger.statement.kinds.ledger import BlockSealed, LedgerFounded
from pseudoledger.statement.payload import parse
from pseudoledger.statement.references import is_id, pinned_files, references


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedStatement:
    """A statement of a verified bundle: who signed it, where it stands, when the ledger took it."""

    index: int
    statement: envelope.Statement
    payload: Payload
    kind: str
    block_height: int
    block_index: int
    time_ms: int
    """Time of the block that seals it."""
    path_hashes: int
    """Hashes of its inclusion path."""
    opened: tuple[sealed.OpenedField, ...] = ()
    """Sealed fields that the bundle discloses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A statement that one of the bundle refers to, and the bundle does not hold."""

    statement: str
    cited_by: int
    """Index of the first entry that refers to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedFile:
    """A file that a statement names by its hash; `size` is None where the bundle does not hold it."""

    sha256: str
    name: str
    size: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedBundle:
    """A bundle that holds; what it shows, and what it refers to without showing it."""

    lease: VerifiedStatement
    """The proposal of the contract."""
    ledger: str
    origin: str
    founded: LedgerFounded
    key: str
    """Ledger key that signed the checkpoint."""
    retired: tuple[tuple[str, int], ...]
    """Earlier ledger keys, each with the tree size up to which it counts."""
    checkpoint: VerifiedCheckpoint
    statements: tuple[VerifiedStatement, ...]
    """All statements but the blocks, by index."""
    blocks: int
    files: tuple[PinnedFile, ...]
    missing: tuple[Missing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """An entry whose form and signature are good."""

    index: int
    statement: envelope.Statement
    payload: Payload


def verify_bundle(
    bundle: ContractBundle, *, key: str | None, policy: TrustPolicy | None = None
) -> VerifiedBundle:
    """Check everything that a bundle can show, under the ledger key `key`, a policy, or both.

    Without either the ledger key is the one that the bundle itself names: then it shows that the bundle agrees
    with itself, and no more.

    Raises:
        MalformedError: a statement, the checkpoint or a disclosure is not of its form, or something is lacking
            that every bundle holds.
        InvalidSignature: a statement or the checkpoint is not signed by whom it has to be.
        InvalidProof: an entry is of another ledger or does not stand under the checkpoint, or a disclosure
            opens nothing of its statement.
        InconsistentCheckpoint: blocks, keys and checkpoint do not fit each other.
        QuorumNotMet: too few witnesses of the policy cosigned.
    """
    entries = _read(bundle.entries)
    founding = _founding(entries)
    ledger, origin = founding.statement.id, _founded(founding).origin
    _check_one_ledger(entries, ledger)
    said = parse_checkpoint(parse_note(bundle.checkpoint).text)
    for entry in bundle.entries:
        _under(entry, said.size, said.root)
    chain = follow_chain(
        [(item.index, item.statement, item.payload) for item in entries], bundle.entries, said.size
    )
    if said.size != chain.size:
        raise InconsistentCheckpoint(
            f"the checkpoint has {said.size} entries, the last block of the bundle ends a tree of {chain.size}"
        )
    checkpoint = _checkpoint(bundle.checkpoint, origin, chain.key, chain.retired, key=key, policy=policy)
    opened = _open(bundle, entries)
    statements = _place(bundle.entries, entries, chain.sealing, opened)
    lease = next((item for item in statements if item.statement.id == bundle.lease), None)
    if lease is None or lease.kind != "lease.proposed":
        raise MalformedError(
            f"the bundle does not hold the proposal {bundle.lease} that it is about", code="bundle.lease"
        )
    return VerifiedBundle(
        lease=lease,
        ledger=ledger,
        origin=origin,
        founded=_founded(founding),
        key=chain.key,
        retired=chain.retired,
        checkpoint=checkpoint,
        statements=statements,
        blocks=len(entries) - len(statements),
        files=_files(bundle.files, statements),
        missing=_missing(statements),
    )


def _read(bundled: Sequence[BundledEntry]) -> list[Read]:
    """Read every entry in its one form, check its signature, then read its payload."""
    statements = []
    for entry in bundled:
        with _at(entry.index):
            statements.append(envelope.decode(entry.statement))
    verdicts = verify_many([Signed(item.iss, item.signed_bytes, item.signature) for item in statements])
    found = []
    for entry, statement, error in zip(bundled, statements, verdicts, strict=True):
        if error is not None:
            raise InvalidSignature(f"entry {entry.index}: {error.message}")
        with _at(entry.index):
            found.append(Read(index=entry.index, statement=statement, payload=parse(statement.payload)))
    return found


class _at:  # noqa: N801 - reads as a word
    """Says which entry a malformed part belongs to."""

    def __init__(self, index: int) -> None:
        self._index = index

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, _kind: object, error: object, _trace: object) -> None:
        """Raise the error again with the index in front."""
        if isinstance(error, MalformedError):
            raise MalformedError(f"entry {self._index}: {error.message}", code=error.code) from error


def _founding(entries: Sequence[Read]) -> Read:
    first = entries[0] if entries else None
    if first is None or first.index != 0 or not isinstance(first.payload, LedgerFounded):
        raise MalformedError(
            "a bundle begins with the founding of the ledger, entry 0", code="bundle.founding"
        )
    if first.statement.aud is not None or first.statement.sub != first.payload.origin:
        raise MalformedError(
            "the founding has an aud, or a sub that is not its origin", code="bundle.founding"
        )
    return first


def _founded(entry: Read) -> LedgerFounded:
    assert isinstance(entry.payload, LedgerFounded), "checked where it was found"
    return entry.payload


def _check_one_ledger(entries: Sequence[Read], ledger: str) -> None:
    """Check that every entry is for this ledger and none stands there twice."""
    seen: set[str] = set()
    for entry in entries:
        if entry.index and entry.statement.aud != ledger:
            raise InvalidProof(
                f"entry {entry.index} is for ledger {entry.statement.aud}, the bundle is of {ledger}"
            )
        if entry.statement.id in seen:
            raise InvalidProof(f"entry {entry.index} is a statement that stands there already")
        seen.add(entry.statement.id)


def _checkpoint(
    raw: bytes,
    origin: str,
    in_force: str,
    retired: Sequence[tuple[str, int]],
    *,
    key: str | None,
    policy: TrustPolicy | None,
) -> VerifiedCheckpoint:
    """Check that the key in force signed the checkpoint, that the reader trusts it, and the quorum."""
    if key is not None and key != in_force:
        until = dict(retired).get(key)
        raise InvalidSignature(
            f"the bundle ends under the ledger key {in_force}, not under {key}"
            + (f", which counts for trees up to {until} entries only" if until is not None else ""),
            hint="compare the key with one that the ledger's operator publishes",
        )
    own = log_key(origin, key_from_did(in_force))
    named = parse_checkpoint(parse_note(raw).text).origin
    if named != origin:
        raise InconsistentCheckpoint(f"the checkpoint is of {named}, the bundle of {origin}")
    if policy is None:
        return verify_checkpoint(raw, origin, (own,))
    if key is None and own.public_key not in {item.public_key for item in policy.log_keys(origin)}:
        raise InvalidSignature(
            f"the policy does not know the ledger key {in_force} of {origin}",
            hint="add it to the policy (pl policy log), or name the key with --key",
        )
    verified = verify_with_policy(raw, policy, log_keys=(own,))
    if own.public_key not in {item.public_key for item in verified.log_keys}:
        raise InvalidSignature(f"the checkpoint is not signed by the ledger key in force, {in_force}")
    return verified


def _under(entry: BundledEntry, size: int, root: bytes) -> None:
    try:
        verify_inclusion(hash_leaf(entry.statement), entry.index, size, entry.path, root)
    except PseudoledgerError as error:
        raise InvalidProof(f"entry {entry.index}: {error.message}") from error


def _open(bundle: ContractBundle, entries: Sequence[Read]) -> dict[str, tuple[sealed.OpenedField, ...]]:
    """Open what is disclosed; every disclosure has to fit a digest of the statement that it is filed under."""
    by_id = {entry.statement.id: entry for entry in entries}
    opened = {}
    for item in bundle.disclosures:
        entry = by_id.get(item.statement)
        if entry is None:
            raise InvalidProof(f"the bundle discloses fields of {item.statement}, which it does not hold")
        fields = []
        for text in item.texts:
            try:
                fields.append(sealed.open_field(entry.statement, text))
            except PseudoledgerError as error:
                raise InvalidProof(f"entry {entry.index}: {error.message}") from error
        pointers = [field.pointer for field in fields]
        if len(set(pointers)) < len(pointers):
            raise InvalidProof(f"entry {entry.index}: one field is disclosed with two values")
        opened[item.statement] = tuple(sorted(fields, key=lambda field: field.pointer))
    return opened


def _place(
    bundled: Sequence[BundledEntry],
    entries: Sequence[Read],
    sealing: Mapping[int, Sealing],
    opened: Mapping[str, tuple[sealed.OpenedField, ...]],
) -> tuple[VerifiedStatement, ...]:
    return tuple(
        VerifiedStatement(
            index=entry.index,
            statement=entry.statement,
            payload=entry.payload,
            kind=kind_of(entry.payload).name,
            block_height=sealing[entry.index].height,
            block_index=sealing[entry.index].index,
            time_ms=sealing[entry.index].time_ms,
            path_hashes=len(proof.path),
            opened=opened.get(entry.statement.id, ()),
        )
        for proof, entry in zip(bundled, entries, strict=True)
        if not isinstance(entry.payload, BlockSealed)
    )


def _files(files: Sequence[bytes], statements: Sequence[VerifiedStatement]) -> tuple[PinnedFile, ...]:
    """List every file that a statement names; a file that none names does not belong here."""
    held = {sha256(file).hexdigest(): len(file) for file in files}
    named: dict[str, str] = {}
    for item in statements:
        for digest, name in pinned_files(item.statement.payload).items():
            named.setdefault(digest, name)
    for digest in held:
        if digest not in named:
            raise InvalidProof(f"no statement of the bundle names the file {digest} that it holds")
    found = [PinnedFile(sha256=digest, name=name, size=held.get(digest)) for digest, name in named.items()]
    return tuple(sorted(found, key=lambda file: (file.size is None, file.name, file.sha256)))


def _missing(statements: Sequence[VerifiedStatement]) -> tuple[Missing, ...]:
    """List what statements refer to, by payload or subject, that the bundle does not hold."""
    held = {item.statement.id for item in statements}
    found: dict[str, int] = {}
    for item in statements:
        for cited in sorted(references(item.statement.payload)) + _subject(item):
            if cited not in held:
                found.setdefault(cited, item.index)
    return tuple(Missing(statement=cited, cited_by=index) for cited, index in found.items())


def _subject(item: VerifiedStatement) -> list[str]:
    return [item.statement.sub] if is_id(item.statement.sub) else []
