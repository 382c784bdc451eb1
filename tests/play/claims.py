"""Payloads of claims and disclosures, in the clear."""

from __future__ import annotations

from typing import Any

from play.papers import DAY, H100, START, Tree, changed, period, simple

GROUP = "6a" * 32
VALUES: dict[str, Tree] = {
    "kyc": {"subject_group": GROUP},
    "country": {"country": "DE"},
    "ultimate_parent": {"digest": "7b" * 32},
    "beneficial_owner": {"digest": "7c" * 32},
    "facility": {"facility": {"country": "DE", "subdivision": "DE-BE", "facility_class": "state-run"}},
    "chip_inventory": {"chips": [{"chip": H100, "count": 8, "origin": "TW"}]},
    "revenue_at_least": {"at_least": {"currency": "EUR", "amount_minor": 1_000_000_00}},
    "research_project": {"digest": "7d" * 32},
    "approved_model": {"digest": "7e" * 32},
}
"""What a claim of each type says here; affiliate_of needs the other party."""


def claim(kind: str = "kyc", changes: Any = None, **members: Any) -> Tree:
    """A claim of a third party, from START for a year; in the clear, with its sealed name."""
    tree = simple(
        "claim.attested",
        number=f"C-{kind}",
        claim=kind,
        tier="documented",
        valid=period(START, START + 365 * DAY),
        subject_name="a registered name",
        **VALUES.get(kind, {}),
    )
    if "facility" in tree:
        tree["facility"] = {**tree["facility"], "site": "a street"}
    return changed({**tree, **members}, changes or {})


def revocation(ref: str, reason: str = "changed") -> Tree:
    return simple("claim.revoked", claim=ref, reason=reason)


def shown(statement: str, reader: str, opened: list[str], number: str = "S1") -> Tree:
    return simple(
        "disclosure.shown",
        number=number,
        statement=statement,
        reader=reader,
        opened=sorted(opened),
        remark="asked for in an audit",
    )
