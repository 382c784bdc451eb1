"""What the book remembers of the family *voucher*: programmes and the vouchers they issue (design §3 "Vouchers")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from pseudoledger.contract.things.base import Thing
from pseudoledger.statement.kinds import Subject
from pseudoledger.statement.kinds.voucher import ProgrammeDeclared


class Programme(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A scheme of vouchers; `payload` is the declaring statement's payload."""

    issuer: str
    payload: ProgrammeDeclared
    vouchers: int = 0
    """How many were issued."""
    issued_minor: int = 0
    """Face of all of them."""
    withdrawn_minor: int = 0
    """What of it was withdrawn, and counts for the budget again."""
    redeemed_minor: int = 0
    """What of it stands redeemed."""
    entry: int

    @property
    def left_minor(self) -> int:
        """What the budget still holds for new vouchers."""
        return self.payload.budget_minor - self.issued_minor + self.withdrawn_minor


class Person(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """What one legal person has of a programme; the key is `programme/subject_group`."""

    promised_minor: int = 0
    """Face of vouchers issued to it, less what was withdrawn."""
    redeemed_minor: int = 0


class Voucher(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """One voucher: face = free + reserved + presented + redeemed + withdrawn, of which some may have lapsed."""

    programme: str
    issuer: str
    number: str
    holder: str
    currency: str
    face_minor: int
    start: int
    until: int
    expires_at: int
    """When everything that is not redeemed lapses."""
    group: str | None = None
    """Legal person of the holder when it was issued."""
    reserved_minor: int = 0
    presented_minor: int = 0
    redeemed_minor: int = 0
    withdrawn_minor: int = 0
    revoked_at: int | None = None
    entry: int

    @property
    def free_minor(self) -> int:
        """What is not bound to anything, whether or not it has lapsed."""
        bound = self.reserved_minor + self.presented_minor + self.redeemed_minor + self.withdrawn_minor
        return self.face_minor - bound


class VoucherUse(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """What of a voucher is set aside for, or was used on, one lease; the key is `voucher/lease`."""

    reserved_minor: int = 0
    presented_minor: int = 0
    """What waits for the lessor; once the voucher is revoked, also what was taken or given back since."""
    redeemed_minor: int = 0

    @property
    def counts(self) -> bool:
        """Whether the lease counts on anything of the voucher; once revoked, whether it did then."""
        return self.reserved_minor + self.presented_minor + self.redeemed_minor > 0


class Presentation(Thing, frozen=True, kw_only=True, omit_defaults=True):
    """A part of a voucher offered in payment of an invoice, and what came of it."""

    voucher: str
    programme: str
    issuer: str
    holder: str
    lessor: str
    lease: str
    invoice: str
    currency: str
    amount_minor: int
    """What was presented; of a redemption, what was redeemed first."""
    state: Literal["presented", "redeemed", "released"] = "presented"
    facility_class: str | None = None
    share_bps: int = 0
    group: str | None = None
    """Legal person of the holder when it was redeemed."""
    redeemed_minor: int = 0
    """What stands redeemed."""
    credited_minor: int = 0
    """What credit notes gave back to the issuer."""
    clawed_back_minor: int = 0
    settled_minor: int = 0
    """What the issuer has paid the lessor, less what came back."""
    presented_at: int
    expires_at: int
    redeemed_at: int | None = None
    entry: int

    @property
    def due_back_minor(self) -> int:
        """What the lessor owes the issuer: paid to it, and no longer redeemed."""
        return max(0, self.settled_minor - self.redeemed_minor)

    @property
    def unsettled_minor(self) -> int:
        """What the issuer owes the lessor."""
        return max(0, self.redeemed_minor - self.settled_minor)


THINGS: tuple[type[Thing], ...] = (Programme, Person, Voucher, VoucherUse, Presentation)
"""Classes of this family that are stored by a key of their own."""
SUBJECTS: Mapping[Subject, tuple[type[Thing], ...]] = MappingProxyType(
    {Subject.PROGRAMME: (Programme,), Subject.VOUCHER: (Voucher,)}
)
"""What the subjects of this family's kinds name."""
