"""Word tables: the numbers of the engine, native Word, the same bytes, safe with any text."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from docx import Document
from docx.enum.section import WD_ORIENT
from study_folder import TABLES, write_study

from heor.report.curve_facts import crossing_time
from heor.report.dossier import word
from heor.report.dossier.parts import Group, Heading, Paragraph, Table
from heor.report.dossier.study import when
from heor.report.dossier.write import parts_of, write_dossier
from heor.report.files import CannotWrite
from heor.report.view import Facts
from heor.spec.reader import read_study, shipped_studies
from heor.study import Plan, run_study

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
TARGETS = """label,strategy,endpoint,group,time,time_unit,value,low,high,source,used_in_fitting
OS at 2 years,old,os,,2,year,0.5,0.4,0.6,known,no
OS at 3 years,old,os,,3,year,0.5,0.4,0.6,known,yes
Median OS,new,os,,,month,40,,,known,no
"""
REFERENCES = "key,citation,url\nknown,Author A. Journal 2020.,https://example.org/a\n"
AWKWARD = 'Price <&> "quoted" ]]> \u00e9'


@pytest.fixture(scope="module")
def facts(tmp_path_factory):
    quoted = AWKWARD.replace('"', '""')
    parameters = TABLES["parameters"].replace("price,Price,", f'price,"{quoted}",')
    folder = write_study(
        tmp_path_factory.mktemp("inputs") / "two",
        validation_targets=TARGETS,
        references=REFERENCES,
        parameters=parameters,
    )
    return Facts.of(run_study(read_study(folder), Plan(draws=80)))


@pytest.fixture(scope="module")
def parts(facts):
    return parts_of(facts)


@pytest.fixture(scope="module")
def tables(parts):
    return {part.caption: part for part in parts if isinstance(part, Table)}


@pytest.fixture(scope="module")
def written(facts, tmp_path_factory):
    path = tmp_path_factory.mktemp("out") / "dossier.docx"
    write_dossier(facts.results, path)
    return path


@pytest.fixture(scope="module")
def document(written):
    return Document(str(written))


def rows(table: Table) -> dict[str, list[str]]:
    return {row[0]: list(row[1:]) for row in table.rows if not isinstance(row, Group)}


def test_every_table_of_a_dossier_is_there_in_order(tables) -> None:
    assert list(tables) == [
        *("Strategies", "Health states", "Settings", "Parameters", "Survival curves"),
        *("Cost items, USD", "Utilities"),
        "Results per patient, discounted and undiscounted",
        "Increments against Old care",
        "Cost-effectiveness ratios against Old care",
        "Fully incremental analysis",
        "Net monetary benefit per patient; increments against Old care",
        "Costs by category, USD per patient",
        "Costs by health state, USD per patient",
        "Life years by health state, per patient",
        "QALYs by health state, per patient",
        "Scenarios: New drug against Old care",
        "One-way analysis: New drug against Old care, the 4 widest of 4",
        "Modelled curves at landmarks",
        "Published numbers and the model",
        "Means over the draws, per patient, discounted",
        "Draws by quadrant of the cost-effectiveness plane",
        "Probability of being cost-effective and value of perfect information",
        "References",
    ]


def test_missing_analyses_have_no_table(facts) -> None:
    bare = run_study(facts.results.spec, Plan(skip=("accrual", "scenarios", "dsa", "psa")))
    captions = [p.caption for p in parts_of(Facts.of(bare)) if isinstance(p, Table)]
    assert not [c for c in captions if c.startswith(("Scenarios", "One-way", "Means", "Draws"))]


def test_the_banner_and_the_warnings_stand_before_any_number(facts, parts) -> None:
    first = next(place for place, part in enumerate(parts) if isinstance(part, Table))
    before = [part.text for part in parts[:first] if isinstance(part, Paragraph)]
    for line in facts.results.banner:
        assert line in before
    for line in facts.results.record.warnings:
        assert f"{line[0].upper()}{line[1:]}." in before
    assert facts.results.record.warnings


def test_parameters_have_everything_a_reviewer_asks_for(tables) -> None:
    found = rows(tables["Parameters"])
    price = found["price"]
    assert price[:3] == [AWKWARD, "90,000", "USD"]
    assert price[3] == "gamma(shape=100, scale=900)"
    assert price[6:] == ["assumption", "assumption"]
    assert found["hr"][3:6] == ["fixed", "0.4", "0.7"]
    assert found["half"][3] == "= rate/2"
    assert list(found) == ["price", "rate", "hr", "u", "half"]


def test_base_case_is_the_engine_s(facts, tables) -> None:
    base = facts.results.base
    found = rows(tables["Results per patient, discounted and undiscounted"])
    for one in base.strategies:
        assert found[one.label] == [
            *(f"{one.cost:,.0f}", f"{one.cost_undiscounted:,.0f}"),
            *(f"{one.ly:.3f}", f"{one.ly_undiscounted:.3f}"),
            *(f"{one.qaly:.3f}", f"{one.qaly_undiscounted:.3f}", f"{one.evly:.3f}"),
        ]
    pair = base.pairwise[0]
    increments = rows(tables["Increments against Old care"])["New drug"]
    assert increments[0] == f"{pair.delta_cost:,.0f}"
    assert increments[4] == f"{pair.delta_qaly:.3f}"
    assert increments[6] == f"{pair.evlyg:.3f}"
    ratios = rows(tables["Cost-effectiveness ratios against Old care"])["New drug"]
    assert ratios == [f"{v:,.0f}" for v in (pair.icer, pair.cost_per_ly, pair.cost_per_evlyg)]
    last = rows(tables["Fully incremental analysis"])["New drug"]
    assert last[-1] == f"{base.incremental[-1].icer:,.0f}"


def test_breakdowns_add_up_and_increments_are_differences(facts, tables) -> None:
    table = tables["Costs by category, USD per patient"]
    assert list(table.heads) == [
        *("Category", "Old care", "New drug", "New drug − Old care"),
        *("Old care, undiscounted", "New drug, undiscounted"),
        "New drug − Old care, undiscounted",
    ]
    found = rows(table)
    old, new = facts.results.base.strategies
    pair = facts.results.base.pairwise[0]
    assert found["Drug"][1] == f"{new.cost_by_category['drug']:,.0f}"
    totals = (old.cost, new.cost, pair.delta_cost, old.cost_undiscounted, new.cost_undiscounted)
    assert found["Total"] == [f"{v:,.0f}" for v in (*totals, pair.delta_cost_undiscounted)]
    assert list(table.bold) == [len(table.rows) - 1]
    assert rows(tables["QALYs by health state, per patient"])["Total"][:3] == [
        f"{v:.3f}" for v in (old.qaly, new.qaly, pair.delta_qaly)
    ]


def test_net_benefit_per_threshold(facts, tables) -> None:
    found = rows(tables["Net monetary benefit per patient; increments against Old care"])
    base = facts.results.base
    for place, threshold in enumerate(base.thresholds):
        old, new = base.strategies
        assert found[f"{threshold:,.0f}"] == [
            *(f"{v:,.0f}" for v in (old.nmb[place], new.nmb[place], base.pairwise[0].inmb[place])),
            facts.label(base.best[place]),
        ]


def test_scenarios_are_against_the_base_study_s_reference(facts, tables) -> None:
    found = rows(tables["Scenarios: New drug against Old care"])
    pair = facts.results.base.pairwise[0]
    assert found["Base case"][1] == f"{pair.delta_cost:,.0f}"
    for scenario in facts.results.scenarios:
        mine, theirs = (scenario.result.totals(s) for s in ("new", "old"))
        row = found[scenario.name]
        assert row[0] == scenario.purpose
        assert row[1] == f"{mine.cost - theirs.cost:,.0f}"
        assert row[2] == f"{mine.qaly - theirs.qaly:.3f}"
        if scenario.name == "No gain":
            assert row[3] == "dominated: same QALYs, more costly"
        elif scenario.name != "Free drug":
            ratio = (mine.cost - theirs.cost) / (mine.qaly - theirs.qaly)
            assert row[3] == f"{ratio:,.0f}"
    assert found["Turned round"][1:] == found["Same"][1:]


def test_one_way_table_has_the_widest_first(facts, tables) -> None:
    dsa = facts.results.dsa
    index = dsa.thresholds.index(dsa.threshold)
    table = tables["One-way analysis: New drug against Old care, the 4 widest of 4"]
    swings = [float(row[5].replace(",", "")) for row in table.rows]
    assert swings == sorted(swings, reverse=True)
    bar = dsa.comparisons[0].bars[0]
    assert table.rows[0][3:5] == tuple(f"{p.inmb[index]:,.0f}" for p in (bar.low, bar.high))
    assert table.rows[0][6:] == tuple(f"{p.icer:,.0f}" for p in (bar.low, bar.high))


def test_psa_table_has_errors_and_intervals(facts, tables) -> None:
    made = facts.results.psa_summary
    table = tables["Means over the draws, per patient, discounted"]
    groups = [row.text for row in table.rows if isinstance(row, Group)]
    assert groups == ["Old care", "New drug", "New drug against Old care"]
    found = rows(table)
    one = made.increments[0]
    cost = one.delta_cost
    numbers = (cost.mean, cost.mcse, cost.sd, cost.low, cost.high)
    assert found["Extra cost, USD"] == [f"{v:,.0f}" for v in numbers]
    gain = one.delta_qaly
    wanted = [f"{gain.mean:.3f}", f"{gain.mcse:.4f}"]
    assert found["QALYs gained"] == [*wanted, *(f"{v:.3f}" for v in (gain.sd, gain.low, gain.high))]
    assert found["ICER of the means, USD per QALY"][:2] == [
        f"{one.icer:,.0f}",
        f"{one.icer_mcse:,.0f}",
    ]


def test_acceptability_table(facts, tables) -> None:
    at = facts.results.psa_summary.at_thresholds
    caption = "Probability of being cost-effective and value of perfect information"
    for place, row in enumerate(tables[caption].rows):
        error = facts.results.psa_summary.strategies[1].probability[place].mcse
        assert row[0] == f"{at.thresholds[place]:,.0f}"
        assert row[2] == f"{100 * at.ceac[place, 1]:.1f}% ({100 * error:.2f})"
        assert row[-1] == f"{at.evpi[place]:,.0f}"


def test_published_numbers_stand_beside_the_closed_form(tables) -> None:
    """OS of old care is exp(-0.4 t): 44.9% at 2 years, 30.1% at 3; median of new 41.6 months."""
    found = rows(tables["Published numbers and the model"])
    assert found["OS at 2 years"][3:] == ["50.0%", "40.0% to 60.0%", "44.9%", "yes", "no", "known"]
    assert found["OS at 3 years"][3:] == ["50.0%", "40.0% to 60.0%", "30.1%", "no", "yes", "known"]
    assert found["Median OS"][2:] == ["median, months", "40.0", "–", "41.6", "–", "no", "known"]
    landmarks = tables["Modelled curves at landmarks"].rows
    old = next(row for row in landmarks if row[:2] == ("Overall survival", "Old care"))
    assert old[3:6] == ("20.8", "81.9%", "67.0%")


def test_a_curve_that_never_halves_has_no_median(facts) -> None:
    trace = facts.traces["new"]
    assert crossing_time(trace.time, trace.endpoints["os"][0] * 0 + 0.6, 0.5) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"trigger": "start", "state": ""}, "once, at the start"),
        ({"trigger": "entry", "state": "dead"}, "once, at death"),
        ({"trigger": "exit", "state": "pfs"}, "once, on leaving progression-free survival"),
        (
            {"per": "month", "until": 24.0, "time_unit": "month"},
            "per month in progressed, until month 24",
        ),
        (
            {"per": "week", "start": 1.0, "group": "responder"},
            "per week in progressed, from year 1; group responder",
        ),
        ({"trigger": "schedule", "every": 3.0, "time_unit": "week"}, "every 3 weeks in progressed"),
    ],
)
def test_costs_say_when_they_are_charged(facts, changes, words) -> None:
    from small_studies import cost

    values = {"state": "pd", **changes}
    trigger = values.pop("trigger", "in_state")
    assert when(facts, cost("new", trigger, 1.0, **values)) == words


def test_the_shipped_studies_fit(tmp_path: Path) -> None:
    for name in ("lifileucel_nsclc", "three_strategies"):
        spec = read_study(shipped_studies() / name)
        results = run_study(spec, Plan(draws=20, skip=("accrual", "scenarios", "dsa")))
        write_dossier(results, tmp_path / f"{name}.docx")
        found = Document(str(tmp_path / f"{name}.docx"))
        parts = [p for p in parts_of(Facts.of(results)) if isinstance(p, Table)]
        assert len(found.tables) == len(parts)


# --- Word --------------------------------------------------------------------------------------


def test_tables_are_native_with_repeated_heads_and_whole_rows(document, tables) -> None:
    assert len(document.tables) == len(tables)
    for native, made in zip(document.tables, tables.values(), strict=True):
        first, *rest = native._tbl.tr_lst
        assert len(rest) == len(made.rows)
        assert first.find(f"{W}trPr/{W}tblHeader") is not None
        for row in (first, *rest):
            assert row.find(f"{W}trPr/{W}cantSplit") is not None
        assert [cell.text for cell in native.rows[0].cells] == list(made.heads)
        plain = [i for i, row in enumerate(made.rows) if not isinstance(row, Group)]
        for place in plain[:3]:
            assert [cell.text for cell in native.rows[place + 1].cells] == list(made.rows[place])


def test_numbers_stand_to_the_right_and_words_to_the_left(document, tables) -> None:
    for native, made in zip(document.tables, tables.values(), strict=True):
        for cell, side in zip(native.rows[0].cells, made.align, strict=True):
            right = cell.paragraphs[0]._p.find(f"{W}pPr/{W}jc")
            assert (right is not None) == (side == "r")
        for row in made.rows:
            if isinstance(row, Group):
                continue
            for text, side in zip(row, made.align, strict=True):
                digits = text.replace(",", "").replace(".", "").lstrip("-")
                mixed = made.caption in ("Settings", "Survival curves")
                assert side == "r" or mixed or not digits.isdigit()


def test_captions_are_numbered_fields(document, tables) -> None:
    captions = [p for p in document.paragraphs if p.style.name == "Caption"]
    for number, (found, caption) in enumerate(zip(captions, tables, strict=True), start=1):
        field = found._p.find(f"{W}fldSimple")
        assert field.get(f"{W}instr") == "SEQ Table \\* ARABIC"
        text = "".join(node.text for node in found._p.iter(f"{W}t"))
        assert text == f"Table {number}. {caption}"
        assert found.style.paragraph_format.keep_with_next


@pytest.mark.parametrize("paper", list(word.PAPERS))
def test_wide_tables_turn_the_page(facts, parts, paper) -> None:
    made = Document(io.BytesIO(word.render(parts, "Title", "origin", paper)))
    short, long = (round(side, 1) for side in word.PAPERS[paper])
    seen = set()
    for section in made.sections:
        size = (round(section.page_width.mm, 1), round(section.page_height.mm, 1))
        wide = section.orientation == WD_ORIENT.LANDSCAPE
        assert size == ((long, short) if wide else (short, long))
        seen.add(wide)
    assert seen == {True, False}


def test_no_table_is_wider_than_its_page(document) -> None:
    body = document.element.body
    waiting, widths = [], []
    for child in body:
        if child.tag == f"{W}tbl":
            waiting.append(int(child.find(f"{W}tblPr/{W}tblW").get(f"{W}w")))
        sections = child.iter(f"{W}sectPr")
        for section in sections:
            page = int(section.find(f"{W}pgSz").get(f"{W}w"))
            margins = section.find(f"{W}pgMar")
            room = page - sum(int(margins.get(f"{W}{side}")) for side in ("left", "right"))
            widths += [(width, room) for width in waiting]
            waiting = []
    assert not waiting
    assert len(widths) == len(document.tables)
    for width, room in widths:
        assert abs(width - room) <= 30


def test_every_page_has_the_origin_and_its_number(facts, document) -> None:
    foot = document.sections[0].footer.paragraphs[0]
    assert facts.origin() in foot.text
    assert foot._p.find(f"{W}fldSimple").get(f"{W}instr") == "PAGE"
    assert all(section.footer.is_linked_to_previous for section in document.sections[1:])


def test_two_runs_give_the_same_bytes_without_dates(facts, written, tmp_path: Path) -> None:
    write_dossier(facts.results, tmp_path / "again.docx")
    assert (tmp_path / "again.docx").read_bytes() == written.read_bytes()
    with zipfile.ZipFile(written) as archive:
        core = archive.read("docProps/core.xml").decode()
        for name in archive.namelist():
            assert archive.getinfo(name).date_time == (1980, 1, 1, 0, 0, 0)
            if name.endswith(".xml"):
                ET.fromstring(archive.read(name))
    assert "created" not in core
    assert "modified" not in core


def test_control_characters_and_line_ends_are_no_trouble() -> None:
    table = Table(caption="a\x00<b>", heads=("x",), rows=[("1\x0b\n2",)], align="l", widths=(1,))
    content = word.render([Heading("h\x01"), table, Paragraph("p\x02")], "t\x03", "o", "a4")
    found = Document(io.BytesIO(content))
    assert found.tables[0].cell(1, 0).text == "1\n2"
    assert found.paragraphs[0].text == "h"


def test_a_table_whose_columns_disagree_is_refused() -> None:
    with pytest.raises(ValueError, match="columns do not agree"):
        Table(caption="x", heads=("a", "b"), rows=[("1",)], align="ll", widths=(1, 1))


def test_a_file_that_cannot_be_written_is_a_sentence(facts, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot write to"):
        write_dossier(facts.results, tmp_path / "file" / "dossier.docx")


def test_without_python_docx_the_message_has_the_command(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    with pytest.raises(word.NotInstalled, match=r'pip install "heor\[docx\]"'):
        word.import_docx()
