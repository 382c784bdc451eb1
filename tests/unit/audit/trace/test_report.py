"""The report of a trace: the same bytes each time, cited, signed, checked, and shown as pages."""

import json
import re
from base64 import b64decode, b64encode
from dataclasses import replace
from html.parser import HTMLParser

import msgspec
import pytest
from jsonschema import Draft202012Validator

from pseudoledger.audit.review.sight import read_disclosures
from pseudoledger.audit.trace.report import charts
from pseudoledger.audit.trace.report.check import broken, reproduced
from pseudoledger.audit.trace.report.page import LANGUAGES, to_html
from pseudoledger.audit.trace.report.run import Asked, trace_ledger, trace_table
from pseudoledger.audit.trace.report.signature import CONTENT_TYPE, sign_report, verify_signature
from pseudoledger.audit.trace.report.values import from_json, schema, to_json
from pseudoledger.audit.trace.report.verdict import Verdict, verdict_of
from pseudoledger.audit.trace.report.words import ARABIC, ENGLISH
from pseudoledger.audit.trace.roles import Columns
from pseudoledger.audit.trace.vantage import AUDITOR, PUBLIC
from pseudoledger.errors import InvalidSignature, MalformedError
from pseudoledger.identity.keys import Signer
from pseudoledger.ledger.tree import hash_leaf
from pseudoledger.statement import envelope
from pseudoledger.statement.values import format_instant

AUDITING = Signer.from_seed(bytes(range(32)))


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    from town import Town

    town = Town(tmp_path_factory.mktemp("report") / "town")
    for day in range(1, 8):
        for name in ("north", "south", "east"):
            town.at(f"2023-12-0{day}").offer(name, "nvidia-a800-sxm4-80gb", "CN")
    town.declare("north", "lake", "river")
    offer = town.at("2024-03-01").offer("north", "nvidia-h200-sxm-141gb", "DE")
    town.lease("north", "lake", offer, sealed={"lessee_name": "Lake"})
    town.close()
    return town


@pytest.fixture(scope="module")
def asked(town):
    return Asked(vantages=(PUBLIC, AUDITOR), disclosures=read_disclosures([town.directory / "disclosures"]))


@pytest.fixture(scope="module")
def report(town, asked):
    return trace_ledger(town.ledger, asked, verified=True)


def test_the_same_ledger_gives_the_same_bytes(town, asked, report):
    again = trace_ledger(town.ledger, asked, verified=True)
    assert to_json(again) == to_json(report)
    assert from_json(to_json(report)) == report
    assert not list(Draft202012Validator(schema()).iter_errors(json.loads(to_json(report))))


def test_a_report_stands_and_is_reproduced(town, asked, report):
    assert list(broken(report)) == []
    assert reproduced(report, town.ledger, disclosures=asked.disclosures) == ""
    without = reproduced(report, town.ledger, disclosures={})
    assert "another result in:" in without
    other = msgspec.structs.replace(report, seed=2)
    assert reproduced(other, town.ledger, disclosures=asked.disclosures) != ""


def test_every_citation_is_an_entry_with_its_proof(report):
    assert report.entries
    assert [entry.index for entry in report.entries] == sorted({entry.index for entry in report.entries})
    assert {moment.ref for one in report.identities for moment in one.timeline} <= {
        entry.index for entry in report.entries
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda e: {"index": e.index + 1}, "inclusion proof"),
        (lambda e: {"statement": e.statement[:-8] + "AAAAAAA="}, ""),
        (lambda _: {"statement": "?"}, "base64"),
        (lambda _: {"path": ()}, ""),
        (lambda _: {"kind": "lease.signed"}, "another statement"),
        (lambda _: {"id": "00" * 32}, "another statement"),
        (
            lambda _: {"issuer": "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK"},
            "another statement",
        ),
    ],
)
def test_a_bent_citation_is_named(report, change, said):
    first, *rest = report.entries
    bent = msgspec.structs.replace(report, entries=(msgspec.structs.replace(first, **change(first)), *rest))
    problems = list(broken(bent))
    assert problems
    assert said in problems[0]


def test_a_bad_signature_is_named_and_the_rest_is_looked_at(report):
    """In a tree of one entry, made for it, whatever stands there is proved."""
    raw = b64decode(report.entries[0].statement)
    raw = raw[:-1] + bytes((raw[-1] ^ 1,))
    first = msgspec.structs.replace(report.entries[0], index=0, statement=b64encode(raw).decode(), path=())
    looked = msgspec.structs.replace(report.looked, entries=1, digest=hash_leaf(raw).hex(), checkpoint="")
    problems = list(broken(msgspec.structs.replace(report, looked=looked, entries=(first,))))
    assert "signature" in problems[0]
    assert any("stands nowhere" in problem for problem in problems)


def test_a_named_ledger_key_vouches_for_nothing_without_a_checkpoint(report):
    looked = msgspec.structs.replace(report.looked, checkpoint="")
    bare = msgspec.structs.replace(report, looked=looked)
    assert list(broken(bare)) == []
    assert any("no checkpoint" in problem for problem in broken(bare, ledger_key=report.looked.ledger_key))


def test_what_is_cited_has_to_be_there(report):
    assert any("stands nowhere" in problem for problem in broken(msgspec.structs.replace(report, entries=())))


def test_a_checkpoint_of_another_tree_is_noticed(report):
    looked = msgspec.structs.replace(report.looked, digest="00" * 32)
    assert any(
        "another root" in problem for problem in broken(msgspec.structs.replace(report, looked=looked))
    )
    assert any(
        "checkpoint" in problem
        for problem in broken(report, ledger_key="did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")
    )


def test_a_report_cannot_pass_for_one_of_a_table(report, scored):
    looked = msgspec.structs.replace(report.looked, kind="table")
    assert any("of a table" in one for one in broken(msgspec.structs.replace(report, looked=looked)))
    for change in ({"checkpoint": "forged"}, {"ledger_key": "did:key:z6Mk"}, {"verified": True}):
        looked = msgspec.structs.replace(scored.looked, **change)
        assert any("of a table" in one for one in broken(msgspec.structs.replace(scored, looked=looked)))


def test_a_report_without_a_vantage_point_or_from_a_strange_one_does_not_stand(town, report):
    none = msgspec.structs.replace(report, vantages=())
    assert any("no vantage point" in one for one in broken(none))
    with pytest.raises(MalformedError, match="no vantage point"):
        reproduced(none, town.ledger, disclosures={})
    strange = tuple(msgspec.structs.replace(one, vantage="above") for one in report.vantages)
    assert any("above" in one for one in broken(msgspec.structs.replace(report, vantages=strange)))


@pytest.mark.parametrize("entries", [-1, 0, 10**9])
def test_a_tree_of_another_size_does_not_stand(report, entries):
    looked = msgspec.structs.replace(report.looked, entries=entries, checkpoint="")
    assert list(broken(msgspec.structs.replace(report, looked=looked)))


def test_an_unverified_ledger_is_said_everywhere(town):
    report = trace_ledger(town.ledger, Asked(), verified=False)
    assert any("not verified" in problem for problem in broken(report))
    for language, word in (("en", "Not verified"), ("ar", ARABIC["unverified"])):
        page = to_html(report, language).decode()
        assert word in page
        assert ("unchecked copy" in page) == (language == "en")


# Signature


def test_a_signature_is_of_these_bytes_and_this_auditor(report):
    raw = to_json(report)
    signature = sign_report(AUDITING, raw, at=1_767_225_600)
    assert verify_signature(raw, signature, key=AUDITING.did).at == 1_767_225_600
    assert sign_report(AUDITING, raw, at=1_767_225_600) == signature
    with pytest.raises(InvalidSignature):
        verify_signature(raw + b" ", signature)
    with pytest.raises(InvalidSignature, match="not by"):
        verify_signature(raw, signature, key=Signer.from_seed(bytes(32)).did)


def test_a_changed_bit_of_a_signature_file_is_refused(report):
    raw = to_json(report)
    signature = sign_report(AUDITING, raw, at=1_767_225_600)
    for at in range(len(signature)):
        for bit in (0, 3, 7):
            bent = bytearray(signature)
            bent[at] ^= 1 << bit
            with pytest.raises((MalformedError, InvalidSignature)):
                verify_signature(raw, bytes(bent))


def test_a_statement_is_no_signature_of_a_report_and_the_other_way_round(report):
    raw = to_json(report)
    statement = envelope.sign_bytes(AUDITING, b"{}", sub=AUDITING.did, aud="ab" * 32, iat=1_767_225_600)
    with pytest.raises(MalformedError):
        verify_signature(raw, statement)
    with pytest.raises(MalformedError):
        envelope.decode(sign_report(AUDITING, raw, at=1_767_225_600))
    assert CONTENT_TYPE != envelope.CONTENT_TYPE


@pytest.mark.parametrize(
    "raw", [b"", b"\xff", b"{}", b"[1]", b'{"format":"pseudoledger-trace/2"}', b"[" * 100_000]
)
def test_other_bytes_are_no_report(raw):
    with pytest.raises(MalformedError):
        from_json(raw)


def test_a_report_that_somebody_formatted_is_refused(report):
    with pytest.raises(MalformedError, match="not written as trace writes it"):
        from_json(json.dumps(json.loads(to_json(report))).encode())


# What it says


def test_without_joining_evidence_nothing_is_claimed(report):
    main = report.vantages[-1]
    assert main.model.learnt_from == 0
    assert {one.verdict for one in report.all} == {"unweighed"}
    names = [one.name for one in report.all]
    assert names == sorted(names), "a node looks identities up in this order"
    assert all(not one.candidates and one.cluster is None for one in report.identities)


def test_the_matrix_stands_in_the_order_of_the_vantage_points(report):
    for one in report.identities:
        assert [row.vantage for row in one.matrix] == ["public", "auditor"]


def test_what_each_disclosure_told_is_said(report, asked):
    opened = {one.statement for one in report.disclosures if one.sound}
    assert opened == set(asked.disclosures)
    assert report.weighed == len(opened)
    for one in report.identities:
        assert {told.statement for told in one.revealed} <= opened
        assert all(told.with_bits == one.measures.entropy_bits != told.without_bits for told in one.revealed)


def test_as_many_disclosures_are_weighed_as_are_asked_for(tmp_path):
    from town import Town

    town = Town(tmp_path / "many")
    for day in range(1, 8):
        for name in ("north", "south"):
            town.at(f"2024-03-0{day}").offer(
                name, "nvidia-a800-sxm4-80gb", "CN", site=f"Hall of {name}, {day}"
            )
    town.close()
    given = read_disclosures([town.directory / "disclosures"])
    asked = Asked(vantages=(PUBLIC, AUDITOR), disclosures=given)
    found = trace_ledger(town.ledger, asked, verified=True)
    assert found.weighed == len(given) == 14, "each of them, where that is quick"
    few = trace_ledger(town.ledger, replace(asked, weigh=3), verified=True)
    assert few.weighed == 3
    assert reproduced(few, town.ledger, disclosures=given) == ""
    assert msgspec.structs.replace(found, weighed=3).disclosures == few.disclosures
    none = trace_ledger(town.ledger, replace(asked, weigh=0), verified=True)
    assert none.weighed == 0
    assert not any(one.revealed for one in none.identities)


def test_a_disclosure_that_joins_two_is_worth_its_bits(tmp_path):
    """Two keys whose sealed site is the same: whoever was shown both sites knows, and nobody else."""
    from town import Town

    town = Town(tmp_path / "sites")
    for name in ("north", "south", "east"):
        town.offer(name, "nvidia-a800-sxm4-80gb", "CN", site="Hall 7" if name != "east" else "Hall 8")
    town.close()
    given = read_disclosures([town.directory / "disclosures"])
    found = trace_ledger(town.ledger, Asked(vantages=(PUBLIC, AUDITOR), disclosures=given), verified=True)
    one = next(item for item in found.identities if item.name == town.did("north"))
    assert one.verdict == "linked"
    assert [step.kind for step in one.paths[0].steps] == ["site"]
    assert one.matrix[0].measures.entropy_bits > one.matrix[1].measures.entropy_bits
    assert sum(told.without_bits > told.with_bits for told in one.revealed) == 2


def test_ties_that_join_nothing_are_shown_with_their_proofs(report, town):
    one = next(item for item in report.identities if item.name == town.did("north"))
    lease = next(tie for tie in one.beside if tie.kind == "lease")
    assert (lease.other, lease.why, lease.explained_by) == (town.did("lake"), "shown", "")
    assert {entry.kind for entry in report.entries if entry.index in lease.refs} == {"lease.signed"}
    assert not any(lease.kind == step.kind for path in one.paths for step in path.steps)
    for language, words in (("en", ENGLISH), ("ar", ARABIC)):
        assert words["beside"] in to_html(report, language).decode()


def test_a_tie_that_joins_nothing_is_cited_like_any_other(report):
    one = next(item for item in report.identities if item.beside)
    tie = msgspec.structs.replace(one.beside[0], refs=(10_000,))
    bent = msgspec.structs.replace(one, beside=(tie,))
    problems = list(broken(msgspec.structs.replace(report, identities=(bent,))))
    assert "entry 10000 is cited and stands nowhere in the report" in problems


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"linked": True, "clustered": True, "learnt": True, "guess_1": 1.0}, Verdict.LINKED),
        ({"linked": False, "clustered": True, "learnt": True, "guess_1": 0.0}, Verdict.PROBABLE),
        ({"linked": False, "clustered": False, "learnt": False, "guess_1": 0.9}, Verdict.UNWEIGHED),
        ({"linked": False, "clustered": False, "learnt": True, "guess_1": 0.2}, Verdict.POSSIBLE),
        ({"linked": False, "clustered": False, "learnt": True, "guess_1": 0.19}, Verdict.HIDDEN),
    ],
)
def test_verdicts(facts, verdict):
    assert verdict_of(**facts) is verdict


def test_an_identity_that_was_not_seen_is_named(town):
    with pytest.raises(MalformedError, match="nothing was seen of the identity did:key:nobody"):
        trace_ledger(town.ledger, Asked(identities=("did:key:nobody",)), verified=True)


def test_one_identity_cannot_be_traced(tmp_path):
    from town import Town

    town = Town(tmp_path / "alone")
    town.offer("north", "nvidia-a800-sxm4-80gb", "CN")
    town.close()
    with pytest.raises(MalformedError, match="one identity"):
        trace_ledger(town.ledger, Asked(), verified=True)


# A table with known owners: links, clusters, scores


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    from pseudoledger.audit.trace.evaluate.world import Seat, World, generate

    file = tmp_path_factory.mktemp("table") / "world.parquet"
    with generate(World(seed=3, identities=400), Seat.AUDITOR) as world:
        world.connection.execute(
            f"""COPY (SELECT i.name AS identity, to_timestamp("at")::TIMESTAMP AS time, i.truth AS "group",
                r.* EXCLUDE (id, "at", ref), t.account FROM records r JOIN identities i USING (id)
                LEFT JOIN (SELECT id, min(value) AS account FROM tokens WHERE kind = 'payment_account' GROUP BY id) t
                USING (id) ORDER BY r.id, "at") TO '{file}'"""
        )
    columns = Columns(token=("account",), counterparty=("counterparty",))
    return trace_table(file, Asked(seed=7), columns=columns)


def test_a_table_is_scored_against_its_groups(scored):
    found = scored.scored
    assert found is not None
    assert found.auc > 0.7
    assert found.ece < 0.05
    assert found.f1 > found.hard_f1 * 0.9
    assert scored.self_test is not None
    assert scored.self_test.planted > 50
    assert scored.entries == ()
    assert list(broken(scored)) == []


def test_a_page_says_every_score_and_every_cap(scored):
    page = to_html(scored, "en").decode()
    found, main = scored.scored, scored.vantages[-1]
    for word, value in (
        ("b_cubed", f"{100 * found.b_cubed_precision:.0f} %"),
        ("blocking_recall", f"{100 * found.blocking_recall:.0f} %"),
        ("hard_f1", f"{found.hard_f1:.3f}"),
        ("hub_cap", f"{main.hub_cap}</dd>"),
        ("block_cap", f"{main.model.block_cap}"),
    ):
        assert re.search(f"<dt>{re.escape(ENGLISH[word])}</dt><dd[^>]*>{re.escape(value)}", page), word


def test_what_is_open_in_a_field_is_said_beside_how_many_agree(scored):
    page = to_html(scored, "en").decode()
    for one in scored.identities:
        assert [step.k for step in one.combination] == sorted(
            (step.k for step in one.combination), reverse=True
        )
        assert one.combination[-1].k == one.k
        # Who agrees in all others but one may differ in that one: never fewer values than one, nor more than agree.
        assert all(1 <= step.diversity_effective <= step.diversity + 1e-6 for step in one.combination)
    assert ENGLISH["open"] in page


def test_a_cluster_says_which_parts_it_falls_into(scored):
    one = next(one for one in scored.identities if one.cluster is not None and len(one.cluster.members) > 2)
    place = {name: number for number, name in enumerate(one.cluster.members, 1)}
    parts = " + ".join(
        "{" + ", ".join(map(str, sorted(place[name] for name in part))) + "}" for part in one.cluster.parts
    )
    assert parts in to_html(scored, "ar").decode()


def test_every_link_sums_up(scored):
    links = [link for one in scored.identities for link in one.links]
    assert links
    for link in links:
        assert sum(bar.bits for bar in link.bars) == pytest.approx(link.bits, abs=1e-4)
        assert link.bars[-1].after == pytest.approx(link.bits, abs=1e-5)


def test_a_cluster_holds_together_by_its_tree(scored):
    clusters = [one.cluster for one in scored.identities if one.cluster is not None]
    assert clusters
    for cluster in clusters:
        assert len(cluster.ties) == len(cluster.members) - 1
        assert sorted(name for part in cluster.parts for name in part) == sorted(cluster.members)
        assert cluster.weakest == cluster.ties[-1]


def test_those_traced_furthest_come_first(scored):
    order = list(Verdict)
    ranks = [order.index(Verdict(one.verdict)) for one in scored.identities]
    assert ranks == sorted(ranks)


# Pages


class _Outline(HTMLParser):
    """Counts what a page refers to and how its headings go down."""

    def __init__(self):
        super().__init__()
        self.levels, self.outside, self.unscoped, self.ids = [], [], 0, []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag == "th" and "scope" not in found:
            self.unscoped += 1
        self.outside += [
            value for name, value in attrs if name in {"src", "href", "action"} and value[:1] != "#"
        ]
        if "id" in found:
            self.ids.append(found["id"])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("which", ["report", "scored"])
def test_a_page_asks_for_no_other_file_and_has_an_outline(which, language, request):
    page = to_html(request.getfixturevalue(which), language).decode()
    outline = _Outline()
    outline.feed(page)
    assert outline.outside == []
    assert "<script" not in page
    assert outline.unscoped == 0
    assert len(outline.ids) == len(set(outline.ids))
    assert outline.levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(outline.levels, outline.levels[1:], strict=False))
    assert f'lang="{language}"' in page
    assert ('dir="rtl"' in page) is (language == "ar")


def test_dates_keep_their_order_in_a_sentence_that_runs_from_the_right(report):
    page = to_html(report, "ar").decode()
    assert f"\u2066{format_instant(report.looked.first)[:10]}\u2069" in page


@pytest.mark.parametrize(("language", "words"), [("en", ENGLISH), ("ar", ARABIC)])
def test_a_credible_set_is_said_with_what_it_holds_and_the_degree_of_its_last(scored, language, words):
    first = scored.identities[0]
    said = {"credible": 12, "credible_held": 0.987654, "credible_last": 0.368}
    for measures, text in (
        (said, words["credible_says"].format(n=12, held="98.8 %", last="37 %")),
        ({**said, "credible": 0}, words["credible_none"]),
    ):
        changed = msgspec.structs.replace(first.measures, **measures)
        one = msgspec.structs.replace(first, measures=changed)
        page = to_html(msgspec.structs.replace(scored, identities=(one,)), language).decode()
        assert f"<dt>{words['credible']}</dt><dd>{text}</dd>" in page


def test_a_report_without_what_a_credible_set_holds_is_refused(report):
    raw = to_json(report).replace(b'"credible_held"', b'"credible_share"')
    with pytest.raises(MalformedError, match="credible_held"):
        from_json(raw)


def test_both_languages_have_the_same_words_with_the_same_places():
    for name, text in ENGLISH.items():
        assert sorted(re.findall(r"{\w+}", text)) == sorted(re.findall(r"{\w+}", ARABIC[name])), name


def test_a_name_from_a_table_cannot_break_out_of_the_page(scored):
    first, *rest = scored.identities
    bent = msgspec.structs.replace(
        scored, identities=(msgspec.structs.replace(first, name="<script>x"), *rest)
    )
    assert "<script>" not in to_html(bent, "en").decode()


def test_bars_of_a_waterfall_touch(scored):
    link = next(link for one in scored.identities for link in one.links)
    drawn = charts.waterfall(link.bars, 4.0, rest="the rest")
    assert len(drawn.blocks) == min(len(link.bars), charts.BARS_MAX + 2)
    for before, after in zip(drawn.blocks, drawn.blocks[1:], strict=False):
        ends = {round(before.x, 1), round(before.x + before.width, 1)}
        assert any(abs(edge - end) <= 1.2 for end in ends for edge in (after.x, after.x + after.width)), (
            "a bar begins where the one before ends"
        )
    assert all(0 <= block.x <= charts.WIDTH for block in drawn.blocks)


def test_dots_of_a_timeline_stay_inside(report):
    dots = charts.timeline(report.identities[0].timeline)
    assert dots
    assert all(0 <= dot.x <= charts.WIDTH and 0 <= dot.y <= 160 for dot in dots)
    assert charts.timeline(()) == ()
