"""Ageing of receivables: boundaries of the ages, disputed amounts apart, currencies never added up."""

import msgspec
import pytest

from play import DAY, Deal
from pseudoledger.contract.ageing import AGES, aged, days_past_due, disputed_minor, receivable
from pseudoledger.contract.derive import due_minor
from pseudoledger.contract.things import Invoice


@pytest.fixture(scope="module")
def invoice():
    deal = Deal().invoiced()
    return deal.table.book.get(Invoice, deal.invoice)


def late(invoice, days):
    """The first second of the day so many days after the due date."""
    return invoice.due_at - DAY + days * DAY


@pytest.mark.parametrize(
    ("days", "age"),
    [
        (-30, "current"),
        (0, "current"),
        (1, "1-30"),
        (30, "1-30"),
        (31, "31-60"),
        (60, "31-60"),
        (61, "61-90"),
        (90, "61-90"),
        (91, "91-"),
        (1_000, "91-"),
    ],
)
def test_ages_by_calendar_days(invoice, days, age):
    for second in (0, DAY - 1):
        now = late(invoice, days) + second
        assert days_past_due(invoice, now) == days
        owed = receivable("x", invoice, now)
        assert (owed.age, owed.days, owed.due_minor) == (age, days, invoice.total_minor)


def test_what_is_closed_is_owed_by_nobody(invoice):
    for changes in (
        {"state": "cancelled"},
        {"paid_minor": invoice.total_minor},
        {"credited_minor": invoice.total_minor},
        {"paid_minor": invoice.total_minor, "credited_minor": 1},
    ):
        changed = msgspec.structs.replace(invoice, **changes)
        assert receivable("x", changed, late(invoice, 5)) is None
        assert disputed_minor(changed, late(invoice, 5)) == 0


def test_disputed_amounts_stand_apart(invoice):
    part = invoice.total_minor // 3
    rejected = msgspec.structs.replace(invoice, state="rejected", accepted_minor=part)
    owed = receivable("x", rejected, late(invoice, 40))
    assert (owed.due_minor, owed.disputed_minor) == (part, invoice.total_minor - part)
    whole = msgspec.structs.replace(invoice, state="rejected", accepted_minor=0)
    (sums,) = aged([owed, receivable("y", whole, late(invoice, 40))], lambda item: item.currency).values()
    assert (sums.disputed_count, sums.disputed_minor) == (2, 2 * invoice.total_minor - part)
    assert [(bucket.age, bucket.count, bucket.due_minor) for bucket in sums.buckets] == [
        (age, 1 if age == "31-60" else 0, part if age == "31-60" else 0) for age in AGES
    ]


@pytest.mark.parametrize("paid", [0, 1, 10_000])
@pytest.mark.parametrize("credited", [0, 5_000])
@pytest.mark.parametrize("accepted", [None, 0, 20_000])
def test_due_and_disputed_are_all_that_is_open(invoice, paid, credited, accepted):
    more = {} if accepted is None else {"state": "rejected", "accepted_minor": accepted}
    changed = msgspec.structs.replace(invoice, paid_minor=paid, credited_minor=credited, **more)
    now = late(invoice, 1)
    assert max(0, due_minor(changed, now)) + disputed_minor(changed, now) == changed.open_minor


def test_currencies_and_debtors_are_kept_apart(invoice):
    other = msgspec.structs.replace(invoice, currency="JPY", payer="somebody")
    found = [receivable(str(n), item, late(invoice, n)) for n, item in enumerate((invoice, other, invoice))]
    sums = aged(found, lambda item: (item.currency, item.debtor))
    assert {key: item.due_minor for key, item in sums.items()} == {
        (invoice.currency, invoice.payer): 2 * invoice.total_minor,
        ("JPY", "somebody"): invoice.total_minor,
    }
    assert aged([], lambda item: item.currency) == {}
