"""Whatever the ledger bills and credits, the documents made of it add up, in currencies of 0, 2 and 3 decimals."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.contract.amounts import Sums, credit_sums, sums_of, usage_net
from pseudoledger.contract.things import BilledLine, Invoice
from pseudoledger.market.ubl.document import read
from pseudoledger.market.ubl.names import PartyDetails
from pseudoledger.market.ubl.paper import Earlier, Paper, PaperLine, PartyOn, Place
from pseudoledger.market.ubl.sums import check_sums
from pseudoledger.market.ubl.write import to_ubl
from pseudoledger.statement.kinds.billing import InvoiceLine

EXPONENTS = {"JPY": 0, "EUR": 2, "BHD": 3}
TAXES = [("S", 1900), ("S", 733), ("Z", 0), ("E", 0), ("O", 0), ("AE", 0)]
ID = "ab" * 32


def paper(kind, currency, lines, sums: Sums, prepaid=0):
    party = PartyOn(did="did:key:z6Mk", name="A & B <C>", details=PartyDetails())
    return Paper(
        kind=kind,
        place=Place(origin="play.example", ledger=ID, simulated=True),
        id=ID,
        index=7,
        number="N-1",
        issued="2026-03-15",
        due="2026-04-14" if kind == "invoice" else None,
        first_day=None,
        last_day=None,
        currency=currency,
        exponent=EXPONENTS[currency],
        seller=party,
        buyer=party,
        buyer_reference=None,
        remark=None,
        reason=None,
        contract=ID,
        earlier=Earlier(number="N-0", time=0) if kind == "credit" else None,
        means_code="30",
        account=None,
        exemption_reason=None,
        lines=tuple(lines),
        subtotals=sums.subtotals,
        net_minor=sums.net_minor,
        tax_minor=sums.tax_minor,
        total_minor=sums.total_minor,
        prepaid_minor=prepaid,
    )


def line(**values):
    return PaperLine(**{"resource": "chip", "count": 1, "reports": (), **values})


@st.composite
def billed(draw):
    """Lines of an invoice: usage and fees under some taxes."""
    currency = draw(st.sampled_from(sorted(EXPONENTS)))
    micro = 10 ** (6 - EXPONENTS[currency])
    found = []
    for number in range(draw(st.integers(1, 6))):
        category, rate = draw(st.sampled_from(TAXES))
        tax = {"category": category, "rate_bps": rate}
        if draw(st.booleans()):
            quantity, price = draw(st.integers(0, 10**9)), draw(st.integers(0, 10**8))
            more = {"lease_line": "gpu", "reports": (ID,)}
            net = usage_net(price, quantity, micro)
        else:
            net, quantity = draw(st.integers(0, 10**9)), 1
            more, price = {"part": "commission"}, net * micro
        values = {
            "id": f"l{number}",
            "quantity": quantity,
            "price_micro": price,
            "net_minor": net,
            "tax": tax,
        }
        found.append(InvoiceLine.model_validate(values | more))
    return currency, found


def printed(item):
    used = item.reports is not None
    return line(
        id=item.id,
        part="usage" if used else "commission",
        quantity=item.quantity,
        base_quantity=3600 if used else 1,
        price_micro=item.price_micro,
        net_minor=item.net_minor,
        category=item.tax.category,
        rate_bps=item.tax.rate_bps,
    )


def adds_up(found):
    assert check_sums(read(to_ubl(found)), EXPONENTS) == ()


@settings(max_examples=150)
@given(billed(), st.integers(0, 10_000))
def test_every_invoice_adds_up(drawn, share_bps):
    currency, lines = drawn
    sums = sums_of(lines)
    prepaid = sums.net_minor * share_bps // 10_000
    adds_up(paper("invoice", currency, map(printed, lines), sums, prepaid))


@settings(max_examples=100)
@given(billed(), st.data())
def test_credits_in_parts_add_up_each(drawn, data):
    currency, lines = drawn
    micro = 10 ** (6 - EXPONENTS[currency])
    kept = {
        item.id: BilledLine(net_minor=item.net_minor, category=item.tax.category, rate_bps=item.tax.rate_bps)
        for item in lines
        if item.net_minor
    }
    tax_before: dict[str, int] = {}
    for _ in range(4):
        left = {key: item.net_minor - item.credited_minor for key, item in kept.items()}
        nets = {key: data.draw(st.integers(1, rest)) for key, rest in left.items() if rest}
        if not nets:
            return
        invoice = Invoice(
            lease=ID,
            contract=ID,
            number="N-0",
            issuer="a",
            payer="b",
            currency=currency,
            net_minor=0,
            total_minor=0,
            lines=kept,
            credited_tax=tax_before,
            issued_at=0,
            accept_by=0,
            due_at=0,
            entry=1,
        )
        sums = credit_sums(invoice, nets)
        rows = [
            line(
                id=key,
                part="credit",
                quantity=1,
                base_quantity=1,
                price_micro=net * micro,
                net_minor=net,
                category=kept[key].category,
                rate_bps=kept[key].rate_bps,
            )
            for key, net in nets.items()
        ]
        adds_up(paper("credit", currency, rows, sums))
        for subtotal in sums.subtotals:
            key = f"{subtotal.category} {subtotal.rate_bps}"
            tax_before = {**tax_before, key: tax_before.get(key, 0) + subtotal.tax_minor}
        kept = {
            key: BilledLine(
                net_minor=item.net_minor,
                category=item.category,
                rate_bps=item.rate_bps,
                credited_minor=item.credited_minor + nets.get(key, 0),
            )
            for key, item in kept.items()
        }
