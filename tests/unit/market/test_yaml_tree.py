import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudoledger.errors import MalformedError
from pseudoledger.market.yaml_tree import BYTES_MAX, Mapping, Scalar, Sequence, read_yaml


def test_scalars_stay_the_text_of_the_file():
    root = read_yaml(b"version: 2.0\nmodel: 4000\nflag: no\nwhen: 2026-03-01\n")
    assert {name: node.text for name, node in root.nodes.items()} == {
        "version": "2.0",
        "model": "4000",
        "flag": "no",
        "when": "2026-03-01",
    }


def test_nulls_are_told_from_texts():
    root = read_yaml(b"a:\nb: ~\nc: null\nd: ''\ne: 'null'\nf: !!str\n")
    assert [node.null for node in root.nodes.values()] == [True, True, True, False, False, False]


def test_lines_are_those_of_the_file():
    root = read_yaml(b"---\na:\n  - x\n  - y: 1\n# remark\nb: 2\n")
    assert root.lines == {"a": 2, "b": 6}
    assert [item.line for item in root.nodes["a"].items] == [3, 4]


def test_crlf_tabs_after_text_and_a_missing_last_line_end_are_read():
    root = read_yaml(b"a: 1\t# remark\r\nb:\r\n  - 2")
    assert isinstance(root.nodes["b"], Sequence)
    assert root.nodes["a"].text == "1"


def test_aliases_and_merge_keys_unfold():
    root = read_yaml(b"base: &b {x: 1, y: 2}\nmore: &m {z: 3, x: 9}\none:\n  <<: [*b, *m]\n  y: 5\ntwo: *b\n")
    assert {name: node.text for name, node in root.nodes["one"].nodes.items()} == {
        "x": "1",
        "y": "5",
        "z": "3",
    }
    assert root.nodes["two"] == root.nodes["base"]


LAUGHS = b"a: &a [x,x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 10)) for i in range(8)
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "line 1: the file holds no document"),
        (b"# only a remark\n", "holds no document"),
        (b"a: 1\na: 2\n", "line 2: 'a' stands twice"),
        (b"a: 1\n---\nb: 2\n", "line 2: a second document"),
        (b"a: [1, 2\n", "line 2: not YAML"),
        (b"a:\n\t- 1\n", "line 2: not YAML"),
        (b"a: *nothing\n", "line 1: alias 'nothing' stands for nothing"),
        (b"a: &a [*a]\n", "line 1: alias 'a' stands for nothing"),
        (b"a: !!python/object:os.system {}\n", "line 1: tag .* is not allowed"),
        (b"a: !secret 1\n", "line 1: tag '!secret' is not allowed"),
        (b"? [a]\n: 1\n", "line 1: a name must be a text"),
        (b"<<: 3\n", "line 1: '<<' merges mappings only"),
        (b"a: \xff\n", "line 1: the file is not UTF-8"),
        (b"a: 1\nb: \x07\n", "line 2: a character that YAML does not allow"),
        (b'a: "\\U99999999"\n', "an escape names no character"),
        (b'a: "\\U00110000"\n', "an escape names no character"),
        (b"[" * 5000, "line 1: nested deeper than 32"),
        (b"a: [" + b"x," * 110_000 + b"]\n", "more than 50000 nodes"),
        (LAUGHS, "line 5: more than 50000 nodes or nested deeper than 32 once aliases are unfolded"),
        (b"#" * (BYTES_MAX + 1), "at most 262144 are read"),
    ],
)
def test_broken_files_are_refused_with_line_and_reason(data, reason):
    with pytest.raises(MalformedError, match=reason) as refusal:
        read_yaml(data)
    assert "\n" not in refusal.value.message
    assert len(refusal.value.message) < 400


def test_deep_aliases_count_where_they_stand():
    chain = b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 60))
    with pytest.raises(MalformedError, match="nested deeper than 32 once aliases"):
        read_yaml(chain)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{}&*!|>'\"#%?, \n\t<~\\", max_size=80)))
def test_any_bytes_give_a_tree_or_a_refusal(data):
    raw = data if isinstance(data, bytes) else data.encode()
    message = ""
    try:
        root = read_yaml(raw)
    except MalformedError as refusal:
        message = refusal.message
    else:
        assert isinstance(root, Mapping | Sequence | Scalar)
    assert "\n" not in message
