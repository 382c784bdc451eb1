"""The market of a world in a ledger: what the codes of the table are called there, and how its texts are written.

Chips, places, templates and prices are chosen from what the ledger's tables know; no real market was measured.
"""

from __future__ import annotations

import re

from pseudoledger.statement.kinds.market import Purpose

CHIPS = (
    "amd-mi300x",
    "amd-mi308x",
    "amd-mi325x",
    "amd-mi355x",
    "baidu-kunlun-ii-r200",
    "biren-br100",
    "cambricon-mlu370-x8",
    "huawei-ascend-910",
    "huawei-ascend-910b",
    "huawei-ascend-910c",
    "intel-gaudi2",
    "intel-gaudi3",
    "nvidia-a100-sxm4-80gb",
    "nvidia-a30",
    "nvidia-b200-sxm",
    "nvidia-b300-sxm",
    "nvidia-h100-pcie-80gb",
    "nvidia-h100-sxm5-80gb",
    "nvidia-h20-96gb",
    "nvidia-h200-sxm-141gb",
    "nvidia-h800-sxm5-80gb",
    "nvidia-l40",
    "nvidia-l40s",
    "nvidia-v100-sxm2-32gb",
)
PLACES = (
    *("US-AK", "US-AL", "US-AZ", "CN-AH", "CN-BJ", "CN-CQ", "DE-BB", "DE-BE", "DE-BW"),
    *("FI-01", "FI-02", "FI-03", "SE-AB", "SE-AC", "SE-BD", "FR-971", "FR-972", "FR-973"),
    *("JP-01", "JP-02", "JP-03", "KR-11", "KR-26", "KR-27", "SG-01", "SG-02", "SG-03"),
    *("IN-AN", "IN-AP", "IN-AR", "BR-AC", "BR-AL", "BR-AM", "CA-AB", "CA-BC", "CA-MB"),
)
"""Subdivisions; their countries are the first two letters."""
TEMPLATES = ("on-demand", "reserved-term", "interruptible")
BASES = {"on-demand": "metered", "reserved-term": "reserved", "interruptible": "metered"}
MEANS = ("30", "42", "58")
PURPOSES: tuple[Purpose, ...] = ("train", "infer", "other", "train")
CURRENCY = "USD"
SCHEME = "SEPA"
_NUMBER = re.compile(r"[0-9]+")
_FIRST_NUMBER = 100_000


def market_micro(chip: int) -> int:
    """Return the market's price of a chip, in millionths of a dollar per chip and hour."""
    return 900_000 + 137_000 * chip


def template_of(term: int) -> str:
    """Return the template that a party with this habit of terms likes."""
    return TEMPLATES[term % len(TEMPLATES)]


def means_of(term: int) -> str:
    """Return the means of payment that a party with this habit of terms likes."""
    return MEANS[term // len(TEMPLATES) % len(MEANS)]


def numbered(reference: str, line: int) -> str:
    """Give a reference the number of its record, which no other has: a payment reference is used once.

    The last number of the text is the running one, but where a year stands behind it ("KAR 7/25").
    """
    runs = list(_NUMBER.finditer(reference))
    last = runs[-2] if " " in reference and reference.endswith("/25") else runs[-1]
    return f"{reference[: last.start()]}{_FIRST_NUMBER + line}{reference[last.end() :]}"


def document_number(reference: str) -> str:
    """Write a reference as the number of a document: no spaces, no other marks than the form allows."""
    return re.sub(r"[^A-Za-z0-9._/-]", "-", reference).lstrip("._/-")


def payment_reference(reference: str) -> str:
    """Write a reference as a bank would take it: upper case, and no other marks than the form allows."""
    return re.sub(r"[^A-Z0-9 /.-]", "-", reference.upper()).lstrip(" ./-")


def length_of(hours: int) -> str:
    """Write a number of hours, 1 or more, in the one spelling of a length."""
    days, rest = divmod(hours, 24)
    return f"P{f'{days}D' if days else ''}{f'T{rest}H' if rest else ''}"
