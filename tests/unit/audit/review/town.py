"""A ledger for review: parties, offers and leases at chosen times and places, with every disclosure kept."""

import json
from hashlib import sha256

from pseudoledger.audit.review import Asked, Chosen, review
from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.contract.ruleset import newest
from pseudoledger.contract.templates import Choice, Deal, draft_terms, load
from pseudoledger.contract.things import Offer
from pseudoledger.identity.keys import Signer
from pseudoledger.identity.last_signed import LastSigned
from pseudoledger.registrar import Refused, Registrar
from pseudoledger.statement import envelope, sealed
from pseudoledger.statement.kinds.ledger import Policy
from pseudoledger.statement.payload import draft
from pseudoledger.statement.values import Period, format_instant, instant_seconds

DAY = 86_400
START = "2022-11-01T00:00:00Z"
ACCOUNT = "eip155:1:0xab16a96d359ec26a11e2c2b3d8f8b8942d5bfcdb"


class Town:
    """One ledger; `at` moves its clock, every other method registers something now."""

    def __init__(self, directory, start=START):
        self.directory = directory
        self.ledger = directory / "ledger"
        self.now = instant_seconds(start)
        self._number = 0
        self._salts = 0
        self.registrar = Registrar.found(
            self.ledger,
            origin="town.example",
            founder=self.key("founder"),
            signer=self.key("ledger"),
            last_signed=LastSigned.create(directory / "keys" / "ledger.last-signed"),
            clock=lambda: self.now * 1000,
            policy=Policy(
                admission="open",
                attestors=(),
                open_max=1000,
                commission_cap_bps=500,
                max_age_seconds=366 * DAY,
                clock="system",
            ),
            nonce=bytes(32),
        )

    def close(self):
        self.registrar.close()

    def at(self, moment):
        self.now = max(self.now, instant_seconds(moment if "T" in moment else f"{moment}T00:00:00Z"))
        return self

    def key(self, name):
        return Signer.from_seed(sha256(f"town {name}".encode()).digest())

    def did(self, name):
        return self.key(name).did

    def number(self, letter):
        self._number += 1
        return f"{letter}-{self._number}"

    def _salt(self, count):
        self._salts += 1
        return sha256(f"salt {self._salts}".encode()).digest()[:count]

    def act(self, who, tree, sub=None, clear=frozenset()):
        """Register a statement; keep its disclosures beside the ledger."""
        signer = self.key(who)
        aud = self.registrar.state.id
        tree = {"v": newest().version_of(tree["type"]), **tree}
        ready = sealed.seal(tree, aud=aud, iss=signer.did, random=self._salt, clear=clear)
        raw = envelope.sign(signer, draft(ready.tree), sub=sub or signer.did, aud=aud, iat=self.now)
        admit = self.registrar.govern if tree["type"].startswith("ledger.") else self.registrar.register
        (answer,) = admit([raw])
        assert not isinstance(answer, Refused), answer
        if ready.disclosures:
            folder = self.directory / "disclosures"
            folder.mkdir(exist_ok=True)
            value = {"statement": answer.id, "disclosures": list(ready.disclosures)}
            (folder / f"{answer.id}.disclosures.json").write_text(json.dumps(value))
        self.now += 60
        return answer.id

    def disclosures_of(self, ref):
        return self.directory / "disclosures" / f"{ref}.disclosures.json"

    def declare(self, *names):
        for name in names:
            self.act(name, {"type": "identity.declared", "label": name})

    def pool(self, who, chip, count=1_000_000):
        line = {"id": "chip", "resource": "chip", "chip": chip, "count": count}
        return self.act(who, {"type": "pool.declared", "number": self.number("P"), "lines": [line]})

    def offer(self, who, chip, country, *, count=8, price=2_235_000, pool=None, days=360, site=None):
        line = {"id": "chip", "resource": "chip", "chip": chip, "count": count}
        facility = {"country": country, **({"site": site} if site else {})}
        return self.act(
            who,
            {
                "type": "offer.published",
                "number": self.number("O"),
                "pool": pool or self.pool(who, chip),
                "lines": [{**line, "pool_line": "chip"}],
                "facility": facility,
                "tariff": {
                    "currency": "USD",
                    "lines": [{"line": "chip", "basis": "metered", "price_micro": price}],
                },
                "length_min": "PT1H",
                "length_max": "P360D",
                "available": Period.between(self.now, self.now + days * DAY).model_dump(mode="json"),
            },
        )

    def lease(self, lessor, lessee, offer, *, template="on-demand", days=30, answers=None, **more):
        """Propose and sign a lease over the whole offer; return its id."""
        thing = self.registrar.book.get(Offer, offer)
        line = thing.payload.lines[0]
        choice = Choice(
            offer_id=offer,
            offer=thing,
            offer_line=line.id,
            count=more.pop("count", line.count),
            purpose=more.pop("purpose", "infer"),
        )
        start = self.now + 3600
        deal = Deal(
            lessor=self.did(lessor),
            lessee=self.did(lessee),
            choices=(choice,),
            period=Period.between(start, start + days * DAY),
            **more,
        )
        tree = {
            "type": "lease.proposed",
            "number": self.number("L"),
            "answers": answers or offer,
            "valid_to": format_instant(self.now + DAY),
            "terms": draft_terms(load(template), deal),
        }
        # Who answers an offer is the lessee, who answers a demand the lessor.
        first, second = (lessor, lessee) if answers else (lessee, lessor)
        ref = self.act(first, tree)
        self.act(second, {"type": "lease.signed"}, ref)
        return ref

    def deliver(self, lessor, lessee, lease, count=8, serials=()):
        tree = {
            "type": "delivery.offered",
            "number": self.number("B"),
            "lines": [{"line": "chip", "count": count}],
            "serials": sorted(serials),
        }
        self.now += 3600
        ref = self.act(lessor, tree, lease)
        self.act(lessee, {"type": "delivery.accepted", "delivery": ref}, lease)
        self.delivered = self.now - 60
        return ref

    def fill(self, count):
        """Register many pools at once, so that a ledger is long."""
        signer, aud = self.key("filler"), self.registrar.state.id
        line = {"id": "chip", "resource": "cpu_core", "count": 8}
        raws = []
        for _ in range(count):
            tree = {"type": "pool.declared", "v": 1, "number": self.number("F"), "lines": [line]}
            ready = sealed.seal(tree, aud=aud, iss=signer.did, random=self._salt)
            raws.append(envelope.sign(signer, draft(ready.tree), sub=signer.did, aud=aud, iat=self.now))
        answers = self.registrar.register(raws)
        assert not [answer for answer in answers if isinstance(answer, Refused)]


def serials(letter, count=8):
    return [sha256(f"{letter}{number}".encode()).hexdigest() for number in range(count)]


def reviewed(town, *packs, disclosures=(), **chosen):
    """Verify a town's ledger, then review it."""
    report = verify(town.ledger)
    assert report.verdict is Verdict.VALID, report.faults
    asked = Asked(packs=packs, chosen=Chosen(**chosen), disclosures=read_disclosures(disclosures))
    return review(town.ledger, asked, report=report)
