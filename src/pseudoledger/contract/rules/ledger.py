"""Rules of the family *ledger*: founding, policy, registered files and the ledger key (formats §4).

Whether a block fits its chain is checked where blocks are made and read (`ledger.block`); here a block
only puts pending changes into force.
"""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.things import LedgerState, Owner, Pins, RegisteredFile
from pseudoledger.statement.values import block_time_ms


def founds_once(case: Case) -> Findings:
    """The founding is entry 0 and has no aud."""
    if case.book.ledger is not None or case.index != 0:
        yield refuse("ledger.founded_already", "a ledger is founded once, by entry 0", entry=0)
    if case.statement.aud is not None:
        yield refuse("statement.aud", "the founding alone has no aud")
    if case.sub != case.payload.origin:
        yield refuse("statement.sub", f"sub is the origin {case.payload.origin}")


def founding_keys_apart(case: Case) -> Findings:
    """The founder's key stays offline; the ledger key is another one."""
    if case.payload.ledger_key == case.iss:
        yield refuse("ledger.one_key", "founder key and ledger key are two keys", field="/ledger_key")


def policy_possible(case: Case) -> Findings:
    """Refuse policies that this rule set cannot carry out."""
    policy = case.payload.policy
    if policy.admission == "declared":
        yield refuse(
            "policy.not_possible",
            "admission by declared claims needs claim kinds, which this rule set does not have",
            field="/policy/admission",
        )
    if policy.admission == "open" and policy.attestors:
        yield refuse("policy.not_possible", "open admission lists no attestors", field="/policy/attestors")
    if len({pin.name for pin in case.payload.tables}) < len(case.payload.tables):
        yield refuse("policy.not_possible", "a table is pinned twice", field="/tables")


def policy_works(case: Case) -> Findings:
    """Refuse policies that would admit nobody, trust the ledger's own keys, or pin a table twice."""
    policy, ledger = case.payload.policy, case.book.ledger
    if policy.admission == "declared" and not policy.attestors:
        yield refuse(
            "policy.no_attestor",
            "admission by claims needs attestors whose claims admit",
            field="/policy/attestors",
        )
    named = {case.iss, getattr(case.payload, "ledger_key", "")}
    for index, did in enumerate(policy.attestors):
        if did in named or (ledger is not None and ledger.is_own_key(did)):
            yield refuse(
                "identity.ledger_role",
                "a key of the ledger signs no claims",
                field=f"/policy/attestors/{index}",
            )
    if len({pin.name for pin in case.payload.tables}) < len(case.payload.tables):
        yield refuse("policy.not_possible", "a table is pinned twice", field="/tables")


def founder_signs(case: Case) -> Findings:
    """Only the founder changes the ledger."""
    ledger = case.book.ledger
    if ledger is not None and case.iss != ledger.founder:
        yield refuse("ledger.not_founder", f"only the founder {ledger.founder} may sign this")


def policy_number_counts(case: Case) -> Findings:
    """Changes of policy are numbered without gaps, one to a block."""
    ledger = case.book.ledger
    if ledger is None:
        return
    if case.payload.number != ledger.policy_number + 1:
        yield refuse("ledger.number", f"the next number is {ledger.policy_number + 1}", field="/number")
    if ledger.pending_pins is not None:
        yield refuse("ledger.change_pending", "a change already waits for its block")


def clock_stays(case: Case) -> Findings:
    """A ledger never passes from simulated to real time or back."""
    ledger = case.book.ledger
    if ledger is not None and case.payload.policy.clock != ledger.pins.read_policy().clock:
        yield refuse("ledger.clock_fixed", "the clock is set at the founding for good", field="/policy/clock")


def file_is_new(case: Case) -> Findings:
    """A file is registered once."""
    known = case.book.get(RegisteredFile, case.payload.sha256)
    if known is not None:
        yield refuse(
            "ledger.file_known", "the file is registered already", field="/sha256", entry=known.entry
        )


def key_number_counts(case: Case) -> Findings:
    """Changes of the ledger key are numbered without gaps, one to a block."""
    ledger = case.book.ledger
    if ledger is None:
        return
    if case.payload.number != ledger.key_number + 1:
        yield refuse("ledger.number", f"the next number is {ledger.key_number + 1}", field="/number")
    if ledger.pending_key is not None:
        yield refuse("ledger.change_pending", "a change already waits for its block")


def ledger_key_is_fresh(case: Case) -> Findings:
    """The new ledger key has had no other role on this ledger."""
    ledger, key = case.book.ledger, case.payload.ledger_key
    if ledger is None:
        return
    if ledger.is_own_key(key) or case.book.get(Owner, key) is not None:
        yield refuse("ledger.key_used", "the new ledger key was used before", field="/ledger_key")


def fold_founded(case: Case) -> None:
    """Start the book."""
    said = case.payload
    state = LedgerState(
        id=case.id,
        origin=said.origin,
        founder=case.iss,
        ledger_key=said.ledger_key,
        pins=Pins.of(said.rules, said.tables, said.policy),
        last_block=case.id,
    )
    case.book.put("", state)


def fold_policy_changed(case: Case) -> None:
    """Let the change wait for its block."""
    said, ledger = case.payload, _ledger(case)
    pins = Pins.of(said.rules, said.tables, said.policy)
    case.book.change("", ledger, pending_pins=pins, policy_number=said.number)


def fold_policy_registered(case: Case) -> None:
    """Remember the file."""
    said = case.payload
    case.book.put(said.sha256, RegisteredFile(id=case.id, name=said.name, entry=case.index))


def fold_key_changed(case: Case) -> None:
    """Let the change wait for its block, which is the first under the new key."""
    case.book.change("", _ledger(case), pending_key=case.payload.ledger_key, key_number=case.payload.number)


def fold_block(case: Case) -> None:
    """Close the batch: what was pending is in force for the entries after this block."""
    ledger, block = _ledger(case), case.payload
    retired = ledger.retired
    if ledger.pending_key is not None:
        retired = (*retired, (ledger.ledger_key, ledger.size))
    case.book.change(
        "",
        ledger,
        pins=ledger.pending_pins or ledger.pins,
        pending_pins=None,
        ledger_key=ledger.pending_key or ledger.ledger_key,
        pending_key=None,
        retired=retired,
        height=block.height,
        last_block=case.id,
        time_ms=block_time_ms(block.time),
        size=case.index + 1,
    )


def _ledger(case: Case) -> LedgerState:
    ledger = case.book.ledger
    assert ledger is not None, "the gate let no statement pass before the founding"
    return ledger


RULES = MappingProxyType(
    {
        "ledger.founded": (founds_once, founding_keys_apart, policy_possible),
        "ledger.policy_changed": (founder_signs, policy_number_counts, policy_possible, clock_stays),
        "ledger.policy_registered": (founder_signs, file_is_new),
        "ledger.key_changed": (founder_signs, key_number_counts, ledger_key_is_fresh),
        "block.sealed": (),
    }
)
RULES_2 = MappingProxyType(
    {
        "ledger.founded": (founds_once, founding_keys_apart, policy_works),
        "ledger.policy_changed": (founder_signs, policy_number_counts, policy_works, clock_stays),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "ledger.founded": fold_founded,
        "ledger.policy_changed": fold_policy_changed,
        "ledger.policy_registered": fold_policy_registered,
        "ledger.key_changed": fold_key_changed,
        "block.sealed": fold_block,
    }
)
