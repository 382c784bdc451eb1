"""Rules of the family *dispute*: objections, answers and the decision of the arbiter (design §3 "Disputes")."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.derive import dispute_status
from pseudoledger.contract.rules import freezes
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.freezes import CLASSES, WAITING, Disputable
from pseudoledger.contract.things import Invoice, Lease, Usage
from pseudoledger.contract.things.dispute import Dispute, Disputed
from pseudoledger.statement.values import format_instant, length_seconds


def _matter(case: Case) -> Disputable | None:
    """Find what is disputed, if it belongs to the lease."""
    said = case.payload.matter
    thing = case.book.get(CLASSES[said.sort], said.ref)
    return thing if thing is not None and thing.lease == case.sub else None


def _creditor(lease: Lease, thing: Disputable) -> str:
    return thing.issuer if isinstance(thing, Invoice) else lease.lessor


def _debtor(lease: Lease, thing: Disputable) -> str:
    return thing.payer if isinstance(thing, Invoice) else lease.lessee


def _disputed(case: Case) -> Disputed | None:
    return case.book.get(Disputed, _disputed_key(case))


def _disputed_key(case: Case) -> str:
    return f"{case.payload.matter.ref} {case.party}"


def matter_is_of_lease(case: Case) -> Findings:
    """What is disputed belongs to the lease."""
    if _matter(case) is None:
        yield refuse("dispute.unknown_matter", "the lease has no such thing", field="/matter")


def party_opens(case: Case) -> Findings:
    """Only the two parties to a thing dispute it."""
    thing = _matter(case)
    if thing is not None and not (
        case.is_party(_creditor(case.lease, thing)) or case.is_party(_debtor(case.lease, thing))
    ):
        yield refuse("dispute.not_party", "only the two parties to it may dispute it", entry=thing.entry)


def matter_can_be_disputed(case: Case) -> Findings:
    """The lessee or payer disputes what stands; the lessor or issuer what was contested or rejected."""
    thing = _matter(case)
    if thing is None:
        return
    problem = ""
    if thing.state in {"replaced", "cancelled"}:
        problem = f"it was {thing.state}"
    elif case.is_party(_creditor(case.lease, thing)):
        if thing.state not in {"contested", "rejected"}:
            problem = "nothing of it was contested or rejected"
    elif CLASSES["delivery"] is type(thing) and (thing.state != "offered" or case.now >= thing.accept_by):
        problem = "the delivery was answered, or silence accepted it"
    elif isinstance(thing, Usage) and thing.billed_by is not None:
        problem = f"it is billed: dispute the invoice {thing.billed_by}"
    if problem:
        yield refuse("dispute.no_matter", problem, field="/matter", entry=thing.entry)


def in_time(case: Case) -> Findings:
    """A dispute is opened while its thing waits, or within the time of the terms after the answer."""
    thing = _matter(case)
    if thing is None or (thing.state in WAITING and case.now < thing.accept_by):
        return
    at = getattr(thing, "answered_at", None)
    answered = thing.accept_by if at is None else at
    last = answered + length_seconds(freezes.terms_of(case, case.lease, thing).dispute_within)
    if case.now >= last:
        yield refuse(
            "dispute.too_late",
            f"it could be disputed until {format_instant(last)}",
            field="/matter",
            entry=thing.entry,
        )


def amount_fits(case: Case) -> Findings:
    """No more is disputed than there is, less what was decided; a delivery is disputed whole."""
    thing, said = _matter(case), case.payload.matter
    if thing is None or not (
        case.is_party(_creditor(case.lease, thing)) or case.is_party(_debtor(case.lease, thing))
    ):
        return
    most = _most(case, thing)
    if isinstance(thing, Invoice | Usage):
        if said.amount > most:
            yield refuse(
                "dispute.amount", f"at most {most} can be disputed", field="/matter", entry=thing.entry
            )
    elif said.amount != most:
        yield refuse("dispute.whole", f"all {most} units", field="/matter/count", entry=thing.entry)


def _most(case: Case, thing: Disputable) -> int:
    by_creditor = case.is_party(_creditor(case.lease, thing))
    if isinstance(thing, Invoice):
        left = thing.total_minor - thing.credited_minor - thing.owed_credit_minor
        return max(0, left - (thing.accepted_minor if by_creditor else thing.upheld_minor))
    if isinstance(thing, Usage):
        standing, whole = freezes.seconds_of(case, case.lease, thing)
        unbilled = standing - thing.upheld - thing.billed_before
        return max(0, whole - standing - thing.struck if by_creditor else unbilled)
    return sum(count for _, count in thing.lines)


def disputed_once(case: Case) -> Findings:
    """A party has one open dispute about a thing, and disputes no part of it twice."""
    thing, before = _matter(case), _disputed(case)
    if thing is None or before is None:
        return
    latest = case.book.get(Dispute, before.latest)
    if latest is not None and dispute_status(latest, case.now) in {"open", "answered"}:
        yield refuse("dispute.open_already", "one dispute about it is open", entry=latest.entry)
    elif before.amount + case.payload.matter.amount > _whole(case, thing):
        yield refuse(
            "dispute.again",
            f"{before.amount} of it was disputed before: what was left undecided is not frozen anew",
            field="/matter",
            entry=latest.entry if latest else None,
        )


def _whole(case: Case, thing: Disputable) -> int:
    if isinstance(thing, Invoice):
        return thing.total_minor
    if isinstance(thing, Usage):
        return freezes.seconds_of(case, case.lease, thing)[1]
    return sum(count for _, count in thing.lines)


def _dispute(case: Case) -> Dispute:
    dispute = case.book.get(Dispute, case.sub)
    assert dispute is not None, "subject_fits ran before"
    return dispute


def other_answers(case: Case) -> Findings:
    """The party that did not open a dispute answers it."""
    dispute = _dispute(case)
    if not case.is_party(dispute.against):
        yield refuse("dispute.not_other", "the answer is the other party's", entry=dispute.entry)


def waits_for_answer(case: Case) -> Findings:
    """A dispute is answered once, in its time."""
    dispute = _dispute(case)
    status = dispute_status(dispute, case.now)
    if status == "undecided" and dispute.state == "opened":
        yield refuse(
            "dispute.lapsed",
            f"the time to answer ended at {format_instant(dispute.answer_by)}",
            entry=dispute.entry,
        )
    elif status != "open":
        yield refuse("dispute.answered", f"the dispute was {dispute.state}", entry=dispute.entry)


def admitted_fits(case: Case) -> Findings:
    """No more is admitted than is disputed; a delivery whole or not at all."""
    yield from _given_fits(case, case.payload.admitted, "/admitted")


def _given_fits(case: Case, given: int, field: str) -> Findings:
    dispute = _dispute(case)
    if given > dispute.left:
        yield refuse("dispute.too_much", f"{dispute.left} are in dispute", field=field, entry=dispute.entry)
    elif dispute.sort == "delivery" and given not in {0, dispute.left}:
        yield refuse("dispute.in_part", "all units or none", field=field, entry=dispute.entry)


def arbiter_decides(case: Case) -> Findings:
    """Only the arbiter of the terms decides."""
    dispute = _dispute(case)
    if dispute.arbiter is None:
        yield refuse(
            "dispute.no_arbiter", "the terms name no arbiter that is neither party", entry=dispute.entry
        )
    elif not case.is_party(dispute.arbiter):
        yield refuse("dispute.not_arbiter", f"the arbiter is {dispute.arbiter}", entry=dispute.entry)


def waits_for_decision(case: Case) -> Findings:
    """A dispute is decided once, after its answer and in its time."""
    dispute = _dispute(case)
    status = dispute_status(dispute, case.now)
    if dispute.arbiter is None or status == "answered":
        return
    if status == "open":
        yield refuse("dispute.not_answered", "the other party has not answered", entry=dispute.entry)
    elif status == "undecided":
        last = dispute.answer_by if dispute.decide_by is None else dispute.decide_by
        yield refuse("dispute.undecided", f"its time ended at {format_instant(last)}", entry=dispute.entry)
    else:
        yield refuse("dispute.closed", f"the dispute was {dispute.state}", entry=dispute.entry)


def award_fits(case: Case) -> Findings:
    """No more is awarded than is left in dispute; a delivery whole or not at all."""
    yield from _given_fits(case, case.payload.awarded, "/awarded")


def fold_opened(case: Case) -> None:
    """Remember the dispute and, where the terms name an arbiter, freeze what it is about."""
    said, lease, thing = case.payload, case.lease, _matter(case)
    assert thing is not None, "matter_is_of_lease saw it"
    terms = freezes.terms_of(case, lease, thing)
    by_creditor = case.is_party(_creditor(lease, thing))
    sides = (_creditor(lease, thing), _debtor(lease, thing))
    named = terms.arbiter
    third = named is not None and not any(case.book.same_party(named, side) for side in sides)
    dispute = Dispute(
        number=said.number,
        lease=case.sub,
        sort=said.matter.sort,
        about=said.matter.ref,
        reason=said.reason,
        by=case.party,
        against=case.book.root_of(sides[1] if by_creditor else sides[0]),
        arbiter=case.book.root_of(named) if named is not None and third else None,
        amount=said.matter.amount,
        opened_at=case.now,
        answer_by=case.now + length_seconds(terms.answer_within),
        decide_within=length_seconds(terms.decide_within),
        entry=case.index,
    )
    before = _disputed(case)
    sum_before = before.amount if before else 0
    case.book.put(case.id, dispute)
    case.book.put(_disputed_key(case), Disputed(latest=case.id, amount=sum_before + dispute.amount))
    if dispute.arbiter is not None:
        freezes.begin(case, dispute, thing, by_creditor=by_creditor)


def fold_answered(case: Case) -> None:
    """Bind what is admitted; the rest waits for the arbiter."""
    dispute, admitted = _dispute(case), case.payload.admitted
    binds = dispute.arbiter is not None
    if binds and admitted:
        freezes.settle(case, dispute, admitted, admitted)
    whole = admitted == dispute.amount
    decide_by = case.now + dispute.decide_within if binds and not whole else None
    if binds and whole:
        freezes.end(case, dispute)
    elif decide_by is not None:
        freezes.go_on(case, dispute, decide_by, dispute.amount - admitted)
    case.book.change(
        case.sub,
        dispute,
        state="admitted" if whole else "answered",
        admitted=admitted,
        answered_at=case.now,
        decide_by=decide_by,
        closed_at=case.now if whole else None,
    )


def fold_decided(case: Case) -> None:
    """Bind what is decided and end the freeze."""
    dispute, awarded = _dispute(case), case.payload.awarded
    freezes.settle(case, dispute, dispute.left, awarded)
    freezes.end(case, dispute)
    case.book.change(case.sub, dispute, state="decided", awarded=awarded, closed_at=case.now)


RULES_2 = MappingProxyType(
    {
        "dispute.opened": (
            matter_is_of_lease,
            party_opens,
            matter_can_be_disputed,
            in_time,
            amount_fits,
            disputed_once,
        ),
        "dispute.answered": (other_answers, waits_for_answer, admitted_fits),
        "dispute.decided": (arbiter_decides, waits_for_decision, award_fits),
    }
)
FOLDS_2: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "dispute.opened": fold_opened,
        "dispute.answered": fold_answered,
        "dispute.decided": fold_decided,
    }
)
