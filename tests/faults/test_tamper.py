"""Whatever is changed in a ledger directory, verify names the place: seeded random changes of every kind."""

import random
import shutil
from dataclasses import dataclass

import pytest
from small_ledger import LEDGER, build, copy, entries_of, opened, rebuild, sign

from pseudoledger.audit.verifier import Verdict, verify
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.schema import VIEWS
from pseudoledger.statement import envelope

GROUPS, CASES = 12, 50
LONG_GROUPS, LONG_CASES = 200, 100


@dataclass
class Place:
    """Where the first fault has to be: an entry between two, or a named place."""

    first: int | None = None
    last: int | None = None
    named: str = ""

    def holds(self, fault):
        if self.named:
            return fault.place.startswith(self.named)
        return fault.entry is not None and self.first <= fault.entry <= self.last


def entry(index):
    return Place(first=index, last=index)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return build(tmp_path_factory.mktemp("tamper") / "it")


class Tampering:
    """One random change of a copy. Each method makes one kind of change and says where it has to show."""

    def __init__(self, directory, rng):
        self.directory, self.rng = directory, rng
        self.raws = entries_of(directory)
        self.size = len(self.raws)
        with opened(directory) as db:
            self.blocks = [row[0] for row in db.execute("SELECT idx FROM blocks ORDER BY idx")]

    def sealing(self, index):
        return next(block for block in self.blocks if block >= index)

    def flip(self):
        """Any bit of any entry."""
        index = self.rng.randrange(self.size)
        with opened(self.directory) as db:
            db.execute("UPDATE entries SET statement = ? WHERE idx = ?", (self._flipped(index), index))
        return entry(index)

    def flip_and_rehash(self):
        """The same, by somebody who makes the stored hashes fit."""
        index = self.rng.randrange(1, self.size)
        raws = list(self.raws)
        for _ in range(100):
            raws[index] = self._flipped(index)
            try:
                envelope.decode(raws[index])
            except envelope.MalformedError:
                continue
            break
        else:
            raws[index] = self.raws[index][:-1] + bytes((self.raws[index][-1] ^ 1,))
        with opened(self.directory) as db:
            rebuild(db, raws)
        return entry(index)

    def _flipped(self, index):
        raw = bytearray(self.raws[index])
        raw[self.rng.randrange(len(raw))] ^= 1 << self.rng.randrange(8)
        return bytes(raw)

    def cut_short(self):
        """An entry loses its end, or gains one."""
        index = self.rng.randrange(self.size)
        raw = self.raws[index]
        other = self.rng.choice([raw[: self.rng.randrange(len(raw))], raw + b"\0"])
        with opened(self.directory) as db:
            db.execute("UPDATE entries SET statement = ? WHERE idx = ?", (other, index))
        return entry(index)

    def not_bytes(self):
        """An entry is stored as something else."""
        index = self.rng.randrange(self.size)
        with opened(self.directory) as db:
            value = self.rng.choice(["text", 7, 0.5])
            db.execute("UPDATE entries SET statement = ? WHERE idx = ?", (value, index))
        return entry(index)

    def delete(self):
        index = self.rng.randrange(self.size - 1)
        with opened(self.directory) as db:
            db.execute("DELETE FROM entries WHERE idx = ?", (index,))
        return entry(index)

    def delete_and_close_up(self):
        index = self.rng.randrange(1, self.size - 1)
        raws = self.raws[:index] + self.raws[index + 1 :]
        with opened(self.directory) as db:
            rebuild(db, raws)
        return Place(first=index, last=self.sealing(index) + 1)

    def swap(self):
        first, second = sorted(self.rng.sample(range(self.size), 2))
        with opened(self.directory) as db:
            for index, raw in ((first, self.raws[second]), (second, self.raws[first])):
                db.execute("UPDATE entries SET statement = ? WHERE idx = ?", (raw, index))
        return entry(first)

    def swap_and_rehash(self):
        first, second = sorted(self.rng.sample(range(self.size), 2))
        raws = list(self.raws)
        raws[first], raws[second] = raws[second], raws[first]
        with opened(self.directory) as db:
            rebuild(db, raws)
        return Place(first=first, last=max(self.sealing(first), second))

    def insert(self):
        """A statement that its issuer really signed, where the ledger key sealed none."""
        index = self.rng.randrange(1, self.size)
        raws = list(self.raws)
        raws.insert(index, self._stranger())
        with opened(self.directory) as db:
            rebuild(db, raws)
        return Place(first=index, last=self.sealing(index) + 1)

    def duplicate(self):
        source, index = self.rng.randrange(self.size), self.rng.randrange(1, self.size)
        raws = list(self.raws)
        raws.insert(index, self.raws[source])
        with opened(self.directory) as db:
            rebuild(db, raws)
        return Place(first=min(index, source), last=self.sealing(index) + 1)

    def unsealed_tail(self):
        with opened(self.directory) as db:
            rebuild(db, [*self.raws, self._stranger()])
        return entry(self.size)

    def cut_within_block(self):
        """The tail is cut off, but not at a block: what is left over is sealed by nothing."""
        choices = [index for index in range(2, self.size) if index - 1 not in self.blocks]
        cut = self.rng.choice(choices)
        with opened(self.directory) as db:
            rebuild(db, self.raws[:cut])
            db.execute("DELETE FROM blocks WHERE idx >= ?", (cut,))
        last = max(block for block in self.blocks if block < cut)
        return entry(last + 1)

    def column(self):
        index = self.rng.randrange(self.size)
        name, value = self.rng.choice(
            [("id", bytes(32)), ("type", "lease.ended"), ("issuer", LEDGER.did + "x")]
        )
        with opened(self.directory) as db:
            db.execute(f"UPDATE entries SET {name} = ? WHERE idx = ?", (value, index))
        return Place(named=f"table entries, row {index}, column {name}")

    def stored_hash(self):
        with opened(self.directory) as db:
            (count,) = db.execute("SELECT count(*) FROM hashes").fetchone()
            position = self.rng.randrange(count)
            change = self.rng.choice(
                ["UPDATE hashes SET hash = randomblob(32) WHERE pos = ?", "DELETE FROM hashes WHERE pos = ?"]
            )
            db.execute(change, (position,))
        return Place(named=f"table hashes, position {position}")

    def stray_hash(self):
        with opened(self.directory) as db:
            position = self.rng.choice([-1, 10**6])
            db.execute("INSERT INTO hashes VALUES (?, randomblob(32))", (position,))
        return Place(named=f"table hashes, pos {position}")

    def block_row(self):
        index = self.rng.choice(self.blocks)
        change = self.rng.choice(
            [
                "UPDATE blocks SET time_ms = time_ms + 1 WHERE idx = ?",
                "UPDATE blocks SET root = randomblob(32) WHERE idx = ?",
                "UPDATE blocks SET root = 'none' WHERE idx = ?",
                "UPDATE blocks SET ledger_key = ledger_key || 'x' WHERE idx = ?",
                "UPDATE blocks SET signature = randomblob(64) WHERE idx = ?",
                "UPDATE blocks SET height = height + 1000 WHERE idx = ?",
                "DELETE FROM blocks WHERE idx = ?",
            ]
        )
        with opened(self.directory) as db:
            db.execute(change, (index,))
        return Place(named=f"table blocks, row of entry {index}")

    def stray_block_row(self):
        index = self.rng.choice([one for one in range(self.size) if one not in self.blocks])
        with opened(self.directory) as db:
            db.execute(
                "INSERT INTO blocks SELECT 10000, ?, time_ms, root, ledger_key, signature FROM blocks LIMIT 1",
                (index,),
            )
        return Place(named=f"table blocks, row of entry {index}")

    def thing(self):
        with opened(self.directory) as db:
            rows = db.execute("SELECT sort, key, value FROM things ORDER BY sort, key").fetchall()
            sort, key, value = self.rng.choice(rows)
            at = self.rng.randrange(len(value))
            other = value[:at] + chr((ord(value[at]) + 1) % 128) + value[at + 1 :]
            sql, values = self.rng.choice(
                [
                    ("UPDATE things SET value = ? WHERE sort = ? AND key = ?", (other, sort, key)),
                    ("DELETE FROM things WHERE sort = ? AND key = ?", (sort, key)),
                    ("INSERT INTO things VALUES (?, ?, ?)", (sort, key + "0", value)),
                ]
            )
            db.execute(sql, values)
        return Place(named=f"table things, {sort} {key}")

    def schema(self):
        view = self.rng.choice(sorted(VIEWS))
        sql, place = self.rng.choice(
            [
                (f"DROP VIEW {view}", f"view {view}"),
                (f"DROP VIEW {view}; CREATE VIEW {view} AS SELECT 1 AS one", f"view {view}"),
                ("DROP INDEX entries_id", "index entries_id"),
                ("DROP INDEX entries_id; CREATE INDEX entries_id ON entries (id)", "index entries_id"),
                ("CREATE TABLE extra (one)", "table extra"),
                ("CREATE TRIGGER late AFTER INSERT ON entries BEGIN DELETE FROM meta; END", "trigger late"),
            ]
        )
        with opened(self.directory) as db:
            db.executescript(sql)
        return Place(named=place)

    def checkpoint(self):
        with opened(self.directory) as db:
            (note,) = db.execute("SELECT value FROM meta WHERE name = 'checkpoint'").fetchone()
            # Letters outside the signature of the one line: those of an unknown key's line would be ignored.
            changed = bytearray(note)
            changed[self.rng.randrange(note.index(b"\n\n"))] ^= 1 << self.rng.randrange(7)
            sql, values = self.rng.choice(
                [
                    ("UPDATE meta SET value = ?", (bytes(changed),)),
                    ("UPDATE meta SET value = ?", (note[:-20] + b"AAAA" + note[-16:],)),
                    ("UPDATE meta SET value = ?", ("text",)),
                    ("DELETE FROM meta", ()),
                ]
            )
            db.execute(sql, values)
        return Place(named="the published checkpoint")

    def stray_meta(self):
        with opened(self.directory) as db:
            db.execute("INSERT INTO meta VALUES ('note', x'00')")
        return Place(named="table meta, note")

    def description(self):
        path = self.directory / "ledger.json"
        text = bytearray(path.read_bytes())
        text[self.rng.randrange(len(text))] ^= 1 << self.rng.randrange(8)
        if self.rng.random() < 0.1:
            path.unlink()
        else:
            path.write_bytes(text)
        return Place(named="ledger.json")

    def _stranger(self):
        """A good statement that nobody registered here."""
        state = envelope.decode(self.raws[0])
        line = {"id": "chip", "resource": "chip", "chip": "nvidia-h200-sxm-141gb", "count": 1}
        tree = {
            "type": "pool.declared",
            "number": f"P-{self.rng.randrange(10**6)}",
            "lines": [line],
            "_sd": ["A" * 43],
            "_sd_alg": "sha-256",
        }
        signer = STRANGER
        return sign(signer, tree, sub=signer.did, aud=state.id, iat=envelope.decode(self.raws[-1]).iat)


STRANGER = Signer.from_seed(bytes([77]) * 32)
KINDS = [name for name in vars(Tampering) if not name.startswith("_") and name != "sealing"]
BOOK_ONLY = {"thing"}
"""Changes that only a verification with rules can see."""


def run_case(small, seed, scratch):
    rng = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    target = copy(small.directory, scratch / f"case-{seed}")
    place = getattr(Tampering(target, rng), kind)()
    rules = kind in BOOK_ONLY or rng.random() < 0.7
    report = verify(target, rules=rules, all_findings=rng.random() < 0.2)
    assert report.verdict is Verdict.BROKEN, f"{kind} with seed {seed} (rules {rules}) was not noticed"
    assert place.holds(report.first), (
        f"{kind} with seed {seed} (rules {rules}): {report.first} is not {place}"
    )
    shutil.rmtree(target)


def test_the_small_ledger_is_sound(small):
    report = verify(small.directory, ledger_key=LEDGER.did, against=small.kept)
    assert report.verdict is Verdict.VALID
    assert report.entries == len(entries_of(small.directory))
    assert all(verify(older).verdict is Verdict.VALID for older in small.older)


@pytest.mark.parametrize("group", range(GROUPS))
def test_every_change_is_noticed_where_it_is(small, group, tmp_path):
    for seed in range(group * CASES, (group + 1) * CASES):
        run_case(small, seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("group", range(LONG_GROUPS))
def test_every_change_is_noticed_in_many_cases(small, group, tmp_path):
    for seed in range(10**6 + group * LONG_CASES, 10**6 + (group + 1) * LONG_CASES):
        run_case(small, seed, tmp_path)
