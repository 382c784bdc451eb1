"""What a verified bundle shows, and what no bundle can show, in sentences for people and programs alike."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pseudoledger.ledger.bundle_proof import VerifiedBundle
from pseudoledger.statement.values import format_instant

Trusted: TypeAlias = Literal["named key", "policy", "bundle"]
"""Who says that the ledger key is the ledger's: the reader by --key, the reader's policy, or the bundle alone."""


def shows(bundle: VerifiedBundle, trusted: Trusted) -> tuple[str, ...]:
    """Say what was verified."""
    said = bundle.checkpoint.checkpoint
    opened = sum(len(item.opened) for item in bundle.statements)
    held = sum(file.size is not None for file in bundle.files)
    sources = {
        "named key": "the key that you named",
        "policy": "a log of your policy",
        "bundle": "a key that nobody but the bundle names",
    }
    signed = (
        f"the checkpoint of {said.origin} at {said.size} entries is signed by the ledger key in force there,"
        f" {bundle.key}: {sources[trusted]}"
    )
    found = [signed]
    found.append(
        f"{len(bundle.statements)} statements and {bundle.blocks} blocks are signed by whom they name and stand"
        " under that checkpoint, each in its place"
    )
    found.append(
        "the block that seals each statement, and so its block time, is exact: the block before it is there too"
    )
    found += [
        f"{item.key.name} cosigned the checkpoint"
        + (f" at {format_instant(item.time)}" if item.time is not None else "")
        for item in bundle.checkpoint.cosignatures
    ]
    if opened:
        found.append(f"{opened} sealed fields are opened by disclosures that fit their digests")
    if held:
        found.append(f"{held} pinned files have the hashes by which statements name them")
    return tuple(found)


def does_not_show(bundle: VerifiedBundle, trusted: Trusted, *, simulated: bool) -> tuple[str, ...]:
    """Say what to keep in mind, the gravest first."""
    size = bundle.checkpoint.checkpoint.size
    whole = len(bundle.statements) + bundle.blocks == size
    found = []
    if trusted == "bundle":
        found.append(
            "whether this is the ledger it says: nobody but the bundle names the ledger key; compare"
            f" {bundle.key} with one that the operator publishes"
        )
    if simulated:
        found.append("any real time: the clock of this ledger is simulated")
    if not whole:
        found.append(
            f"what was left out: it holds {len(bundle.statements) + bundle.blocks} of {size} entries, and a"
            " statement that no other one refers to can be missing unseen; only the whole ledger, or a mirror"
            " of it, shows that none is"
        )
    found.append("what came after the checkpoint: a later statement may change what these amount to")
    found.append(
        "that the registrar was right to admit these statements: no rule was run again, neither whose key was in"
        " force nor whether sums add up; pl verify does that with the whole ledger"
    )
    if not bundle.checkpoint.cosignatures:
        found.append(
            "that everybody sees this history: no witness of yours cosigned the checkpoint; a policy says whose"
            " cosignatures count"
        )
    if bundle.missing:
        found.append(f"{len(bundle.missing)} statements that others of the bundle refer to")
    absent = sum(file.size is None for file in bundle.files)
    if absent:
        found.append(f"{absent} files that statements name by their hash")
    found.append("that what a party says is true: a disclosed name is what the party said it is")
    return tuple(found)
