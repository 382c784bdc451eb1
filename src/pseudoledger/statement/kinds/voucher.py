"""Kinds of the family *voucher*: programmes and the vouchers they issue (design §3 "Vouchers")."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from pseudoledger.statement.kinds.claim import ClaimType, Threshold
from pseudoledger.statement.kinds.kind import Subject, kinds
from pseudoledger.statement.kinds.market import LINES_MAX
from pseudoledger.statement.values import (
    Bps,
    ChipId,
    Country,
    Currency,
    Did,
    Length,
    Minor,
    Number,
    Period,
    PositiveMinor,
    Ref,
    Reference,
    Sealable,
    Sha256,
    Slug,
    Subdivision,
    Text,
    Value,
    note,
)

CLASSES_MAX = 16
"""Most classes of facility of one programme, and most conditions."""
ATTESTORS_MAX = 8
"""Most attestors of one list, and most alternatives of one condition."""


WITH_DIGEST = frozenset({"ultimate_parent", "beneficial_owner", "research_project", "approved_model"})
"""Claims that name what they are about by a digest."""


class ClassShare(Value):
    """The share of an invoice that vouchers may cover at facilities of one class."""

    facility_class: Slug = note("Class of facility, as the programme names it", reveals="place")
    share_bps: Bps = note(
        "Most of an invoice's net that vouchers cover at facilities of the class", unit="bps", reveals="money"
    )


class ListedFacility(Value):
    """A facility that the programme itself names, with its class."""

    lessor: Did = note("Who leases out there", reveals="counterparty")
    facility_class: Slug = note("Class that the programme gives it", reveals="place")
    country: Country | None = note(
        "Country that a lease's facility has to be in", reveals="place", default=None
    )
    subdivision: Subdivision | None = note(
        "Subdivision that a lease's facility has to be in", reveals="place", default=None
    )
    name: Text | None = note("Public name of the facility", reveals="place", default=None)


class Requirement(Value):
    """A claim about the holder by one of some attestors."""

    claim: ClaimType = note("Type of claim that is asked for", reveals="identity")
    at_least: Threshold | None = note(
        "revenue_at_least: threshold that the claim has to reach", reveals="money", default=None
    )
    country: Country | None = note("country: the one it has to name", reveals="place", default=None)
    digest: Sha256 | None = note(
        "Digest of the project, parent or model that it has to name", reveals="identity", default=None
    )
    attestors: Annotated[tuple[Did, ...], Field(min_length=1, max_length=ATTESTORS_MAX)] = note(
        "Attestors whose claim counts", reveals="counterparty"
    )

    @model_validator(mode="after")
    def _fits_its_claim(self) -> Self:
        if (self.claim == "revenue_at_least") != (self.at_least is not None):
            raise ValueError("revenue_at_least asks for a threshold, and no other claim does")
        if self.country is not None and self.claim != "country":
            raise ValueError("only a claim of type country names one")
        if self.digest is not None and self.claim not in WITH_DIGEST:
            raise ValueError("only claims about a parent, owner, project or model name a digest")
        return self


class Condition(Value):
    """Something a holder has to meet, by any of some claims."""

    any_of: Annotated[tuple[Requirement, ...], Field(min_length=1, max_length=ATTESTORS_MAX)] = note(
        "Claims, each of which is enough", reveals="identity"
    )


class ChipOrigin(Value):
    """Which chips a billed lease may have: those that are listed, or of countries that an attestor names."""

    chips: Annotated[tuple[ChipId, ...], Field(max_length=LINES_MAX)] = note(
        "Chips that the programme counts as of the wanted origin", reveals="hardware"
    )
    countries: Annotated[tuple[Country, ...], Field(max_length=CLASSES_MAX)] = note(
        "Countries of origin that a claim about the lessor's chips may name", reveals="hardware"
    )
    attestors: Annotated[tuple[Did, ...], Field(max_length=ATTESTORS_MAX)] = note(
        "Attestors whose claim about the lessor's chips counts", reveals="counterparty"
    )

    @model_validator(mode="after")
    def _can_be_met(self) -> Self:
        if bool(self.countries) != bool(self.attestors):
            raise ValueError("countries of origin and the attestors who name them belong together")
        if not self.chips and not self.countries:
            raise ValueError("a condition on the origin of chips lists chips or countries")
        return self


class ProgrammeDeclared(Value):
    """A public issuer's scheme of vouchers: how much, for whom, where, and under which conditions."""

    type: Literal["programme.declared"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The issuer's number of the programme")
    title: Text = note("Public name of the programme", reveals="identity")
    currency: Currency = note("ISO 4217", reveals="money")
    budget_minor: PositiveMinor = note(
        "Most that its vouchers may come to, less what was withdrawn", unit="minor unit", reveals="money"
    )
    face_min_minor: PositiveMinor = note("Smallest face of a voucher", unit="minor unit", reveals="money")
    face_max_minor: PositiveMinor = note("Largest face of a voucher", unit="minor unit", reveals="money")
    cap_minor: PositiveMinor | None = note(
        "Most that one legal person may be promised, and may redeem, whatever its keys",
        unit="minor unit",
        reveals="money",
        default=None,
    )
    kyc: Did | None = note(
        "Attestor by whose subject_group legal persons are told apart", reveals="counterparty", default=None
    )
    classes: Annotated[tuple[ClassShare, ...], Field(min_length=1, max_length=CLASSES_MAX)] = note(
        "Share by class of facility", reveals="money"
    )
    facilities: Annotated[tuple[ListedFacility, ...], Field(max_length=LINES_MAX)] = note(
        "Facilities with their class", reveals="counterparty"
    )
    facility_attestors: Annotated[tuple[Did, ...], Field(max_length=ATTESTORS_MAX)] = note(
        "Attestors whose claim gives another facility its class", reveals="counterparty"
    )
    conditions: Annotated[tuple[Condition, ...], Field(max_length=CLASSES_MAX)] = note(
        "What a holder has to meet, all of it, when a voucher is redeemed", reveals="identity"
    )
    chip_origin: ChipOrigin | None = note(
        "Condition on the origin of chips", reveals="hardware", default=None
    )
    restore: bool = note("Whether what a credit note gives back may be used again by the holder")
    period: Period = note("When vouchers may be issued, and what is billed may lie", reveals="time")
    redeem_within: Length = note("How long after its period a voucher may still be redeemed", reveals="time")

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        classes = [item.facility_class for item in self.classes]
        if not self.face_min_minor <= self.face_max_minor <= self.budget_minor:
            raise ValueError("face_min_minor, face_max_minor and budget_minor rise in this order")
        if self.cap_minor is not None and self.kyc is None:
            raise ValueError("a cap for legal persons needs the attestor that tells them apart: kyc")
        if len(set(classes)) < len(classes):
            raise ValueError("a class of facility stands twice")
        if any(item.facility_class not in classes for item in self.facilities):
            raise ValueError("a listed facility is of a class that the programme does not have")
        if not self.facilities and not self.facility_attestors:
            raise ValueError("a programme lists facilities, or attestors that give them their class")
        return self


class VoucherIssued(Sealable):
    """The issuer gives a holder one numbered voucher of a programme."""

    type: Literal["voucher.issued"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The issuer's number of the voucher, never used twice", reveals="reference")
    holder: Did = note("Who may use it", reveals="counterparty")
    face_minor: PositiveMinor = note("What it is worth", unit="minor unit", reveals="money")
    period: Period = note("When what it pays for has to be used", reveals="time")
    remark: Text | None = note("The issuer's own note", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class VoucherReserved(Value):
    """The holder sets a part of a voucher aside for one lease."""

    type: Literal["voucher.reserved"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The holder's number of this act")
    lease: Ref = note("Lease that it is set aside for", reveals="reference")
    amount_minor: PositiveMinor = note("How much", unit="minor unit", reveals="money")


class Reserved(Value):
    """A part of a voucher that was set aside for a lease."""

    lease: Ref = note("Lease that it was set aside for", reveals="reference")
    amount_minor: PositiveMinor = note("How much of it", unit="minor unit", reveals="money")


class VoucherReleased(Value):
    """The holder takes back what it set aside, or what it presented and nobody redeemed."""

    type: Literal["voucher.released"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The holder's number of this act")
    reserved: Reserved | None = note("What was set aside", reveals="reference", default=None)
    presentation: Ref | None = note(
        "Presentation that is taken back whole", reveals="reference", default=None
    )

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.reserved is None) == (self.presentation is None):
            raise ValueError("it names either what was reserved or what was presented")
        return self


class VoucherPresented(Value):
    """The holder offers a part of a voucher in payment of an invoice; the amount is held for the lessor."""

    type: Literal["voucher.presented"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The holder's number of this act")
    lessor: Did = note("Who may redeem it", reveals="counterparty")
    invoice: Ref = note("Invoice that it is for", reveals="reference")
    amount_minor: PositiveMinor = note("How much", unit="minor unit", reveals="money")


class VoucherRedeemed(Value):
    """The lessor takes a presented amount as prepaid on its invoice; the issuer owes it the same."""

    type: Literal["voucher.redeemed"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    presentation: Ref = note("What was presented", reveals="reference")
    amount_minor: PositiveMinor = note(
        "How much of it; the rest goes back to the voucher", unit="minor unit", reveals="money"
    )


class VoucherSettled(Value):
    """The issuer has paid the lessor for what it redeemed, or has been paid back, elsewhere, by reference."""

    type: Literal["voucher.settled"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The issuer's number of this act")
    presentation: Ref = note("What was redeemed", reveals="reference")
    settled_minor: Minor = note(
        "What it has paid in all, less what came back: all that stands redeemed",
        unit="minor unit",
        reveals="money",
    )
    references: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=8)] = note(
        "Where the payment can be seen", reveals="reference"
    )


class VoucherClawedBack(Sealable):
    """The issuer takes back what was redeemed: the invoice is open by as much again."""

    type: Literal["voucher.clawed_back"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    number: Number = note("The issuer's number of this act")
    presentation: Ref = note("What was redeemed", reveals="reference")
    amount_minor: PositiveMinor = note("How much of it", unit="minor unit", reveals="money")
    reason: Literal["condition", "facility", "misuse", "error", "other"] = note("Why", reveals="money")
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


class VoucherRevoked(Sealable):
    """The issuer takes a voucher back: what is neither presented nor redeemed is withdrawn."""

    type: Literal["voucher.revoked"] = note("Kind")
    v: Literal[1] = note("Version of the kind")
    reason: Literal["condition", "programme", "misuse", "error", "other"] = note("Why", reveals="money")
    remark: Text | None = note("Why, in words", reveals="free_text", sealable=True)
    sd_alg: Literal["sha-256"] | None = note("Hash of the sealed fields", alias="_sd_alg", default=None)


KINDS = (
    *kinds("voucher", Subject.ISSUER, ProgrammeDeclared, since=2),
    *kinds("voucher", Subject.PROGRAMME, VoucherIssued, since=2),
    *kinds(
        "voucher",
        Subject.VOUCHER,
        VoucherReserved,
        VoucherReleased,
        VoucherPresented,
        VoucherRedeemed,
        VoucherSettled,
        VoucherClawedBack,
        VoucherRevoked,
        since=2,
    ),
)
"""Kinds of this family, for the registry."""
