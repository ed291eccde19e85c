"""A changed study, written out as tables and read again, is the same study."""

import csv

import numpy as np
import pytest

from heor.engine.evaluate import evaluate
from heor.errors import Place
from heor.spec.changed_tables import with_tables
from heor.spec.draws import base, sample
from heor.spec.reader import apply_changes, read_study, shipped_studies
from heor.spec.records import Change

STUDY = shipped_studies() / "lifileucel_nsclc"


def change(target, value):
    return Change(target=target, value=value, place=Place("--set"))


def written(spec, folder):
    for table in spec.tables.values():
        with (folder / f"{table.name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([table.columns, *table.rows])
    return read_study(folder)


@pytest.mark.parametrize(
    "changes",
    [
        [("c_lif", "400000")],
        [("doc_dor_sigma", "0.6"), ("lif_dor_k", "0.7")],
        [("u_pf", "u_pd+0.1")],
        [("horizon", "10 years"), ("smr", "1.2"), ("thresholds", "20000; 30000")],
        [
            ("curve:lifileucel.response.responder", "lif_response_responder_no_plateau"),
            ("curve:lifileucel.pfs.responder", "lif_pfs_responder_no_plateau"),
        ],
    ],
)
def test_tables_follow_the_change(changes, tmp_path):
    spec = read_study(STUDY)
    made = [change(*pair) for pair in changes]
    changed = with_tables(apply_changes(spec, made), made)
    again = written(changed, tmp_path)
    assert changed.input_hash == again.input_hash != spec.input_hash
    for draws in (base, lambda s: sample(s, 3)):
        assert np.array_equal(
            evaluate(changed, draws(changed)).values, evaluate(again, draws(again)).values
        )


def test_the_note_says_what_the_value_was():
    spec = read_study(STUDY)
    made = [change("c_lif", "400000")]
    table = with_tables(apply_changes(spec, made), made).tables["parameters"]
    row = next(dict(zip(table.columns, r, strict=True)) for r in table.rows if r[0] == "c_lif")
    assert row["value"] == "400000"
    assert row["note"].startswith("Changed from 515000.")
    assert row["low"] == row["high"] == ""
