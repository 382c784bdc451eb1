"""`invoice ageing` through the command line."""

import json


def test_what_others_owe_by_age(office, monkeypatch):
    monkeypatch.setenv("PSEUDOLEDGER_NOW", "2026-05-20T00:00:00Z")
    assert office.run("invoice", "ageing", "--as", "carol", "--json") == 0, office.err
    said = json.loads(office.out)
    (usd,) = said["currencies"]
    assert (usd["currency"], usd["due_minor"], usd["disputed_minor"]) == ("USD", 4_079, 0)
    assert {item["age"]: item["due_minor"] for item in usd["ages"]} == {
        "current": 0,
        "1-30": 0,
        "31-60": 4_079,
        "61-90": 0,
        "91-": 0,
    }
    (debtor,) = usd["debtors"]
    assert debtor["ages"] == usd["ages"]
    (invoice,) = said["invoices"]
    assert (invoice["number"], invoice["days"], invoice["debtor"]) == ("C-1", 36, debtor["debtor"])
    assert office.run("invoice", "ageing", "--as", "carol") == 0
    assert "40.79 USD" in office.out
    assert "31-60 days" in office.out


def test_who_is_owed_nothing_is_told_so(office):
    assert office.run("invoice", "ageing", "--as", "north-lake", "--json") == 0
    assert json.loads(office.out)["currencies"] == []
    assert office.run("invoice", "ageing", "--as", "nobody") == 2
