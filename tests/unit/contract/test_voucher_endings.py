"""A lease ends with code 20001 only where it still counted on the voucher that was revoked."""

import pytest

from play.papers import ended
from play.vouchers import ISSUER, PART, Grant, clawed_back, released, reserved, taken_back, withdrawn


def revoked_after(*steps):
    """A running lease whose holder did this with a voucher before the voucher was revoked."""
    grant = Grant().issued()
    grant.deal.signed()
    for step in steps:
        step(grant)
    grant.table.act(ISSUER, withdrawn(), grant.voucher)
    return grant.table.codes(grant.lessor, ended(20_001, grant.voucher), grant.deal.lease)


def set_aside(grant):
    grant.table.act(grant.holder, reserved(grant.deal.lease, PART), grant.voucher)


def taken_from_it(grant):
    grant.table.act(grant.holder, released(grant.deal.lease, PART), grant.voucher)


def used(grant):
    grant.redeemed()


def presented(grant):
    grant.presented()


def took_back(grant):
    grant.table.act(grant.holder, taken_back(grant.presentation), grant.voucher)


def all_clawed_back(grant):
    grant.table.act(ISSUER, clawed_back(grant.presentation, PART), grant.voucher)


@pytest.mark.parametrize(
    "steps", [(set_aside,), (presented,), (used,)], ids=["set aside", "presented", "used"]
)
def test_it_ends_where_the_voucher_was_counted_on(steps):
    assert revoked_after(*steps) == frozenset()


@pytest.mark.parametrize(
    "steps",
    [(), (set_aside, taken_from_it), (presented, took_back), (used, all_clawed_back)],
    ids=["never", "released before", "taken back before", "clawed back before"],
)
def test_it_does_not_end_where_nothing_of_it_was_left(steps):
    assert revoked_after(*steps) == {"end.no_condition"}
