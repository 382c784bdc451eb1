"""What belongs to one contract, chosen from a ledger, and the bundle made of it.

**Core**: the proposal, everything that has it as subject, everything that has a thing of the core as subject
or refers to one (a payment of its invoice, an answer to its dispute), in the order of the ledger. A proposal
of another lease is another contract and stays out.
**Behind it**: every earlier statement that the core, or one of these, refers to: offer, pool, demand, mandate,
bid, head lease. A head lease comes with its signature and amendments; an offer, demand or mandate with the
statement that ended it, a bid with the answers to it.
**Parties**: identity statements and claims about every key that signed or is named in the core.
**The ledger's own**: its founding, every change of policy and key, and the registered files that are pinned.
**Blocks**: for each statement the block that seals it and the block before, and the last of the tree.

Choosing proves nothing and decides nothing: whoever gets the bundle verifies it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import chain

from pseudoledger.contract.ruleset import NAMES
from pseudoledger.contract.tables import TABLE_NAMES, shipped
from pseudoledger.errors import MalformedError, StoreCorrupt, StoreError
from pseudoledger.ledger import query
from pseudoledger.ledger.bundle import ENTRIES_MAX, BundledDisclosures, BundledEntry, ContractBundle
from pseudoledger.ledger.checkpoint import Checkpoint, parse_checkpoint
from pseudoledger.ledger.note import parse_note
from pseudoledger.ledger.rows import EntryRow
from pseudoledger.ledger.store import Store
from pseudoledger.ledger.tree import inclusion_proof
from pseudoledger.statement import envelope
from pseudoledger.statement.references import is_id, pinned_files, references

OTHER_CONTRACTS = frozenset({"lease.proposed"})
"""Kinds that open a contract of their own, whatever they refer to."""
OF_A_HEAD_LEASE = ("lease.signed", "amendment.proposed", "amendment.signed", "lease.ended")
ANSWERS = (
    "offer.withdrawn",
    "demand.closed",
    "broker.released",
    "bid.countered",
    "bid.rejected",
    "bid.withdrawn",
)
IDENTITY = (
    "identity.declared",
    "identity.rotated",
    "identity.adopted",
    "identity.recovered",
    "identity.revoked",
    "claim.attested",
    "claim.revoked",
)
HANDOVERS = frozenset({"identity.rotated", "identity.recovered"})
CHANGES = ("ledger.policy_changed", "ledger.key_changed")
BLOCK = "block.sealed"
_PAGE = 1_000
_DID = re.compile(rb'"(did:key:z6Mk[1-9A-HJ-NP-Za-km-z]{44})"')

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A bundle, and what its maker should know of it."""

    bundle: ContractBundle
    size: int
    """Entries that the checkpoint covers."""
    cosigned_by: tuple[str, ...]
    """Names under which somebody else signed the checkpoint; not verified here."""
    later: int
    """Statements of the contract that the checkpoint does not cover yet."""


@dataclass(slots=True)
class _Choice:
    """The statements chosen so far, by index."""

    store: Store
    size: int
    rows: dict[int, EntryRow] = field(default_factory=dict)

    def take(self, row: EntryRow | None) -> bool:
        """Take an entry; return whether it is new."""
        if row is None or row.index >= self.size or row.index in self.rows:
            return False
        if len(self.rows) == ENTRIES_MAX:
            raise MalformedError(f"the contract has more than {ENTRIES_MAX} statements", code="bundle.size")
        self.rows[row.index] = row
        return True

    def of_kinds(self, kinds: Iterable[str]) -> Iterable[EntryRow]:
        """Yield every entry of some kinds."""
        return chain.from_iterable(_of_kind(self.store, kind) for kind in kinds)


def make_bundle(
    store: Store,
    lease: str,
    disclosures: Mapping[str, Sequence[str]],
    files: Sequence[bytes] = (),
    progress: Progress = lambda _done, _total: None,
) -> Chosen:
    """Choose what belongs to a lease and put it under the last cosigned checkpoint that covers all of it.

    Where no cosigned one does, it is the newest checkpoint. `files` are pinned files beyond those that this
    program ships.

    Raises:
        StoreError: no checkpoint covers the proposal yet.
        MalformedError: the contract is too large, or a disclosure or file does not belong to it.
    """
    proposal = store.entry_by_id(lease)
    if proposal is None:
        raise StoreCorrupt(f"{store.path}: the proposal {lease} is not there", hint="run verify")
    core = _core(store, proposal, progress)
    raw, said = _checkpoint(store, max(row.index for row in core))
    if said.size <= proposal.index:
        raise StoreError(
            f"{store.path}: no published checkpoint covers the lease yet",
            hint="let the ledger's writer open and close it",
        )
    choice = _Choice(store=store, size=said.size)
    for row in core:
        choice.take(row)
    later = len(core) - len(choice.rows)
    _parties(choice)
    _behind(choice, lease)
    _ledgers_own(choice)
    rows = _with_blocks(choice)
    chosen = [rows[index] for index in sorted(rows)]
    bundle = ContractBundle(
        lease=lease,
        checkpoint=raw,
        entries=tuple(
            BundledEntry(
                index=row.index,
                statement=row.statement,
                path=inclusion_proof(row.index, said.size, store.hashes),
            )
            for row in chosen
        ),
        files=_files(chosen, files),
        disclosures=_disclosures(chosen, disclosures),
    )
    names = tuple(line.name for line in parse_note(raw).signatures if line.name != said.origin)
    return Chosen(bundle=bundle, size=said.size, cosigned_by=names, later=later)


def _core(store: Store, proposal: EntryRow, progress: Progress) -> list[EntryRow]:
    """Go once through what came after the proposal; what belongs refers to what belongs already."""
    known, found = {proposal.id}, [proposal]
    for row in store.entries(proposal.index + 1):
        if row.index % _PAGE == 0:
            progress(row.index, store.size)
        if row.type == BLOCK or row.type in OTHER_CONTRACTS:
            continue
        statement = envelope.decode(row.statement)
        if statement.sub in known or not known.isdisjoint(references(statement.payload)):
            known.add(row.id)
            found.append(row)
    return found


def _checkpoint(store: Store, last: int) -> tuple[bytes, Checkpoint]:
    """Return the last cosigned checkpoint if it covers an entry, else the newest of all."""
    found = [raw for raw in (store.cosigned(), store.checkpoint()) if raw is not None]
    read = [(raw, parse_checkpoint(parse_note(raw).text)) for raw in found]
    if not read:
        raise StoreError(
            f"{store.path}: no checkpoint is published yet", hint="let the ledger's writer open and close it"
        )
    return next((item for item in read if item[1].size > last), max(read, key=lambda item: item[1].size))


def _parties(choice: _Choice) -> None:
    """Take what the keys that signed or are named in the core say of themselves, and what is claimed of them."""
    keys: set[str] = set()
    for row in choice.rows.values():
        keys.add(row.issuer)
        keys.update(found.decode("ascii") for found in _DID.findall(envelope.decode(row.statement).payload))
    about = [(row, *_whose(row)) for row in choice.of_kinds(IDENTITY)]
    grown = True
    while grown:
        grown = False
        for row, own, others in about:
            if not keys.isdisjoint(own) and choice.take(row):
                grown = True
                keys |= own | others


def _whose(row: EntryRow) -> tuple[set[str], set[str]]:
    """Return the keys that an identity statement or claim is about, and those that then belong there too.

    A claim is about its subject alone. An identity statement is about the chain of keys: its subject is the first
    key, its issuer another one or a recovery key, and a handover names the next.
    """
    statement = envelope.decode(row.statement)
    if not row.type.startswith("identity."):
        return {statement.sub}, set()
    named = (
        {found.decode("ascii") for found in _DID.findall(statement.payload)}
        if row.type in HANDOVERS
        else set()
    )
    return {statement.sub, *named}, {statement.iss}


def _behind(choice: _Choice, lease: str) -> None:
    """Take the earlier statements that these refer to, and theirs; then how those ended or were answered."""
    waiting = list(choice.rows.values())
    heads: set[str] = set()
    while waiting:
        row = waiting.pop()
        statement = envelope.decode(row.statement)
        cited = set(references(statement.payload)) | ({statement.sub} if is_id(statement.sub) else set())
        for found in map(choice.store.entry_by_id, sorted(cited)):
            if found is None or not choice.take(found):
                continue
            waiting.append(found)
            if found.type == "lease.proposed" and found.id != lease:
                heads.add(found.id)
        if not waiting and heads:
            waiting.extend(
                found
                for found in choice.of_kinds(OF_A_HEAD_LEASE)
                if envelope.decode(found.statement).sub in heads and choice.take(found)
            )
            heads.clear()
    held = {row.id for row in choice.rows.values()}
    for row in choice.of_kinds(ANSWERS):
        if envelope.decode(row.statement).sub in held:
            choice.take(row)


def _ledgers_own(choice: _Choice) -> None:
    """Take the founding, every change, and the registered files that something chosen pins."""
    said = b"".join(row.statement for row in choice.rows.values())
    choice.take(choice.store.entry(0))
    for row in choice.of_kinds(CHANGES):
        choice.take(row)
    for row in choice.of_kinds(("ledger.policy_registered",)):
        named = pinned_files(envelope.decode(row.statement).payload)
        if any(digest.encode("ascii") in said for digest in named):
            choice.take(row)


def _with_blocks(choice: _Choice) -> dict[int, EntryRow]:
    """Return the choice with the blocks that show when each statement was sealed, and the last block."""
    store, rows = choice.store, dict(choice.rows)
    heights = set()
    for index in choice.rows:
        block = store.block_of(index)
        if block is None:
            raise StoreCorrupt(f"{store.path}: no block seals entry {index}", hint="run verify")
        heights |= {block.height, block.height - 1}
    last = store.block_of(choice.size - 1)
    heights |= {last.height} if last is not None else set()
    for height in sorted(heights - {0}):
        block = store.block(height)
        row = store.entry(block.index) if block is not None else None
        if row is None:
            raise StoreCorrupt(f"{store.path}: block {height} is not there", hint="run verify")
        rows[row.index] = row
    return rows


def _of_kind(store: Store, kind: str) -> Iterable[EntryRow]:
    """Yield all entries of a kind in order, a page at a time."""
    after = None
    while page := list(query.entries(store, kind=kind, after=after, limit=_PAGE)):
        yield from page
        after = page[-1].index


def _files(rows: Sequence[EntryRow], given: Sequence[bytes]) -> tuple[bytes, ...]:
    """Return the files whose hash a chosen statement names: those of this program, and those given."""
    named = {
        digest
        for row in rows
        if row.type != BLOCK
        for digest in pinned_files(envelope.decode(row.statement).payload)
    }
    for file in given:
        digest = sha256(file).hexdigest()
        if digest not in named:
            raise MalformedError(f"no statement of the contract names the file {digest}", code="bundle.file")
    ours = (
        *(shipped(f"rules/{name}.json") for name in NAMES),
        *(shipped(f"tables/{name}.csv") for name in TABLE_NAMES),
    )
    held = {sha256(file).digest(): file for file in (*ours, *given)}
    return tuple(held[digest] for digest in sorted(held) if digest.hex() in named)


def _disclosures(
    rows: Sequence[EntryRow], given: Mapping[str, Sequence[str]]
) -> tuple[BundledDisclosures, ...]:
    """Return the disclosures in their order; each has to be of a chosen statement."""
    held = {row.id for row in rows}
    for statement in given:
        if statement not in held:
            raise MalformedError(
                f"the statement {statement} that is to be disclosed does not belong to the contract",
                code="bundle.disclosure",
                hint="leave its disclosure file out",
            )
    return tuple(
        BundledDisclosures(statement=statement, texts=tuple(sorted(set(given[statement]))))
        for statement in sorted(given)
        if given[statement]
    )
