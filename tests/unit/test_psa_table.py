import numpy as np
import pytest

from heor.analyses import ceac, psa_table
from heor.errors import InputErrors

LONG = """draw,strategy,cost,qaly,ly,cost:drug
1,old,100,1.5,2,50
1,new,400,2.5,3,300
2,new,500,2,3,400
2,old,90,1,2,40
"""
WIDE = """draw,cost:old,qaly:old,Cost_new,QALY_new
1,100,1.5,400,2.5
2,90,1,500,2
"""


def read(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "psa.csv"
    path.write_text(text, encoding=encoding)
    return psa_table.read_psa(path)


def problems(tmp_path, text, **options):
    with pytest.raises(InputErrors) as caught:
        read(tmp_path, text, **options)
    return [str(problem).replace(str(tmp_path), "…") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "text", [LONG, WIDE, LONG.replace("draw,strategy,cost,qaly", "Sim,Treatment,Costs,Effects")]
)
def test_long_and_wide_give_the_same(tmp_path, text):
    table = read(tmp_path, text)
    assert table.draws == ("1", "2")
    assert table.strategies == ("old", "new")
    np.testing.assert_array_equal(table.costs, [[100, 400], [90, 500]])
    np.testing.assert_array_equal(table.qalys, [[1.5, 2.5], [1, 2]])


def test_byte_order_mark_comments_and_blank_lines(tmp_path):
    text = "# from somewhere\n" + LONG.replace("\n2,new", "\n\n# note, in the middle\n2,new")
    assert read(tmp_path, text, encoding="utf-8-sig").draws == ("1", "2")


def test_wide_without_draws_counts_them(tmp_path):
    lines = [line.split(",", 1)[1] for line in WIDE.splitlines()]
    assert read(tmp_path, "\n".join(lines)).draws == ("1", "2")


def test_all_problems_at_once_with_their_places(tmp_path):
    text = LONG.replace("400,2.5", "4 00,").replace("500,2,", "nan,inf,")
    assert problems(tmp_path, text) == [
        "…/psa.csv, row 3, column cost: expected a number, found '4 00'",
        "…/psa.csv, row 3, column qaly: expected a number, found an empty cell",
        "…/psa.csv, row 4, column cost: expected a number, found 'nan'",
        "…/psa.csv, row 4, column qaly: expected a number, found 'inf'",
    ]


def test_repeated_and_missing_pairs(tmp_path):
    assert problems(tmp_path, LONG.replace("2,old", "1,old")) == [
        "…/psa.csv: draw 2 has no row for old",
        "…/psa.csv, row 5: draw 1 of strategy old is there twice",
    ]


def test_missing_labels(tmp_path):
    assert "…/psa.csv, row 2, column strategy: there is no strategy" in problems(
        tmp_path, LONG.replace("1,old", "1,")
    )


def test_misspelt_column(tmp_path):
    (message,) = problems(tmp_path, LONG.replace("strategy", "stratgy"))
    assert message.startswith(
        "…/psa.csv, row 1: there is no column 'strategy'; is 'stratgy' meant?"
    )


def test_repeated_column(tmp_path):
    assert problems(tmp_path, LONG.replace("ly,cost:drug", "cost,ly")) == [
        "…/psa.csv, row 1, column cost: column 'cost' is there twice"
    ]


def test_wide_with_a_column_missing(tmp_path):
    assert problems(tmp_path, WIDE.replace("QALY_new", "note")) == [
        "…/psa.csv, row 1: strategy new has no column 'qaly:new'"
    ]


def test_wide_with_a_repeated_draw(tmp_path):
    assert problems(tmp_path, WIDE.replace("\n2,", "\n1,")) == [
        "…/psa.csv, row 3, column draw: draw 1 is there twice"
    ]


def test_one_strategy_is_too_few(tmp_path):
    assert problems(tmp_path, "draw,strategy,cost,qaly\n1,old,1,1\n") == [
        "…/psa.csv: at least two strategies are needed, found 1"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("draw,strategy,cost,qaly\n", "there are no rows below the headings"),
        ("draw;strategy;cost;qaly\n1;old;1,5;1\n", "columns are parted by ';'"),
    ],
)
def test_files_that_are_no_table(tmp_path, text, message):
    assert message in problems(tmp_path, text)[0]


def test_not_utf8(tmp_path):
    assert "not UTF-8 text" in problems(tmp_path, LONG.replace("old", "ält"), encoding="latin-1")[0]


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(InputErrors, match="there is no such file"):
        psa_table.read_psa(tmp_path / "none.csv")
    with pytest.raises(InputErrors, match="this is a folder"):
        psa_table.read_psa(tmp_path)


def test_many_problems_are_summed_up(tmp_path):
    text = "draw,strategy,cost,qaly\n" + "".join(f"{i},old,x,1\n{i},new,1,1\n" for i in range(80))
    messages = problems(tmp_path, text)
    assert len(messages) == psa_table.MOST_PROBLEMS + 1
    assert "…/psa.csv: … and 30 problems more" in messages


def test_analyse(tmp_path):
    table = read(tmp_path, LONG)
    result = psa_table.analyse(table, (0, 300, 1000))
    assert result.frontier == ("old", "new")
    assert result.incremental[1].icer == pytest.approx((450 - 95) / (2.25 - 1.25))
    assert result.acceptability.ceac.tolist() == [[1, 0], [0.75, 0.25], [0, 1]]
    assert result.n == 2
    axis = psa_table.analyse(table).acceptability.thresholds
    np.testing.assert_array_equal(axis, ceac.threshold_grid(table.costs, table.qalys))


EFFECTS = "old,new\n1.5,2.5\n1,2\n"
COSTS = '"","new","old"\n"1",400,100\n"2",500,90\n'


def write_matrices(tmp_path, effects, costs):
    places = tmp_path / "e.csv", tmp_path / "c.csv"
    for place, text in zip(places, (effects, costs), strict=True):
        place.write_text(text, encoding="utf-8")
    return places


def test_two_matrices_give_the_same_whatever_their_order(tmp_path):
    table = psa_table.read_matrices(*write_matrices(tmp_path, EFFECTS, COSTS))
    assert table.draws == ("1", "2")
    assert table.strategies == ("old", "new")
    np.testing.assert_array_equal(table.costs, [[100, 400], [90, 500]])
    np.testing.assert_array_equal(table.qalys, [[1.5, 2.5], [1, 2]])


@pytest.mark.parametrize(
    ("effects", "costs", "expected"),
    [
        (EFFECTS, "old,best\n1,2\n3,4\n", ["there is no column of strategy 'new'", "'best'"]),
        (EFFECTS, "old,new\n1,2\n", ["c.csv: draw 2 of the PSA output has no row"]),
        (EFFECTS, "old,new\n1,2\n3,4\n5,6\n", ["c.csv, row 4: draw 3 is not in the PSA output"]),
        ("old\n1\n2\n", "old\n1\n2\n", ["at least two strategies are needed, found 1"]),
        (EFFECTS.replace("2.5", "x"), COSTS, ["row 2, column new: expected a number, found 'x'"]),
    ],
)
def test_matrices_that_do_not_fit(tmp_path, effects, costs, expected):
    with pytest.raises(InputErrors) as caught:
        psa_table.read_matrices(*write_matrices(tmp_path, effects, costs))
    text = "\n".join(str(problem) for problem in caught.value.problems)
    assert all(words in text for words in expected), text
