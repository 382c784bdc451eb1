"""Tables from elsewhere: what becomes of their columns, and what is said of those that cannot be read."""

import datetime as dt
from hashlib import sha256

import pyarrow as pa
import pytest
from pyarrow import parquet

from pseudoledger.audit.trace.foreign import read_observations
from pseudoledger.audit.trace.hard import hard_links
from pseudoledger.audit.trace.observations import FieldKind, Resources
from pseudoledger.audit.trace.roles import Columns
from pseudoledger.errors import MalformedError, PeerUnreachable

MARKET = """identity,time,size,price,place,wallet,group,note
007,2026-03-01T09:00:00Z,8,2.5,NA,w1,acme,needs eight for tonight
008,1772359200,16,2.4,DE,w2,,any eight will do
007,2026-03-01T11:00:00+01:00,800,,DE,w1,acme,quiet please
009,2026-03-02,8,2.5,,w1,acme,as ever
"""


def written(folder, text, name="market.csv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def kinds(found):
    return {field.name: field.kind.value for field in found.fields}


def test_columns_become_what_their_type_says(tmp_path):
    text = MARKET.replace("1772359200", "2026-03-01 10:00:00")
    path = written(tmp_path, text)
    with read_observations(path, columns=Columns(token=("wallet",))) as found:
        assert kinds(found) == {"size": "numeric", "price": "numeric", "place": "category", "note": "text"}
        assert {field.name: field.log for field in found.fields}["size"], "it spreads over two orders"
        assert not found.field("price").log
        assert found.field("note").reveals == "free_text"
        assert found.rows("identities") == [(0, "007", "acme"), (1, "008", None), (2, "009", "acme")]
        assert found.rows("records") == [
            (0, 1772355600, 1, 8.0, 2.5, "NA", "needs eight for tonight"),
            (0, 1772359200, 3, 800.0, None, "DE", "quiet please"),
            (1, 1772359200, 2, 16.0, 2.4, "DE", "any eight will do"),
            (2, 1772409600, 4, 8.0, 2.5, None, "as ever"),
        ]
        assert found.rows("tokens") == [
            (0, "wallet", "w1", 1),
            (0, "wallet", "w1", 3),
            (1, "wallet", "w2", 2),
            (2, "wallet", "w1", 4),
        ]
        assert [(pair.a, pair.b, pair.refs) for pair in hard_links(found).pairs] == [(0, 2, (1, 4))]
        assert found.source.digest == sha256(path.read_bytes()).hexdigest()
        assert not found.source.verified
        assert found.has_truth


def test_unix_seconds_may_have_fractions(tmp_path):
    path = written(tmp_path, "identity,time,x\na,1772359200,1\nb,1772359200.9,2\n")
    with read_observations(path) as found:
        assert [row[1] for row in found.rows("records")] == [1772359200, 1772359200]


def test_times_may_be_those_of_parquet(tmp_path):
    moments = [dt.datetime(2026, 3, 1, 9, tzinfo=dt.UTC), dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)]
    for number, sort in enumerate((pa.timestamp("us", tz="Europe/Berlin"), pa.timestamp("ms"), pa.date32())):
        day = [moment.date() for moment in moments]
        column = pa.array(day if sort == pa.date32() else [m.replace(tzinfo=None) for m in moments], sort)
        path = tmp_path / f"{number}.parquet"
        parquet.write_table(pa.table({"identity": [1, 2], "time": column, "size": [1, 2]}), path)
        with read_observations(path) as found:
            assert found.names() == ("1", "2")
            at = [row[1] for row in found.rows("records")]
            assert at == ([1772323200] * 2 if sort == pa.date32() else [1772355600, 1772359200])


def test_csv_and_parquet_of_one_table_give_the_same(tmp_path):
    count = 3_000
    table = pa.table(
        {
            "identity": [f"i{place * 7 % 400:04}" for place in range(count)],
            "time": [1_700_000_000 + place * 61 for place in range(count)],
            "size": [float(place % 17) + 0.5 for place in range(count)],
            "place": [("DE", "NA", None)[place % 3] for place in range(count)],
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=500)
    lines = ["identity,time,size,place"]
    lines += [
        ",".join("" if cell is None else str(cell) for cell in row.values()) for row in table.to_pylist()
    ]
    path = written(tmp_path, "\n".join(lines), "t.csv")
    digests = set()
    for file, threads in ((path, 1), (path, 4), (tmp_path / "t.parquet", 4)):
        with read_observations(file, resources=Resources(threads=threads, memory_limit="300MB")) as found:
            digests.add(found.digest())
            row = found.connection.execute(
                "SELECT i.name FROM records r JOIN identities i USING (id) WHERE ref = 124"
            )
            assert row.fetchall() == [(table["identity"][123].as_py(),)]
    assert len(digests) == 1


def test_records_of_persons_have_no_times(tmp_path):
    path = written(tmp_path, "rec,given,surname,postcode\n1,ann,lee,0800\n2,anne,lee,0800\n")
    with read_observations(path, columns=Columns(identity="rec", time="", category=("postcode",))) as found:
        assert [row[1] for row in found.rows("records")] == [None, None]
        assert [row[-1] for row in found.rows("records")] == ["0800", "0800"]


def test_the_caller_has_the_last_word_on_roles(tmp_path):
    text = "who;when;Order;2nd part;partner;amount\na;1;5;x;p;1e3\nb;2;6;y;q;none\nc;3;6;y;;7\n"
    columns = Columns(
        identity="who",
        time="when",
        category=("Order",),
        text=("2nd part",),
        counterparty=("partner",),
        numeric=("amount",),
        log=("amount",),
        reveals=(("Order", "reference"), ("amount", "money")),
    )
    with read_observations(written(tmp_path, text), columns=columns, delimiter=";") as found:
        assert [(field.name, field.kind, field.reveals, field.log) for field in found.fields] == [
            ("order_", FieldKind.CATEGORY, "reference", False),
            ("c_2nd_part", FieldKind.TEXT, "free_text", False),
            ("partner", FieldKind.CATEGORY, "counterparty", False),
            ("amount", FieldKind.NUMERIC, "money", True),
        ]
        assert [row[3:] for row in found.rows("records")] == [
            ("5", "x", "p", 1000.0),
            ("6", "y", "q", None),
            ("6", "y", None, 7.0),
        ]


def test_edges_come_from_a_file_of_their_own(tmp_path):
    path = written(tmp_path, "identity,time,x\na,1,1\nb,2,2\nc,3,3\n")
    edges = written(tmp_path, "a,b,kind\nc,a,same device\nb,c,\nb,b,self\n", "edges.csv")
    with read_observations(path, edges=edges) as found:
        assert found.rows("edges") == [(0, 2, "same device", 1), (1, 2, "edge", 2)]
        assert hard_links(found).component.tolist() == [0, 0, 0]
        alone = sha256(path.read_bytes()).hexdigest()
        assert found.source.digest != alone
        assert len(found.source.digest) == 64


REFUSED = {
    "no time": ("identity,x\na,1\nb,2\n", "no column 'time'", "identity, x"),
    "no identity": ("name,time\na,1\nb,2\n", "no column 'identity'", "name, time"),
    "empty": ("", "is empty", "first line"),
    "header only": ("identity,time,x\n", "has no rows", "nothing"),
    "one identity": ("identity,time,x\na,1,1\na,2,2\n", "holds one identity, 'a'", "nobody else"),
    "ragged": (
        "identity,time,x\na,1,1\nb,2\n",
        "market.csv, row 2: 2 cells under 3 columns",
        "as many cells",
    ),
    "one cell": ("identity,time,x\na\nb,2,2\n", "row 1: 1 cell under 3 columns", "from 1 after the header"),
    "ragged after lines that are blank, a cell of two lines and a mark of the encoding": (
        '\ufeffidentity,time,x\n\na,1,"1\n\n2"\n\nb,1,2\nb,2,3,4\n',
        "row 3: 4 cells under 3 columns",
        "blank lines not counted",
    ),
    "bad time after a line that is blank": (
        "identity,time,x\n\na,1,1\n\nb,then,2\n",
        "row 2: time 'then'",
        "",
    ),
    "ragged far down": (
        "identity,time,x\n" + "abcdefghij,12345,1\n" * 150_000 + "b,2\n",
        "row 150001: 2 cells under 3 columns",
        "",
    ),
    "latin-1 far down": (
        ("\ufeffidentity,time,x\n" + "abcdefghij,12345,1\n" * 150_000).encode() + b"\xe9,2,2\n",
        "column 'identity', row 150001",
        "iconv",
    ),
    "no identity in a row": ("identity,time,x\na,1,1\n ,2,2\n", "row 2: 'identity' is empty", "names whom"),
    "bad time": (
        "identity,time,x\na,1,1\nb,2026-02-30,2\n",
        "row 2: time '2026-02-30' is no time",
        "ISO 8601",
    ),
    "no time in a row": ("identity,time,x\na,1,1\nb,,2\n", "row 2: time is empty", "Unix seconds"),
    "milliseconds": (
        "identity,time,x\na,1772359200000,1\nb,2,2\n",
        "row 1: time '1772359200000'",
        "milliseconds",
    ),
    "negative": ("identity,time,x\na,1,1\nb,-1,2\n", "row 2: time '-1'", "1970"),
    "two owners": (
        "identity,time,x,group\na,1,1,g\na,2,2,h\nb,1,1,\n",
        "two owners, 'g' and 'h'",
        "one known owner",
    ),
    "two columns of a name": (
        "identity,time,x,x\na,1,1,1\nb,2,2,2\n",
        "two columns of the name 'x'",
        "rename",
    ),
    "utf-16": ("identity,time,x\na,1,1\n".encode("utf-16"), "", ""),
    "latin-1": (
        "identity,time,x\na,1,ok\nb,2,é\n".encode("latin-1"),
        "is not UTF-8: column 'x', row 2",
        "iconv",
    ),
    "latin-1 identity": (
        "identity,time,x\né,1,1\nb,2,2\n".encode("latin-1"),
        "is not UTF-8: column 'identity', row 1",
        "iconv",
    ),
    "latin-1 header": ("identity,time,é\na,1,1\nb,2,2\n".encode("latin-1"), "is not UTF-8", "iconv"),
    "too many columns": (
        "identity,time," + ",".join(f"c{n}" for n in range(199)) + "\n" + ",".join(["1"] * 201) + "\n",
        "has 201 columns",
        "at most 200",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_said_with_place_and_remedy(tmp_path, name):
    text, message, hint = REFUSED[name]
    with pytest.raises(MalformedError) as refused:
        read_observations(written(tmp_path, text))
    assert message in refused.value.message
    assert hint in refused.value.hint
    assert "market.csv" in refused.value.message
    assert refused.value.code.startswith("trace.")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(text=("nope",)), "no column 'nope'"),
        (Columns(group="owner"), "no column 'owner'"),
        (Columns(text=("size",), token=("size",)), "'size' of market.csv is given two roles"),
        (Columns(token=("identity",)), "'identity' of market.csv is given two roles"),
        (Columns(reveals=(("size", "everything"),)), "'size' cannot reveal 'everything'"),
    ],
)
def test_roles_that_cannot_be_are_refused(tmp_path, columns, message):
    with pytest.raises(MalformedError) as refused:
        read_observations(written(tmp_path, MARKET), columns=columns)
    assert message in refused.value.message
    assert refused.value.hint


def test_identities_alone_are_refused_and_any_one_thing_beside_them_is_taken(tmp_path):
    alone = written(tmp_path, "identity\na\nb\n", "alone.csv")
    with pytest.raises(MalformedError, match="says of nobody more than 'identity'") as refused:
        read_observations(alone, columns=Columns(time=""))
    assert "times, or edges" in refused.value.hint
    owners = written(tmp_path, "identity,group\na,p\nb,p\n", "owners.csv")
    with pytest.raises(MalformedError, match="says of nobody more than 'identity'"):
        read_observations(owners, columns=Columns(time=""))
    edges = written(tmp_path, "a,b\na,b\n", "edges.csv")
    with read_observations(alone, columns=Columns(time=""), edges=edges) as found:
        assert (found.fields, found.rows("edges")) == ((), [(0, 1, "edge", 1)])
    with read_observations(written(tmp_path, "identity,time\na,1\nb,2\n")) as found:
        assert found.rows("records") == [(0, 1, 1), (1, 2, 2)]


def test_an_owner_that_is_blank_is_not_known(tmp_path):
    path = written(tmp_path, "identity,time,group\na,1,\na,2, p \nb,2,  \nc,3,p\n")
    with read_observations(path) as found:
        assert found.rows("identities") == [(0, "a", "p"), (1, "b", None), (2, "c", "p")]
        assert found.known_count == 2


def test_edges_to_nobody_and_without_ends_are_refused(tmp_path):
    path = written(tmp_path, "identity,time,x\na,1,1\nb,2,2\n")
    with pytest.raises(MalformedError, match=r"edges.csv, row 2: no row of the observations is of 'z'"):
        read_observations(path, edges=written(tmp_path, "a,b\na,b\na,z\n", "edges.csv"))
    with pytest.raises(MalformedError, match=r"edges.csv has no column 'b'"):
        read_observations(path, edges=written(tmp_path, "a,kind\na,b\n", "edges.csv"))


def test_files_that_are_not_there_or_no_parquet(tmp_path):
    with pytest.raises(PeerUnreachable):
        read_observations(tmp_path / "none.csv")
    with pytest.raises(PeerUnreachable):
        read_observations(tmp_path)
    with pytest.raises(MalformedError, match=r"x.parquet cannot be read as a table"):
        read_observations(written(tmp_path, "identity,time\n", "x.parquet"))
    nested = pa.table({"identity": ["a", "b"], "time": [1, 2], "list": [[1], [2]]})
    parquet.write_table(nested, tmp_path / "nested.parquet")
    with pytest.raises(MalformedError, match="'list' holds lists"):
        read_observations(tmp_path / "nested.parquet")
    bytes_in_text = pa.array([b"\xff", b"ok"], pa.binary()).view(pa.string())
    parquet.write_table(
        pa.table({"identity": ["a", "b"], "time": [1, 2], "x": bytes_in_text}), tmp_path / "u.parquet"
    )
    with pytest.raises(MalformedError, match=r"u.parquet is not UTF-8"):
        read_observations(tmp_path / "u.parquet")


def test_a_name_with_a_star_is_one_file(tmp_path):
    table = pa.table({"identity": ["a", "b"], "time": [1, 2], "x": [1, 2]})
    parquet.write_table(table, tmp_path / "o'clock*[1].parquet")
    parquet.write_table(table, tmp_path / "o'clockX1.parquet")
    with read_observations(tmp_path / "o'clock*[1].parquet") as found:
        assert found.record_count == 2


def test_nothing_is_left_behind_when_it_fails(tmp_path):
    (tmp_path / "work").mkdir()
    path = written(tmp_path, "identity,time,x\na,1,1\nb,never,2\n")
    with pytest.raises(MalformedError):
        read_observations(path, resources=Resources(folder=tmp_path / "work"))
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.long
def test_a_million_rows(tmp_path):
    count = 1_000_000
    table = pa.table(
        {
            "identity": [f"i{place * 7_919 % 100_000:05}" for place in range(count)],
            "time": pa.array(range(1_700_000_000, 1_700_000_000 + count)),
            "size": pa.array([float(place % 97) for place in range(count)]),
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    with read_observations(tmp_path / "t.parquet", resources=Resources(memory_limit="500MB")) as found:
        assert (found.count, found.record_count) == (100_000, count)
        rows = found.connection.execute('SELECT ref FROM records WHERE id = 0 ORDER BY "at"')
        refs = [ref for (ref,) in rows.fetchall()]
        assert refs == [place + 1 for place in range(count) if place * 7_919 % 100_000 == 0]
