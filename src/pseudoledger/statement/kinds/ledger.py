"""Kinds of the family *ledger*: founding, policy, keys and blocks (formats §4, design §3)."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from pseudoledger.errors import MalformedError
from pseudoledger.statement.values import (
    INTEGER_MAX,
    Bps,
    Did,
    MediaType,
    Pin,
    Ref,
    Sha256,
    Slug,
    Value,
    block_time_ms,
    note,
)

ORIGIN_PATTERN = r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(/[A-Za-z0-9._~-]+)*$"
"""Name of a ledger (formats §5)."""

Origin = Annotated[str, StringConstraints(pattern=ORIGIN_PATTERN, min_length=1, max_length=120)]


def _checked_block_time(text: str) -> str:
    try:
        block_time_ms(text)
    except MalformedError as error:
        raise ValueError(error.message) from error
    return text


BlockTime = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"),
    AfterValidator(_checked_block_time),
]


def is_origin(text: str) -> bool:
    """Tell whether a text is a well-formed origin."""
    return len(text) <= 120 and re.fullmatch(ORIGIN_PATTERN, text, re.ASCII) is not None


class Policy(Value):
    """The registration policy of a ledger, re-run by every verifier."""

    admission: Literal["open", "declared"] = note(
        "Who may issue: anybody, or identities with a claim from a listed attestor"
    )
    attestors: Annotated[tuple[Did, ...], Field(max_length=64)] = note(
        "Attestors whose claims admit an issuer", reveals="identity"
    )
    open_max: Annotated[int, Field(ge=1, le=1000)] = note(
        "Open proposals, bids and offers an identity may have", unit="statement"
    )
    commission_cap_bps: Bps = note(
        "Most that both sides' brokers may take together", unit="bps", reveals="money"
    )
    max_age_seconds: Annotated[int, Field(ge=60, le=366 * 86_400)] = note(
        "Refuse statements issued longer ago", unit="second"
    )
    clock: Literal["system", "simulated"] = note("Where block times come from; simulated is shown everywhere")


class LedgerFounded(Value):
    """Entry 0: the ledger is founded; its statement id is the ledger id."""

    type: Literal["ledger.founded"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    origin: Origin = note("Name of the ledger, first line of every checkpoint", reveals="identity")
    nonce: Sha256 = note("32 random bytes, so that two ledgers of one name differ")
    ledger_key: Did = note("Key that signs blocks, receipts and checkpoints", reveals="identity")
    rules: Pin = note("Rule set in force")
    tables: Annotated[tuple[Pin, ...], Field(min_length=1, max_length=16)] = note("Tables in force")
    mode: Literal["single"] = note("Who orders: one founder; consortium does not exist yet")
    policy: Policy = note("Registration policy in force")


class LedgerPolicyChanged(Value):
    """The founder changes rule set, tables or policy; it acts after the block that seals it."""

    type: Literal["ledger.policy_changed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Annotated[int, Field(ge=1, le=INTEGER_MAX)] = note("Counts the changes from 1")
    rules: Pin = note("Rule set in force from then on")
    tables: Annotated[tuple[Pin, ...], Field(min_length=1, max_length=16)] = note(
        "Tables in force from then on"
    )
    mode: Literal["single"] = note("Who orders")
    policy: Policy = note("Registration policy in force from then on")


class LedgerPolicyRegistered(Value):
    """A file that terms may pin (a policy, a template, a rule pack) is named by its hash."""

    type: Literal["ledger.policy_registered"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    name: Slug = note("Name of the file")
    sha256: Sha256 = note("SHA-256 of the file's bytes")
    media_type: MediaType = note("Media type of the file")
    bytes: Annotated[int, Field(ge=0, le=INTEGER_MAX)] = note("Size of the file", unit="byte")


class LedgerKeyChanged(Value):
    """The founder names a new ledger key; the block that seals this is the first under it."""

    type: Literal["ledger.key_changed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Annotated[int, Field(ge=1, le=INTEGER_MAX)] = note("Counts the changes from 1")
    ledger_key: Did = note("The new ledger key", reveals="identity")


class BlockSealed(Value):
    """A block: seals every entry since the block before (formats §4)."""

    type: Literal["block.sealed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    height: Annotated[int, Field(ge=1, le=INTEGER_MAX)] = note("Number of the block, from 1")
    previous: Ref = note(
        "Statement id of the block before; of the founding for height 1", reveals="reference"
    )
    time: BlockTime = note("Block time, UTC with milliseconds", reveals="time")
    size: Annotated[int, Field(ge=1, le=INTEGER_MAX)] = note("The block's own index", unit="entry")
    root: Sha256 = note("Root over all entries before the block")
