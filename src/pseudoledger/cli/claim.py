"""`claim attest|revoke|list|show`: what attestors say about identities."""

from __future__ import annotations

import hmac
import os
import unicodedata
from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, Any, get_args

import typer

from pseudoledger.cli.command import Act, Acting, acting, group, reading
from pseudoledger.cli.desk import Desk
from pseudoledger.cli.evidence import EvidenceOption, document
from pseudoledger.cli.failure import WrongUse
from pseudoledger.cli.find import did_of, find, find_any, party_name
from pseudoledger.cli.listing import (
    LIMIT,
    AllOption,
    LimitOption,
    MineOption,
    cut,
    id_column,
    party,
    row_of,
    text,
    things_of,
)
from pseudoledger.cli.show import Column, Facts, Sheet, money, when
from pseudoledger.cli.values import amount, choice, pair, period
from pseudoledger.cli.values import country as country_code
from pseudoledger.cli.values import place as read_place
from pseudoledger.contract.claims import IN_FORCE, standing
from pseudoledger.contract.things import Lease, Offer, Pool
from pseudoledger.contract.things.claim import Claim
from pseudoledger.identity import files
from pseudoledger.statement.kinds.claim import ClaimType, Tier

app = group("claim", "What attestors say about identities, and a gate that reads it before you sign.")
APPS = (app,)

TYPES = get_args(ClaimType)
TIERS = get_args(Tier)
DIGEST_KEY_BYTES = 32


TierOption = Annotated[
    str | None,
    typer.Option("--tier", help="documented or inspected; declared where you speak of yourself."),
]
PersonOption = Annotated[
    str | None,
    typer.Option("--person", help="kyc: the registered person; its keyed digest alone is written."),
]
WhatOption = Annotated[
    str | None,
    typer.Option("--what", help="Parent, owner, project or model; its keyed digest alone is written."),
]


@acting(
    app,
    "attest",
    examples=(
        "pl claim attest C1 --about bob --claim kyc --person 'HRB 1234' --from 2026-03-01 --length 365d --as notary",
        (
            "pl claim attest C2 --about alice --claim facility --place DE-HE --class state-run --thing O1 --tier"
            " inspected --from 2026-03-01 --length 365d --as notary"
        ),
        (
            "pl claim attest C3 --about bob --claim revenue_at_least --at-least '1000000 EUR' --from 2026-03-01"
            " --until 2027-03-01 --as notary"
        ),
    ),
)
def attest(
    acting: Acting,
    *,
    number: Annotated[str, typer.Argument(help="Your number of the claim.", show_default=False)],
    about: Annotated[
        str, typer.Option("--about", help="Whom it is about: key name, did or label.", show_default=False)
    ],
    claim: Annotated[str, typer.Option("--claim", help=f"{', '.join(TYPES)}.", show_default=False)],
    start: Annotated[str, typer.Option("--from", help="Start.", show_default=False)],
    until: Annotated[str | None, typer.Option("--until", help="End.", show_default=False)] = None,
    lasting: Annotated[str | None, typer.Option("--length", help="Length, instead of --until.")] = None,
    tier: TierOption = None,
    person: PersonOption = None,
    what: WhatOption = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Registered name; sealed.", show_default=False)
    ] = None,
    country: Annotated[
        str | None, typer.Option("--country", help="country: where it is established.")
    ] = None,
    other: Annotated[
        str | None, typer.Option("--party", help="affiliate_of, ultimate_parent: the other identity.")
    ] = None,
    place: Annotated[
        str | None, typer.Option("--place", help="facility: country or subdivision, DE or DE-HE.")
    ] = None,
    facility_class: Annotated[
        str | None, typer.Option("--class", help="facility: its class, e.g. state-run.")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help="facility: name or address; sealed.")] = None,
    chips: Annotated[
        list[str] | None, typer.Option("--chips", help="chip_inventory: CHIP=COUNT or CHIP=COUNT@COUNTRY.")
    ] = None,
    at_least: Annotated[
        str | None, typer.Option("--at-least", help="revenue_at_least: the threshold, never the figure.")
    ] = None,
    thing: Annotated[
        str | None, typer.Option("--thing", help="Offer or lease of the facility; pool of the chips.")
    ] = None,
    evidence: EvidenceOption = None,
) -> Act:
    """Say something about an identity for a time; names are sealed, and a threshold has no figure."""
    desk = acting.desk
    subject = desk.book.root_of(did_of(desk, about, "--about"))
    own = subject == acting.party
    tree: dict[str, Any] = {
        "type": "claim.attested",
        "number": number,
        "claim": choice(claim, "--claim", TYPES),
        "tier": choice(tier, "--tier", TIERS) if tier else "declared" if own else "documented",
        "valid": period(start, until, lasting),
        "subject_name": name,
        "subject_group": keyed_digest(acting, person) if person else None,
        "digest": keyed_digest(acting, what) if what else None,
        "country": country_code(country, "--country") if country else None,
        "party": did_of(desk, other, "--party") if other else None,
        "facility": _facility(place, facility_class, site),
        "chips": [_chips(item) for item in chips] if chips else None,
        "at_least": _threshold(desk, at_least),
        "about": _thing(desk, thing, pool=bool(chips)) if thing else None,
        "evidence": document(evidence) if evidence else None,
    }
    tree = {key: value for key, value in tree.items() if value is not None}
    then = f"pl claim revoke {number} takes it back; pl claim list --of {about} shows what stands"
    return Act(tree=tree, sub=subject, title=number, then=then)


def keyed_digest(acting: Acting, text: str) -> str:
    """Return the attestor's keyed digest of a text: the same for the same text, and telling nobody else.

    The key is made at first use and kept beside the keys; without it the digests could be guessed.
    """
    desk = acting.desk
    folder = desk.keystore.directory / "digests"
    path = folder / f"{sha256(acting.party.encode('ascii')).hexdigest()[:16]}.key"
    if not path.is_file():
        files.make_private_directory(folder)
        files.create_private(path, os.urandom(DIGEST_KEY_BYTES))
    key = files.read_private(path, size_max=DIGEST_KEY_BYTES)
    return hmac.new(key, unicodedata.normalize("NFC", text).encode(), sha256).hexdigest()


def _facility(place: str | None, facility_class: str | None, site: str | None) -> dict[str, Any] | None:
    if place is None:
        if facility_class or site:
            raise WrongUse("--class and --site need the place", hint="--place DE-HE")
        return None
    found = {**read_place(place, "--place"), "facility_class": facility_class, "site": site}
    return {key: value for key, value in found.items() if value is not None}


def _chips(item: str) -> dict[str, Any]:
    chip, said = pair(item, "--chips", "nvidia-h100-sxm5-80gb=8@TW")
    count, _, origin = said.partition("@")
    if not count.isdecimal():
        raise WrongUse(f"--chips: {item!r} is not CHIP=COUNT", hint="for example nvidia-h100-sxm5-80gb=8")
    return {
        "chip": chip,
        "count": int(count),
        **({"origin": country_code(origin, "--chips")} if origin else {}),
    }


def _threshold(desk: Desk, said: str | None) -> dict[str, Any] | None:
    if said is None:
        return None
    found = amount(said, "--at-least", desk.tables.exponents)
    return {"currency": found.currency, "amount_minor": found.minor}


def _thing(desk: Desk, text: str, *, pool: bool) -> str:
    return find(desk, Pool, text)[0] if pool else find_any(desk, text, Offer, Lease)[0]


@acting(app, "revoke", examples=("pl claim revoke C1 --reason changed --as notary",))
def revoke(
    acting: Acting,
    *,
    claim: Annotated[str, typer.Argument(help="Claim: id, prefix or number.", show_default=False)],
    reason: Annotated[
        str, typer.Option("--reason", help="changed, mistaken, requested or superseded.")
    ] = "changed",
) -> Act:
    """Take your own claim back; it counts no more from here on, and stays to be read."""
    choice(reason, "--reason", ("changed", "mistaken", "requested", "superseded"))
    ref, found = find(acting.desk, Claim, claim, party=acting.party)
    tree = {"type": "claim.revoked", "claim": ref, "reason": reason}
    return Act(tree=tree, sub=acting.desk.book.root_of(found.subject), title=found.payload.number)


@reading(app, "list", examples=("pl claim list", "pl claim list --of bob --all"))
def list_claims(
    desk: Desk, of: MineOption = None, closed: AllOption = False, limit: LimitOption = LIMIT
) -> Sheet:
    """List the claims that are in force, newest first; of a party: those about it and those it made."""
    rows = [
        claim_row(desk, key, item)
        for key, item in things_of(desk, Claim, of=of)
        if closed or standing(desk.book, item, desk.now) == IN_FORCE
    ]
    return cut("Claims", claim_columns(desk), rows, limit, empty="none in force")


def claim_row(desk: Desk, key: str, claim: Claim) -> dict[str, Any]:
    """Return a claim as JSON shows it, with how it stands."""
    stands = standing(desk.book, claim, desk.now)
    return row_of(key, claim, status=stands.word, why=stands.why)


def claim_columns(desk: Desk) -> tuple[Column, ...]:
    """The columns of a list of claims."""
    return (
        id_column(),
        Column(title="number", form=lambda row: row["payload"]["number"]),
        party(desk, "subject"),
        Column(title="claim", form=lambda row: row["payload"]["claim"]),
        Column(title="says", form=lambda row: _value(desk, row["payload"]), wide=True),
        party(desk, "attestor"),
        Column(title="tier", form=lambda row: row["payload"]["tier"]),
        Column(title="until", form=lambda row: row["payload"]["valid"]["until"][:10]),
        text("status", "status"),
    )


def _value(desk: Desk, said: dict[str, Any]) -> str:
    return "\n".join(_values(desk, said)) or "sealed"


def _values(desk: Desk, said: dict[str, Any]) -> Iterable[str]:
    if "country" in said:
        yield said["country"]
    if "party" in said:
        yield party_name(desk, said["party"])
    for name in ("subject_group", "digest"):
        if name in said:
            yield f"{said[name][:12]}…"
    if "facility" in said:
        place = said["facility"]
        yield " ".join(
            filter(None, (place.get("subdivision") or place["country"], place.get("facility_class")))
        )
    for item in said.get("chips", ()):
        yield f"{item['count']} x {item['chip']}" + (f" made in {item['origin']}" if "origin" in item else "")
    if "at_least" in said:
        least = said["at_least"]
        yield f"at least {money(least['amount_minor'], least['currency'], desk.tables.exponents)}"


@reading(app, "show", examples=("pl claim show C1", "pl claim show C1 --json"))
def show(
    desk: Desk,
    claim: Annotated[str, typer.Argument(help="Claim: id, prefix or number.", show_default=False)],
) -> Facts:
    """Show one claim: who says what about whom, on what it rests, and how it stands."""
    ref, found = find(desk, Claim, claim)
    row = claim_row(desk, ref, found)
    said = row["payload"]
    facts = [
        ("id", ref),
        ("about", party_name(desk, found.subject)),
        ("attestor", party_name(desk, found.attestor)),
        ("claim", said["claim"]),
        ("says", _value(desk, said).replace("\n", ", ")),
        ("tier", said["tier"]),
        (
            "valid",
            f"{when(found.payload.valid.start_seconds)} to {when(found.payload.valid.until_seconds)} UTC",
        ),
        ("status", f"{row['status']}: {row['why']}" if row["why"] else row["status"]),
        *((("thing", said["about"]),) if "about" in said else ()),
        *((("evidence", said["evidence"]["sha256"]),) if "evidence" in said else ()),
        ("sealed", "its name; pl show and a disclosure file open it"),
    ]
    return Facts(title=f"Claim {said['number']}", facts=facts, value=row)
