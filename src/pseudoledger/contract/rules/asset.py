"""Rules of the family *asset*: machines and who holds them (design §3 "Delivery and assets")."""

from __future__ import annotations

from types import MappingProxyType

from pseudoledger.contract.case import Case, Findings, refuse
from pseudoledger.contract.rules.common import Fold
from pseudoledger.contract.rules.lease import end_of
from pseudoledger.contract.rules.sublease import head_leases
from pseudoledger.contract.things import Chain, Delivery, Lease, Serial, Taken
from pseudoledger.contract.things.asset import Asset, Custody, Move


def serial_key(digest: str) -> str:
    """Return the key under which the machine of a serial digest is remembered."""
    return f"asset {digest}"


def custody_key(asset_id: str, step: int) -> str:
    """Return the key of one step of a machine's custody."""
    return f"{asset_id}/{step:06}"


def _asset(case: Case) -> Asset:
    asset = case.book.get(Asset, case.sub)
    assert asset is not None, "subject_fits ran before"
    return asset


def parts_listed(case: Case) -> Findings:
    """Digests of parts are sorted, name nothing twice, and are not more than the chips."""
    parts = case.payload.parts
    if list(parts) != sorted(set(parts)) or case.payload.serial in parts:
        yield refuse("asset.parts", "digests of parts are sorted, without repetition", field="/parts")
    if len(parts) > case.payload.count:
        yield refuse("asset.parts", "there are more digests of parts than chips", field="/parts")


def serials_are_new(case: Case) -> Findings:
    """A machine or chip is registered once, whoever owns it."""
    for digest in (case.payload.serial, *case.payload.parts):
        taken = case.book.get(Taken, serial_key(digest))
        if taken is not None:
            yield refuse("asset.registered", f"{digest} is registered", field="/serial", entry=taken.entry)


def delivered_by_nobody_else(case: Case) -> Findings:
    """Nobody registers what another lessor has delivered under a lease that runs."""
    for digest in (case.payload.serial, *case.payload.parts):
        serial = case.book.get(Serial, digest)
        for lease_id, delivery_id in serial.held if serial else ():
            lease, delivery = case.book.get(Lease, lease_id), case.book.get(Delivery, delivery_id)
            if lease is None or delivery is None or delivery.state == "refused" or end_of(lease) <= case.now:
                continue
            if not case.is_party(lease.lessor):
                yield refuse(
                    "asset.delivered_by_other",
                    "another lessor has delivered it under a lease that runs",
                    field="/serial",
                    entry=delivery.entry,
                )
                return


def place_is_one(case: Case) -> Findings:
    """A subdivision lies in the country."""
    said = case.payload
    if said.subdivision is not None and not said.subdivision.startswith(f"{said.country}-"):
        yield refuse(
            "place.subdivision", f"{said.subdivision} is not in {said.country}", field="/subdivision"
        )


def holder_moves(case: Case) -> Findings:
    """Only the holder sends a machine on."""
    asset = _asset(case)
    if not case.is_party(asset.held_by):
        yield refuse("asset.not_holder", f"{asset.held_by} holds it", entry=asset.entry)


def owner_sells(case: Case) -> Findings:
    """Only the owner sells."""
    asset = _asset(case)
    if case.payload.reason == "sale" and not case.is_party(asset.owned_by):
        yield refuse("asset.not_owned", f"it belongs to {asset.owned_by}", field="/reason", entry=asset.entry)


def goes_back(case: Case) -> Findings:
    """What is returned goes to its owner or to who held it before."""
    asset = _asset(case)
    if case.payload.reason == "return" and not any(
        side is not None and case.book.same_party(side, case.payload.to)
        for side in (asset.owned_by, asset.before)
    ):
        yield refuse(
            "asset.not_back",
            "it goes to neither its owner nor the holder before",
            field="/to",
            entry=asset.entry,
        )


def receiver_acts(case: Case) -> Findings:
    """The receiver is named by the key that acts for it."""
    chain = case.book.get(Chain, case.book.root_of(case.payload.to))
    if chain is not None and chain.keys[-1] != case.payload.to:
        yield refuse("identity.key_retired", f"{chain.keys[-1]} acts for it now", field="/to")


def move_waits(case: Case) -> Findings:
    """Only the move that was announced last, and is still on its way, is received."""
    asset = _asset(case)
    if asset.waiting is None or asset.waiting.id != case.payload.move:
        yield refuse("asset.no_move", "no such move is on its way", field="/move", entry=asset.entry)


def receiver_signs(case: Case) -> Findings:
    """Only who was named receives."""
    waiting = _asset(case).waiting
    if waiting is not None and not case.is_party(waiting.to):
        yield refuse("asset.not_receiver", f"it was sent to {waiting.to}", entry=_asset(case).entry)


def serials_held(case: Case) -> Findings:
    """A registered machine is delivered by whoever holds it, or under a lease that stands under its holder's."""
    lessors: list[str] = []
    for index, digest in enumerate(case.payload.serials):
        taken = case.book.get(Taken, serial_key(digest))
        asset = case.book.get(Asset, taken.by) if taken is not None else None
        if asset is None:
            continue
        lessors = lessors or _lessors(case)
        if not any(case.book.same_party(asset.held_by, lessor) for lessor in lessors):
            yield refuse(
                "serial.not_held",
                f"this machine is held by {asset.held_by}",
                field=f"/serials/{index}",
                entry=asset.entry,
            )


def _lessors(case: Case) -> list[str]:
    heads = (case.book.get(Lease, head) for head in sorted(head_leases(case, case.sub)))
    return [case.lease.lessor, *(head.lessor for head in heads if head is not None)]


def fold_registered(case: Case) -> None:
    """Remember the machine, its serials and the first step of its custody."""
    said = case.payload
    asset = Asset(
        number=said.number,
        serial=said.serial,
        chip=said.chip,
        count=said.count,
        parts=said.parts,
        owned_by=case.party,
        held_by=case.party,
        country=said.country,
        subdivision=said.subdivision,
        entry=case.index,
    )
    case.book.put(case.id, asset)
    for digest in (said.serial, *said.parts):
        case.book.put(serial_key(digest), Taken(by=case.id, entry=case.index))
    _step(case, case.id, 0, asset, None)


def _step(case: Case, asset_id: str, number: int, asset: Asset, move: Move | None) -> None:
    custody = Custody(
        asset=asset_id,
        held_by=asset.held_by,
        owned_by=asset.owned_by,
        country=asset.country,
        subdivision=asset.subdivision,
        since=case.now,
        moved_at=move.moved_at if move else None,
        reason=move.reason if move else "",
        condition=case.payload.condition if move else "",
        unreceived=asset.unreceived,
        entry=case.index,
    )
    case.book.put(custody_key(asset_id, number), custody)


def fold_moved(case: Case) -> None:
    """Let the machine be on its way; the holder holds it until it is received."""
    asset, said = _asset(case), case.payload
    move = Move(id=case.id, to=case.book.root_of(said.to), reason=said.reason, moved_at=case.now)
    unreceived = asset.unreceived + (asset.waiting is not None)
    case.book.change(case.sub, asset, waiting=move, unreceived=unreceived)


def fold_received(case: Case) -> None:
    """Hand the custody over, and after a sale the machine itself."""
    asset, said = _asset(case), case.payload
    move = asset.waiting
    assert move is not None, "move_waits saw it"
    changed = case.book.change(
        case.sub,
        asset,
        held_by=case.party,
        before=asset.held_by,
        owned_by=case.party if move.reason == "sale" else asset.owned_by,
        country=said.country,
        subdivision=said.subdivision,
        waiting=None,
        steps=asset.steps + 1,
    )
    _step(case, case.sub, asset.steps, changed, move)
    case.book.change(case.sub, changed, unreceived=0)


RULES_2 = MappingProxyType(
    {
        "asset.registered": (parts_listed, serials_are_new, delivered_by_nobody_else, place_is_one),
        "asset.moved": (holder_moves, owner_sells, goes_back, receiver_acts),
        "asset.received": (move_waits, receiver_signs, place_is_one),
    }
)
FOLDS_2: MappingProxyType[str, Fold] = MappingProxyType(
    {
        "asset.registered": fold_registered,
        "asset.moved": fold_moved,
        "asset.received": fold_received,
    }
)
