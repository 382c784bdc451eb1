"""Rules of the family *identity*: who may declare, hand over, adopt, recover and revoke (design §3).

Parties are resolved through the chain of keys: the key in force acts for all that the chain holds. A key
that has acted on this ledger, or that the ledger itself uses, can join nobody's chain, so nobody can be
made the same party as somebody else against their will.
"""

from __future__ import annotations

from hashlib import sha256
from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules.common import Fold, seals_new, signer_in_force
from pseudoledger.contract.things import Chain, Handover, Owner

OVERRIDE_SECONDS = 14 * 86_400
"""How long an earlier recovery key overrides a rotation."""


def _chain(case: Case) -> Chain:
    return case.book.get(Chain, case.sub) or Chain(keys=(case.sub,), entry=case.index)


def _hash_of(did: str) -> str:
    return sha256(did.encode("ascii")).hexdigest()


def ledger_keys_stay_out(case: Case) -> Findings:
    """Refuse identity acts by, about or for keys that the ledger itself uses."""
    ledger = case.book.ledger
    named = {case.iss, case.sub, getattr(case.payload, "to", ""), getattr(case.payload, "recovery", "") or ""}
    if ledger is not None and any(ledger.is_own_key(did) for did in named):
        yield refuse("identity.ledger_role", "a key of the ledger cannot take part in an identity")


def speaks_for_itself(case: Case) -> Findings:
    """A declaration or rotation is signed by the identity it is about."""
    if case.party != case.sub:
        yield refuse("identity.not_subject", f"only the key in force of {case.sub} may sign this")


def commitments_stay(case: Case) -> Findings:
    """A later declaration changes neither next nor recovery key: a thief could loosen them."""
    chain = case.book.get(Chain, case.sub)
    if chain is None:
        return
    for name in ("next", "recovery"):
        held, said = getattr(chain, name), getattr(case.payload, name)
        if said is not None and held is not None and said != held:
            yield refuse(
                "identity.commitment_fixed",
                f"{name} was set before and changes only with a handover",
                field=f"/{name}",
            )


def recovery_key_apart(case: Case) -> Findings:
    """The recovery key is another key than those it may replace, and has no identity of its own."""
    recovery = case.payload.recovery
    if recovery is not None and (recovery == case.iss or case.book.get(Owner, recovery) is not None):
        yield refuse(
            "identity.recovery_key_used", "the recovery key signs or is signed for already", field="/recovery"
        )


def new_key_is_fresh(case: Case) -> Findings:
    """The key that follows has never acted on this ledger."""
    to = case.payload.to
    if to == case.iss or case.book.get(Owner, to) is not None:
        yield refuse(
            "identity.key_used", "the new key has acted on this ledger; make a fresh one", field="/to"
        )


def next_key_follows(case: Case) -> Findings:
    """Where a next key was committed to, only that key may follow."""
    chain = _chain(case)
    overriding = case.payload.type == "identity.recovered" and _overriding(chain, case) is not None
    if chain.next is not None and _hash_of(case.payload.to) != chain.next and not overriding:
        yield refuse("identity.not_next_key", "the identity committed to another next key", field="/to")


def _overriding(chain: Chain, case: Case) -> int | None:
    """Return which of the earlier recovery keys signed, if it may still override what came after it."""
    places = (place for place, held in enumerate(chain.earlier) if held[0] == case.iss and case.now < held[1])
    return next(places, None) if case.iss != chain.recovery else None


def handover_waits(case: Case) -> Findings:
    """Only the handover that waits, and only its new key, can be adopted."""
    handover = _chain(case).handover
    if handover is None or handover.id != case.payload.handover:
        yield refuse(
            "identity.no_handover", "no such rotation or recovery waits to be adopted", field="/handover"
        )
    elif handover.to != case.iss:
        yield refuse("identity.not_new_key", f"the handover is to {handover.to}", entry=handover.entry)
    elif case.book.get(Owner, case.iss) is not None:
        yield refuse("identity.key_used", "the new key has acted on this ledger since; make a fresh one")


def recovery_key_signs(case: Case) -> Findings:
    """Only the recovery key recovers; one from before a rotation for another 14 days."""
    chain = case.book.get(Chain, case.sub)
    if chain is None or (case.iss != chain.recovery and _overriding(chain, case) is None):
        yield refuse("identity.not_recovery_key", f"the signer is not the recovery key of {case.sub}")


def revoker_may(case: Case) -> Findings:
    """The committed next key revokes if there is one, otherwise the key in force or the recovery key."""
    chain = _chain(case)
    if chain.revoked_by is not None:
        yield refuse("identity.already_revoked", f"revoked by {chain.revoked_by}", entry=chain.entry)
    if chain.next is not None:
        if _hash_of(case.iss) != chain.next:
            yield refuse("identity.not_next_key", "only the committed next key may revoke this identity")
    elif case.iss not in {chain.keys[-1], chain.recovery}:
        yield refuse("identity.not_subject", "only the key in force or the recovery key may revoke")


def fold_declared(case: Case) -> None:
    """Set label and commitments."""
    chain, said = _chain(case), case.payload
    case.book.put(case.iss, Owner(root=case.sub))
    case.book.change(
        case.sub,
        chain,
        label=said.label or chain.label,
        next=said.next or chain.next,
        recovery=said.recovery or chain.recovery,
    )


def fold_rotated(case: Case) -> None:
    """Let the handover wait; a later one takes its place."""
    handover = Handover(id=case.id, to=case.payload.to, sort="rotated", entry=case.index)
    case.book.put(case.iss, Owner(root=case.sub))
    case.book.change(case.sub, _chain(case), handover=handover)


def fold_recovered(case: Case) -> None:
    """Take the key out of force at once; the new key acts when it adopts.

    An earlier recovery key that overrides a rotation takes its place again: whoever rotated the identity away
    could otherwise answer with commitments and a recovery key of its own.
    """
    chain = _chain(case)
    place = _overriding(chain, case)
    if place is not None:
        chain = case.book.change(case.sub, chain, recovery=case.iss, next=None, earlier=chain.earlier[:place])
    handover = Handover(id=case.id, to=case.payload.to, sort="recovered", entry=case.index)
    case.book.put(case.sub, Owner(root=case.sub))
    case.book.change(case.sub, chain, handover=handover, revoked_by=case.id)


def fold_adopted(case: Case) -> None:
    """Append the new key to the chain; a rotation leaves the recovery key before it 14 days to override."""
    chain = _chain(case)
    earlier = tuple(held for held in chain.earlier if case.now < held[1])
    if chain.recovery is not None and chain.handover is not None and chain.handover.sort == "rotated":
        earlier = (*earlier, (chain.recovery, case.now + OVERRIDE_SECONDS))
    case.book.put(case.iss, Owner(root=case.sub))
    case.book.change(
        case.sub,
        chain,
        keys=(*chain.keys, case.iss),
        next=case.payload.next,
        recovery=case.payload.recovery or chain.recovery,
        handover=None,
        revoked_by=None,
        earlier=earlier,
    )


def fold_revoked(case: Case) -> None:
    """Take the key out of force."""
    case.book.put(case.sub, Owner(root=case.sub))
    case.book.change(case.sub, _chain(case), revoked_by=case.id, handover=None)


RULES = MappingProxyType(
    {
        "identity.declared": (
            signer_in_force,
            ledger_keys_stay_out,
            speaks_for_itself,
            commitments_stay,
            recovery_key_apart,
            seals_new,
        ),
        "identity.rotated": (
            signer_in_force,
            ledger_keys_stay_out,
            speaks_for_itself,
            new_key_is_fresh,
            next_key_follows,
        ),
        "identity.adopted": (ledger_keys_stay_out, handover_waits, recovery_key_apart),
        "identity.recovered": (ledger_keys_stay_out, recovery_key_signs, new_key_is_fresh, next_key_follows),
        "identity.revoked": (ledger_keys_stay_out, revoker_may),
    }
)
FOLDS: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "identity.declared": fold_declared,
        "identity.rotated": fold_rotated,
        "identity.adopted": fold_adopted,
        "identity.recovered": fold_recovered,
        "identity.revoked": fold_revoked,
    }
)
