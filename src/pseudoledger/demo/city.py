"""The second act: a city's programme of vouchers, what a notary attests, a machine that is sold across a border.

City, centre, notary and laboratory are made up. The figures are the check values of the voucher rules: eight H200
at 17.88 USD an hour for 720 hours come to 12,873.60, of which 45 % are 5,793.12.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pseudoledger.demo.month import Market, mark
from pseudoledger.demo.stage import Stage

CITY, CENTRE, NOTARY, LAB = "quillmere-city", "quillmere-hall", "quillmere-notary", "river-lab"
AUDITOR, ARBITER, MAKER_HALL = "auditor", "arbiter", "north-lake"
CHIP = "nvidia-h200-sxm-141gb"
STATE_RUN, OTHER = "state-run", "other"
NAME = "River Laboratory of Quillmere"
"""The registered name of the lessee: sealed on the ledger, and opened to the auditor."""
CENTRE_NAME = "Quillmere Hall of Computing"
FACE_MINOR = 140_000_00
PROGRAMME = {"from": "2026-04-20T00:00:00Z", "until": "2027-05-01T00:00:00Z"}


@dataclass(slots=True)
class City:
    """What the scenes of the second act remember: statement ids."""

    kyc: str = ""
    programme: str = ""
    voucher: str = ""
    serial: str = ""
    machine: str = ""
    lease: str = ""
    invoice: str = ""
    presentation: str = ""


def declare(stage: Stage) -> None:
    """Those who join say how they want to be called."""
    stage.introduce(CITY, CENTRE, NOTARY, LAB, ARBITER, AUDITOR)
    stage.note(
        "everybody", "a city, its compute centre, a notary, a laboratory, an arbiter and an auditor joined"
    )


def attest(stage: Stage, city: City) -> None:
    """The notary says what it has seen about the laboratory; the name is sealed, the revenue not said at all."""
    common = {"type": "claim.attested", "tier": "documented", "valid": PROGRAMME}
    kyc = {"claim": "kyc", "number": "C-1", "subject_group": stage.random(32).hex(), "subject_name": NAME}
    city.kyc = stage.act(
        NOTARY,
        {**common, **kyc},
        stage.did(LAB),
        says=f"attests that it knows the person behind {LAB}; the name is sealed",
    )
    threshold = {"currency": "USD", "amount_minor": 1_000_000_00}
    stage.act(
        NOTARY,
        {**common, "claim": "revenue_at_least", "number": "C-2", "at_least": threshold},
        stage.did(LAB),
        says=f"attests that {LAB} earns 1,000,000 USD or more; by how much is not said",
    )


def promise(stage: Stage, city: City) -> None:
    """The city declares its programme and issues a voucher under it."""
    revenue = {"claim": "revenue_at_least", "at_least": {"currency": "USD", "amount_minor": 500_000_00}}
    project = {"claim": "research_project"}
    conditions = [{"any_of": [{**one, "attestors": [stage.did(NOTARY)]} for one in (revenue, project)]}]
    tree: dict[str, Any] = {
        "type": "programme.declared",
        "number": "PR-1",
        "title": "Quillmere computes",
        "currency": "USD",
        "budget_minor": 2_800_000_00,
        "face_min_minor": 10_000_00,
        "face_max_minor": 280_000_00,
        "cap_minor": 280_000_00,
        "kyc": stage.did(NOTARY),
        "classes": [
            {"facility_class": STATE_RUN, "share_bps": 4500},
            {"facility_class": OTHER, "share_bps": 2000},
        ],
        "facilities": [{"lessor": stage.did(CENTRE), "facility_class": STATE_RUN, "country": "DE"}],
        "facility_attestors": [],
        "conditions": conditions,
        "restore": False,
        "period": PROGRAMME,
        "redeem_within": "P30D",
    }
    city.programme = stage.act(
        CITY, tree, says="declares its programme: 2,800,000 USD, 45 % at state-run centres, 20 % elsewhere"
    )
    issued = {
        "type": "voucher.issued",
        "number": "V-1",
        "holder": stage.did(LAB),
        "face_minor": FACE_MINOR,
        "period": PROGRAMME,
        "remark": "first round",
    }
    city.voucher = stage.act(
        CITY, issued, city.programme, says=f"issues a voucher of {FACE_MINOR / 100:,.2f} USD to {LAB}"
    )


def sell(stage: Stage, city: City, market: Market) -> None:
    """The machine is registered where it stands, and sent to the centre that bought it."""
    city.serial = mark(stage)
    assert market.lessors["long-context"] == MAKER_HALL, "the cheapest eight H200 are its own"
    registered = {
        "type": "asset.registered",
        "number": "S-1",
        "serial": city.serial,
        "chip": CHIP,
        "count": 8,
        "parts": [],
        "country": "SE",
        "site": "hall four",
    }
    city.machine = stage.act(
        MAKER_HALL, registered, says="registers the machine that long-context had: eight H200 in SE"
    )
    stage.refused(
        CENTRE,
        {"type": "asset.moved", "number": "W-1", "to": stage.did(CENTRE), "reason": "relocation"},
        city.machine,
        says="tries to fetch the machine before it is sent",
    )


def hand_over(stage: Stage, city: City) -> None:
    """The seller sends the machine; the buyer signs for it two days later, in another country."""
    moved = {"type": "asset.moved", "number": "W-1", "to": stage.did(CENTRE), "reason": "sale"}
    move = stage.act(MAKER_HALL, moved, city.machine, says=f"sells it to {CENTRE} and sends it on its way")
    stage.until("2026-04-24T15:00:00Z")
    received = {
        "type": "asset.received",
        "move": move,
        "country": "DE",
        "condition": "intact",
        "site": "hall one",
    }
    stage.act(CENTRE, received, city.machine, says="signs for the machine in DE: holder and owner now")
