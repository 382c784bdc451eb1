"""`voucher programme declare`, `voucher issue|issue-all|settle|claw-back|revoke`: what issuers do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pseudoledger.cli.command import Act, Acting, acting, group
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find
from pseudoledger.cli.show import money
from pseudoledger.cli.values import amount, choice, currency_code, length, pair, percent, period, reference
from pseudoledger.cli.voucher import PresentationArgument, VoucherArgument, app, minor_of
from pseudoledger.cli.voucher_bulk import checked, read_lines
from pseudoledger.contract.things.voucher import Presentation, Programme, Voucher

programmes = group("programme", "Programmes: what an issuer grants vouchers for.")
app.add_typer(programmes)
APPS = ()

CLAW_BACK_REASONS = ("condition", "facility", "misuse", "error", "other")
REVOKE_REASONS = ("condition", "programme", "misuse", "error", "other")

ProgrammeArgument = Annotated[
    str, typer.Argument(help="Programme: id, prefix or number.", show_default=False)
]
RemarkOption = Annotated[str | None, typer.Option("--remark", help="Note; sealed.", show_default=False)]
FromOption = Annotated[str, typer.Option("--from", help="When it starts.", show_default=False)]
UntilOption = Annotated[str | None, typer.Option("--until", help="When it ends.", show_default=False)]
LengthOption = Annotated[str | None, typer.Option("--length", help="How long it runs, e.g. 720d.")]


@acting(
    programmes,
    "declare",
    examples=(
        (
            "pl voucher programme declare PR-1 --title 'Harbour Compute 2026' --currency USD --budget 5000000"
            " --face 140000..280000 --share state-run=45 --share other=20 --facility alice=state-run"
            " --condition 'revenue_at_least:10000000 USD@notary|research_project@notary' --from 2026-03-01"
            " --length 760d --as city"
        ),
        (
            "pl voucher programme declare PR-2 --title 'River Grants' --currency CNY --budget 50000000"
            " --face 1..1000000 --cap 1000000 --kyc registry --share centre=20 --facility-by notary"
            " --chip huawei-ascend-910b --from 2026-01-01 --until 2027-01-01 --as city --dry-run"
        ),
    ),
)
def declare(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the programme.", show_default=False)],
    title: Annotated[str, typer.Option("--title", help="Public name of it.", show_default=False)],
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217.", show_default=False)],
    budget: Annotated[str, typer.Option("--budget", help="Most that its vouchers may come to.")],
    face: Annotated[str, typer.Option("--face", help="Smallest and largest face: 140000..280000.")],
    share: Annotated[
        list[str], typer.Option("--share", help="CLASS=PERCENT of an invoice's net; may be repeated.")
    ],
    start: FromOption,
    until: UntilOption = None,
    lasting: LengthOption = None,
    facility: Annotated[
        list[str] | None,
        typer.Option("--facility", help="LESSOR=CLASS, LESSOR=CLASS@DE-BE, LESSOR=CLASS@DE:Name."),
    ] = None,
    facility_by: Annotated[
        list[str] | None, typer.Option("--facility-by", help="Attestor who may give others a class.")
    ] = None,
    condition: Annotated[
        list[str] | None,
        typer.Option(
            "--condition", help="CLAIM[:VALUE]@ATTESTOR, alternatives parted by |; may be repeated."
        ),
    ] = None,
    cap: Annotated[str | None, typer.Option("--cap", help="Most for one legal person.")] = None,
    kyc: Annotated[
        str | None, typer.Option("--kyc", help="Attestor who tells legal persons apart; --cap needs it.")
    ] = None,
    chip: Annotated[list[str] | None, typer.Option("--chip", help="Chip of the wanted origin.")] = None,
    origin: Annotated[
        list[str] | None, typer.Option("--origin", help="Country of origin that a claim may name.")
    ] = None,
    origin_by: Annotated[
        list[str] | None, typer.Option("--origin-by", help="Attestor of the origin of chips.")
    ] = None,
    restore: Annotated[
        bool, typer.Option("--restore", help="What credit notes give back may be used again.")
    ] = False,
    redeem_within: Annotated[
        str, typer.Option("--redeem-within", help="How long after its period a voucher may be redeemed.")
    ] = "90d",
) -> Act:
    """Declare a programme: its budget, shares by class of facility, and the conditions of its vouchers."""
    code = currency_code(currency, "--currency", acting.desk.tables.exponents)
    lowest, dots, highest = face.partition("..")
    tree: dict[str, Any] = {
        "type": "programme.declared",
        "number": number,
        "title": title,
        "currency": code,
        "budget_minor": _minor(acting, budget, "--budget", code),
        "face_min_minor": _minor(acting, lowest, "--face", code),
        "face_max_minor": _minor(acting, highest if dots else lowest, "--face", code),
        "classes": [_share(item) for item in share],
        "facilities": [_facility(acting, item) for item in facility or ()],
        "facility_attestors": _dids(acting, facility_by, "--facility-by"),
        "conditions": [_condition(acting, item) for item in condition or ()],
        "restore": restore,
        "period": period(start, until, lasting),
        "redeem_within": length(redeem_within, "--redeem-within"),
    }
    if cap is not None:
        tree["cap_minor"] = _minor(acting, cap, "--cap", code)
    if kyc is not None:
        tree["kyc"] = did_of(acting.desk, kyc, "--kyc")
    tree |= _chip_origin(acting, chip, origin, origin_by)
    return Act(tree=tree, title=number, then=f"pl voucher issue {number} NUMBER HOLDER --face AMOUNT")


def _chip_origin(
    acting: Acting, chips: list[str] | None, countries: list[str] | None, attestors: list[str] | None
) -> dict[str, Any]:
    if not (chips or countries or attestors):
        return {}
    wanted = {
        "chips": list(chips or ()),
        "countries": [text.upper() for text in countries or ()],
        "attestors": _dids(acting, attestors, "--origin-by"),
    }
    return {"chip_origin": wanted}


def _minor(acting: Acting, text: str, option: str, currency: str) -> int:
    return amount(text.strip(), option, acting.desk.tables.exponents, currency).minor


def _dids(acting: Acting, said: list[str] | None, option: str) -> list[str]:
    return [did_of(acting.desk, text, option) for text in said or ()]


def _share(text: str) -> dict[str, Any]:
    name, said = pair(text, "--share", "state-run=45")
    return {"facility_class": name, "share_bps": percent(said, "--share")}


def _facility(acting: Acting, text: str) -> dict[str, str]:
    lessor, said = pair(text, "--facility", "alice=state-run@DE-BE:First Hall")
    said, _, name = said.partition(":")
    facility_class, _, place = said.partition("@")
    found = {"lessor": did_of(acting.desk, lessor, "--facility"), "facility_class": facility_class.strip()}
    if place:
        found["country"] = place[:2].upper()
    if "-" in place:
        found["subdivision"] = place.upper()
    return found | ({"name": name.strip()} if name.strip() else {})


def _condition(acting: Acting, text: str) -> dict[str, Any]:
    wanted = []
    for part in text.split("|"):
        said, _, attestors = part.strip().partition("@")
        claim, _, value = said.partition(":")
        if not attestors:
            raise WrongUse(f"--condition: {part!r} names no attestor", hint="research_project@notary")
        dids = [did_of(acting.desk, name.strip(), "--condition") for name in attestors.split(",")]
        required: dict[str, Any] = {"claim": claim.strip(), "attestors": dids}
        if value and claim == "revenue_at_least":
            least = amount(value, "--condition", acting.desk.tables.exponents)
            required["at_least"] = {"currency": least.currency, "amount_minor": least.minor}
        elif value:
            required["country" if claim == "country" else "digest"] = value.strip()
        wanted.append(required)
    return {"any_of": wanted}


@acting(
    app,
    "issue",
    examples=("pl voucher issue PR-1 V-1 bob --face '140000 USD' --from 2026-03-01 --length 720d --as city",),
)
def issue(
    acting: Acting,
    *,
    programme: ProgrammeArgument,
    number: Annotated[str, typer.Argument(help="Your number of the voucher.", show_default=False)],
    holder: Annotated[str, typer.Argument(help="Holder: key name, did or label.", show_default=False)],
    face: Annotated[str, typer.Option("--face", help="What it is worth, e.g. '140000 USD'.")],
    start: FromOption,
    until: UntilOption = None,
    lasting: LengthOption = None,
    remark: RemarkOption = None,
) -> Act:
    """Give a holder one voucher of a programme."""
    desk = acting.desk
    programme_id, thing = find(desk, Programme, programme, party=acting.party)
    tree: dict[str, Any] = {
        "type": "voucher.issued",
        "number": number,
        "holder": did_of(desk, holder, "HOLDER"),
        "face_minor": amount(face, "--face", desk.tables.exponents, thing.payload.currency).minor,
        "period": period(start, until, lasting),
        **({"remark": remark} if remark else {}),
    }
    then = f"the holder presents it with pl voucher present {number} NUMBER INVOICE"
    return Act(tree=tree, sub=programme_id, title=number, then=then)


@acting(
    app,
    "issue-all",
    examples=(
        "pl voucher issue-all PR-1 round-one.csv --as city --dry-run",
        "pl voucher issue-all PR-1 round-one.csv --as city --json",
    ),
)
def issue_all(
    acting: Acting,
    *,
    programme: ProgrammeArgument,
    file: Annotated[Path, typer.Argument(help="CSV with number,holder,face,from,until and perhaps remark.")],
) -> list[Act]:
    """Issue a voucher for every line of a CSV file: all of them in one batch, or none."""
    programme_id, thing = find(acting.desk, Programme, programme, party=acting.party)
    lines = read_lines(acting.desk, file, thing.payload.currency)
    acts = [Act(tree=line.tree, sub=programme_id, title=line.tree["number"]) for line in lines]
    checked(acting, file, lines, acts)
    return acts


@acting(
    app,
    "settle",
    examples=("pl voucher settle T-1 --presentation S-1 --ref SEPA:CITY-2026-1 --as city",),
)
def settle(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of this act.", show_default=False)],
    presentation: Annotated[
        str, typer.Option("--presentation", help="What was redeemed: id, prefix or number.")
    ],
    ref: Annotated[
        list[str],
        typer.Option("--ref", help="SCHEME:REFERENCE, or CHAIN/TX#INDEX (CAIP-2); where it can be seen."),
    ],
) -> Act:
    """Say, as the issuer, that what stands redeemed is paid to the lessor, or that what was due back came back."""
    desk = acting.desk
    found, thing = find(desk, Presentation, presentation, party=acting.party)
    tree = {
        "type": "voucher.settled",
        "number": number,
        "presentation": found,
        "settled_minor": thing.redeemed_minor,
        "references": [reference(item, "--ref") for item in ref],
    }
    moved = thing.redeemed_minor - thing.settled_minor
    text = money(abs(moved), thing.currency, desk.tables.exponents)
    return Act(
        tree=tree,
        sub=thing.voucher,
        title=number,
        then=f"{text} {'paid to the lessor' if moved >= 0 else 'came back from the lessor'}",
    )


@acting(
    app,
    "claw-back",
    examples=("pl voucher claw-back K-1 S-1 --amount '500.00 USD' --reason condition --as city",),
)
def claw_back(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of this act.", show_default=False)],
    presentation: PresentationArgument,
    reason: Annotated[str, typer.Option("--reason", help=", ".join(CLAW_BACK_REASONS) + ".")],
    said: Annotated[
        str | None, typer.Option("--amount", help="How much; all that stands redeemed if left out.")
    ] = None,
    remark: RemarkOption = None,
) -> Act:
    """Take back, as the issuer, what was redeemed; the invoice is open by as much again."""
    desk = acting.desk
    ref, thing = find(desk, Presentation, presentation, party=acting.party)
    minor = thing.redeemed_minor if said is None else minor_of(acting, said, thing.currency)
    if minor == 0:
        raise WrongUse("nothing of it stands redeemed", hint="pl voucher report PROGRAMME")
    tree = {
        "type": "voucher.clawed_back",
        "number": number,
        "presentation": ref,
        "amount_minor": minor,
        "reason": choice(reason, "--reason", CLAW_BACK_REASONS),
        **({"remark": remark} if remark else {}),
    }
    text = money(minor, thing.currency, desk.tables.exponents)
    return Act(
        tree=tree, sub=thing.voucher, title=number, then=f"the holder owes {text} to the lessor instead"
    )


@acting(app, "revoke", examples=("pl voucher revoke V-1 --reason programme --as city",))
def revoke(
    acting: Acting,
    *,
    voucher: VoucherArgument,
    reason: Annotated[str, typer.Option("--reason", help=", ".join(REVOKE_REASONS) + ".")],
    remark: RemarkOption = None,
) -> Act:
    """Take a voucher back, as its issuer; what was presented stays held, what was redeemed stands."""
    voucher_id, thing = find(acting.desk, Voucher, voucher, party=acting.party)
    tree = {
        "type": "voucher.revoked",
        "reason": choice(reason, "--reason", REVOKE_REASONS),
        **({"remark": remark} if remark else {}),
    }
    return Act(
        tree=tree, sub=voucher_id, title=thing.number, then="a lease that counted on it may end: code 20001"
    )
