"""Rule packs: their cases, the published figures of chips, and what is no pack."""

import csv
from fractions import Fraction

import cel
import pytest

from pseudoledger.audit.review.cases import check_cases
from pseudoledger.audit.review.chips import chip_of, chips
from pseudoledger.audit.review.decide import look
from pseudoledger.audit.review.dossier import STATES
from pseudoledger.audit.review.engine import state_of
from pseudoledger.audit.review.expression import Expression, context_of
from pseudoledger.audit.review.observers import OBSERVERS, TABLES
from pseudoledger.audit.review.pack import build, find_pack, pack_files, read_cases, read_pack
from pseudoledger.audit.review.pack_model import PackText, Status
from pseudoledger.audit.review.words import decimal, duration, exact, measured
from pseudoledger.contract.tables import shipped
from pseudoledger.errors import MalformedError, PeerUnreachable
from pseudoledger.statement.kinds import KINDS

PACKS = {path.stem: path for path in pack_files()}


@pytest.mark.parametrize("name", PACKS)
def test_every_case_beside_a_pack_comes_out(name):
    pack = read_pack(PACKS[name], TABLES)
    results = list(check_cases(pack, read_cases(PACKS[name]), TABLES))
    assert not [(one.case, one.problems) for one in results if one.problems]


@pytest.mark.parametrize("name", PACKS)
def test_every_rule_has_a_case_in_which_it_speaks(name):
    pack = read_pack(PACKS[name], TABLES)
    spoken = {line.split()[0] for case in read_cases(PACKS[name]).cases for line in case.findings}
    rules = {rule.rule for version in pack.versions for rule in version.text.rules}
    assert rules == spoken


def test_cases_that_do_not_come_out_are_told():
    pack, text = read_pack(PACKS["evidence"], TABLES), read_cases(PACKS["evidence"])
    wrong = text.model_copy(
        update={
            "cases": tuple(case.model_copy(update={"findings": ("x raised note",)}) for case in text.cases)
        }
    )
    assert all(one.problems for one in check_cases(pack, wrong, TABLES))


# Chips


def published(name="packs/published.csv"):
    return list(csv.DictReader(shipped(name).decode("utf-8").splitlines()))


@pytest.mark.parametrize("row", published(), ids=lambda row: row["chip"])
def test_figures_agree_with_the_published_ones_within_two_percent(row):
    chip = chip_of(row["chip"])
    for computed, text in ((chip.tpp, row["tpp"]), (chip.density, row["density"])):
        assert (computed is None) == (text == "unknown")
        if computed is not None:
            assert abs(computed / Fraction(text) - 1) <= Fraction(2, 100)


def test_the_shared_sheet_says_the_same(shared):
    """The sheet that the figures were carried over from, where it is present."""
    rows = list(csv.DictReader((shared / "data" / "chips.csv").read_text(encoding="utf-8").splitlines()))
    by_model = {chip.model.split(" ", 1)[1]: chip for chip in chips().values()}
    carried = {row["chip"]: row for row in published()}
    assert len(rows) == len(carried)
    for row in rows:
        mine = carried[by_model[row["chip"]].id]
        assert (row["tpp"] or "unknown", row["performance_density"] or "unknown") == (
            mine["tpp"],
            mine["density"],
        )


def test_tpp_is_the_highest_over_all_precisions():
    assert chip_of("nvidia-a800-sxm4-80gb").tpp == Fraction("4990.4"), "8 bits, not 16 bits of 4988.8"
    assert chip_of("nvidia-b300-sxm").tpp == 56_000, "4 bits"
    assert chip_of("nvidia-h20-96gb").tpp == 2368
    assert decimal(chip_of("nvidia-h20-96gb").density, 3) == "2.909…"
    assert chip_of("amd-mi308x").tpp is None
    assert chip_of("no-such-chip").facts().keys() == {"chip", "chip_model", "chip_doubt"}


# Expressions


@pytest.mark.parametrize(
    ("source", "values", "truth"),
    [
        ("a >= 0 || b >= 0", {"a": 1}, True),
        ("b >= 0 || a >= 0", {"a": 1}, True),
        ("a >= 0 && b >= 0", {"a": -1}, False),
        ("b >= 0 && a >= 0", {"a": -1}, False),
        ("a >= 0 && b >= 0", {"a": 1}, None),
        ("!a", {}, None),
        ("a.exists(p, p.startsWith('x'))", {"a": ["xy"]}, True),
        ("a.exists(p, p == b)", {"a": []}, False),
    ],
)
def test_what_is_unknown_matters_only_where_the_answer_depends_on_it(source, values, truth):
    assert Expression(source, "here").decide(context_of(values)) is truth


@pytest.mark.parametrize("source", ["a >", "a >= 1.5", "a > 1e3", "double(a) > 1", "timestamp(a) == b", ""])
def test_expressions_with_floats_or_faults_are_refused(source):
    with pytest.raises(MalformedError, match="here"):
        Expression(source, "here")


def test_a_decimal_in_a_text_is_no_float():
    assert Expression("a == '3A090.a.1' || a == 'v1.5'", "here").decide(context_of({"a": "v1.5"})) is True


@pytest.mark.parametrize(
    ("source", "values"), [("a + 1", {"a": 1}), ("a > 'x'", {"a": 1}), ("a * 4 > 1", {"a": 2**62})]
)
def test_what_yields_no_truth_is_an_error_and_not_unknown(source, values):
    with pytest.raises(MalformedError):
        Expression(source, "here").decide(context_of(values))


def test_the_library_keeps_the_logic_that_unknown_rests_on():
    """What ADR 17 relies on: an undefined variable matters only where the answer depends on it."""
    assert cel.compile("b == 2 || a == 1").execute({"a": 1}) is True
    with pytest.raises(RuntimeError, match="Undefined variable"):
        cel.compile("b == 2 && a == 1").execute({"a": 1})


@pytest.mark.parametrize(
    ("without", "given", "silent", "state"),
    [
        (False, False, False, None),
        (True, True, False, "raised"),
        (False, True, False, "raised"),
        (None, True, True, "raised"),
        (True, False, False, "resolved"),
        (None, False, False, "resolved"),
        (None, False, True, None),
        (None, None, False, "unknown"),
        (None, None, True, None),
    ],
)
def test_states(without, given, silent, state):
    assert state_of(without, given, silent=silent) == state
    assert state in {None, *STATES}


# What is no pack


def pack_text(**changes):
    version = {
        "version": "1",
        "from": "2024-01-01",
        "status": "house",
        "title": "one",
        "citation": ["here"],
        "rules": [
            {
                "rule": "r",
                "observes": "listing",
                "when": "count > 1",
                "severity": "note",
                "says": "{count} chips",
                "asks": "why?",
            }
        ],
    }
    rule = version["rules"][0]
    rule.update(changes.pop("rule", {}))
    version.update(changes)
    return {"pack": "p", "title": "p", "about": "p", "versions": [version]}


def built(tree):
    return build(PackText.model_validate(tree), "", TABLES)


def test_the_smallest_pack():
    assert built(pack_text()).version("1").sheets["listing"].rules[0].text.rule == "r"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"rule": {"observes": "nothing"}}, "no observation 'nothing'"),
        ({"rule": {"when": "nothing > 1"}}, "names nothing"),
        ({"rule": {"when": "tpp > 1"}}, "names tpp"),
        ({"rule": {"says": "{nothing}"}}, "is no fact"),
        ({"rule": {"once_per": "nothing"}}, "is no fact"),
        ({"extends": "0"}, "does not stand before"),
        ({"lines": [{"name": "l", "fact": "country", "value": "1"}]}, "is no number"),
        ({"lines": [{"name": "l", "fact": "nothing", "value": "1"}]}, "none of its observations"),
    ],
)
def test_a_pack_that_names_what_is_not_there(changes, message):
    with pytest.raises(MalformedError, match=message):
        built(pack_text(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"rule": {"says": "a violation"}},
        {"rule": {"asks": "was this fraud?"}},
        {"rule": {"severity": "loud"}},
        {"status": "proposed", "rule": {"severity": "priority"}},
        {"until": "2023-01-01"},
        {"more": 1},
        {"lines": [{"name": "l", "fact": "tpp", "value": "five"}]},
    ],
)
def test_a_pack_of_another_form(changes):
    with pytest.raises(ValueError, match="validation error"):
        PackText.model_validate(pack_text(**changes))


def test_versions_of_one_track_do_not_overlap():
    tree = pack_text()
    tree["versions"].append({**tree["versions"][0], "version": "2", "from": "2025-01-01"})
    with pytest.raises(MalformedError, match="overlap"):
        built(tree)
    tree["versions"][0]["until"] = "2025-01-01"
    assert len(built(tree).versions) == 2


def test_a_version_takes_over_what_it_does_not_name():
    tree = pack_text(until="2025-01-01", lists={"near": ["DE"]})
    tree["versions"].append(
        {
            "version": "2",
            "from": "2025-01-01",
            "status": "house",
            "title": "two",
            "citation": ["here"],
            "extends": "1",
            "without": ["near"],
        }
    )
    second = built(tree).version("2")
    assert [rule.text.rule for rule in second.sheets["listing"].rules] == ["r"]
    assert second.text.lists == {}
    tree["versions"][1]["without"] = ["nothing"]
    with pytest.raises(MalformedError, match="does not have"):
        built(tree)


@pytest.mark.parametrize("text", ["[[versions]", "pack = 1", "\xff"])
def test_a_file_that_is_no_pack(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(MalformedError) as caught:
        read_pack(path, TABLES)
    assert caught.value.code == "pack.form"


def test_packs_are_found_by_name_or_file(tmp_path):
    assert find_pack("chip-class") == PACKS["chip-class"]
    with pytest.raises(PeerUnreachable, match="no rule pack"):
        find_pack("nothing")
    with pytest.raises(PeerUnreachable):
        read_cases(tmp_path / "mine.toml")


# What is shipped


def test_the_timeline_of_the_chip_rules():
    versions = {version.name: version for version in read_pack(PACKS["chip-class"], TABLES).versions}
    assert [(name, one.text.start, one.text.until, one.text.status) for name, one in versions.items()] == [
        ("2022-10-21", "2022-10-21", "2023-11-17", Status.IN_FORCE),
        ("2023-11-17", "2023-11-17", "2024-12-02", Status.IN_FORCE),
        ("2024-12-02", "2024-12-02", "2026-01-15", Status.IN_FORCE),
        ("2026-01-15", "2026-01-15", None, Status.IN_FORCE),
        ("2025-diffusion", "2025-01-13", "2025-05-13", Status.NEVER_ENFORCED),
        ("2025-04", "2025-04-09", "2026-01-15", Status.LETTER),
        ("2025-05-13", "2025-05-13", None, Status.GUIDANCE),
    ]


@pytest.mark.parametrize("name", PACKS)
def test_every_version_says_where_it_comes_from(name):
    for version in read_pack(PACKS[name], TABLES).versions:
        assert version.text.citation
        assert version.text.doubts or version.text.status is Status.HOUSE


def test_tables_are_read_from_kinds_that_exist():
    kinds = {kind.name for kind in KINDS.values()}
    for observer in OBSERVERS:
        assert observer.reads <= kinds
        for table in observer.tables:
            assert observer.reads == frozenset(table.reads)


def test_every_table_is_asked_about():
    packs = [read_pack(path, TABLES) for path in pack_files()]
    assert {name for pack in packs for version in pack.versions for name in version.sheets} == set(TABLES)


# Words


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(2368, 814), "2.909090…"),
        (Fraction("3.2"), "3.2"),
        (Fraction(-8, 2065), "-0.003874…"),
        (Fraction(4990), "4,990"),
        (Fraction(10**26), "1.00e26"),
        (Fraction(0), "0"),
    ],
)
def test_fractions_are_cut_and_never_rounded(value, text):
    assert decimal(value) == text


def test_other_words():
    assert (exact(Fraction(4, 2)), exact(Fraction(1, 3))) == ("2", "1/3")
    assert [duration(seconds) for seconds in (0, 59, 3600, 86_400 * 2 + 3660)] == [
        "0 s",
        "59 s",
        "1 h",
        "2 d 1 h",
    ]
    assert measured(2_235_000, "micro") == "2.235"
    assert measured((), "") == "none"
    assert [measured(truth, "") for truth in (True, False)] == ["yes", "no"]


def test_an_integer_beyond_64_bits_is_compared_by_lines_alone():
    sheet = read_pack(PACKS["kyc"], TABLES).version("2024-01-proposal").sheets["training"]
    view = look(sheet, {"chip_seconds": 2**70, "operations_most": Fraction(10**26)})
    assert Expression("chip_seconds > 0", "here").decide(view.context) is None
    assert Expression("most_vs_1e26 == 0", "here").decide(view.context) is True
