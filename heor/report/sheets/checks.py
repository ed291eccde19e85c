"""``Verification``: identities that hold whatever is chosen, and live results against the run's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from heor.analyses.cea import COST_TOLERANCE, QALY_TOLERANCE
from heor.engine.identities import TOLERANCE as OCCUPANCY_TOLERANCE
from heor.engine.outcomes import EVENTS
from heor.report.live import (
    Term,
    absolute,
    call,
    cells,
    every,
    largest,
    put,
    some,
    total,
    where,
)
from heor.report.lookup import sum_of
from heor.report.sheets.comparison import DASH
from heor.report.sheets.layout import CHANGE_TOLERANCE, Context, head, heading, table_head
from heor.report.sheets.run_record import write_record, write_warnings
from heor.report.xlsx import Sheet, Style

TITLE = "Verification"

#: Results of a check: kept, broken, not those of the run any more, worth a look, not applicable.
PASS, FAIL, CHANGED, LOOK = "PASS", "FAIL", "CHANGED", "LOOK"

#: Relative difference from heor's own result that a live one may have.
SAME = 1e-8

#: Numbers that formulas of several sheets compare with.
_TOLERANCES = (
    ("tolerance", "Relative change of an input that counts as a change", CHANGE_TOLERANCE),
    ("tolerance qaly", "QALYs or life years below which there is no difference", QALY_TOLERANCE),
    ("tolerance cost", "Money below which there is no difference", COST_TOLERANCE),
    ("tolerance occupancy", "How far occupancy may stray from 0 to 1", OCCUPANCY_TOLERANCE),
)

#: Totals: key, words, unit; heor's cost and QALYs are stored for every choice.
OUTCOMES = (("cost", "cost", "money"), ("qaly", "QALYs", "qaly"), ("ly", "life years", "qaly"))

#: Cells of the workbook that count what its sheets have no room for.
_MISSING = (
    ("rows missing", "Horizon longer than the rows of the calculation sheets (1: yes)"),
    ("steps missing", "Curves in use that need a step the trace has no column for"),
    ("norms missing", "Ages without a utility norm that the settings need"),
    ("utility gaps", "Cycles in which a state has no utility, or several"),
    ("schedule rows missing", "Scheduled charges without a row on Calc Schedules"),
)

_NUMBER = Style("formula", unit="number", align="right")
_VERDICT = Style("formula", bold=True, align="center")

Condition = Callable[[Term], Term]


def register_tolerances(ctx: Context) -> None:
    """Give the tolerances their cells, before any sheet is filled."""
    for key, meaning, value in _TOLERANCES:
        ctx.cells[key] = ctx.constants.term(value, meaning).text


def write_checks(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet."""
    row = head(ctx, sheet, "Verification: checks, warnings and the record of the run", live=True)
    row = _Identities(ctx, sheet).write(row)
    row = write_warnings(ctx, sheet, row + 1)
    write_record(ctx, sheet, row + 1)
    sheet.widths((66, 17, 17, 15, 15, 15, 15, 15, 20))
    sheet.freeze(4, 0)
    sheet.print_setup()


class _Identities:
    """The table of checks; each row has a value, what it must be, and a result."""

    def __init__(self, ctx: Context, sheet: Sheet) -> None:
        self.ctx, self.sheet = ctx, sheet
        self.row = self.first = 0
        self.results: list[str] = []
        self.tiny = ctx.constants.term(OCCUPANCY_TOLERANCE, "How far occupancy may stray")
        self.small = ctx.constants.term(QALY_TOLERANCE, "QALYs without a difference")
        self.cents = ctx.constants.term(COST_TOLERANCE, "Money without a difference")

    def write(self, row: int) -> int:
        """Write all rows; give the next."""
        ctx, sheet = self.ctx, self.sheet
        row = heading(
            sheet,
            row,
            "Checks",
            "Formulas over this workbook, true for every choice on Control. FAIL is an error; "
            "LOOK is worth reading; CHANGED: the workbook is no longer as heor made it.",
        )
        self.row = self.first = table_head(sheet, row, ("Check", "Value", "Must be", "Result"), 18)
        for strategy in ctx.strategies:
            self._occupancy(strategy)
            self._sums(strategy)
        self._population()
        for key, said in _MISSING:
            if key in ctx.live:
                self.add(said, ctx.live[key], "0", _is_zero)
        self._against_run()
        self._inputs()
        last = self.row - 1
        ctx.live["check results"] = cells(sheet, self.first, 3, last, 3, np.array(self.results))
        sheet.verdicts(self.first, self.row - 1, 3)
        return self.row

    def add(
        self,
        said: str,
        value: Term,
        must: str,
        condition: Condition,
        otherwise: str = FAIL,
        style: Style = _NUMBER,
    ) -> Term:
        """Write one row; ``condition`` of the value's cell gives PASS."""
        sheet, row = self.sheet, self.row
        sheet.text(row, 0, said)
        cell = put(sheet, row, 1, value, style)
        sheet.text(row, 2, must, Style(align="right"))
        self._result(where(condition(cell), PASS, otherwise))
        return cell

    def _result(self, verdict: Term) -> None:
        """Write the result of the row and go to the next."""
        self.results.append(str(put(self.sheet, self.row, 3, verdict, _VERDICT).value))
        self.row += 1

    def _occupancy(self, strategy: str) -> None:
        """Rows of methods 10, and crossing (methods 1.3)."""
        live, label = self.ctx.live, self.ctx.label(strategy)

        def of(key: str) -> Term:
            return live[f"{key} {strategy}"]

        zero = "0 or more"
        self.add(
            f"{label}: smallest share in any state at any time",
            of("smallest share"),
            zero,
            _not_below_zero(self.tiny),
        )
        self.add(
            f"{label}: largest share in any state at any time",
            of("largest share"),
            "1 or less",
            lambda cell: cell <= 1 + self.tiny,
        )
        self.add(
            f"{label}: furthest that the states' sum is from 1",
            of("sum off"),
            "0",
            _near_zero(self.tiny),
        )
        self.add(
            f"{label}: cycles in which the dead become fewer",
            of("dead falls"),
            "0",
            _is_zero,
        )
        curves = self.ctx.results.spec.curves_in_use(strategy)
        groups = {curve.group for curve in curves if curve.endpoint == "os"}
        if len(groups) > 1:
            weights = [live[f"weight {strategy} {group}"] for group in sorted(groups)]
            summed = sum_of(weights)
            assert summed is not None
            self.add(
                f"{label}: weights of the groups, sum minus 1",
                summed - 1,
                "0",
                _near_zero(self.tiny),
            )
            least = call("MIN", lambda *values: min(values), *weights)
            self.add(
                f"{label}: smallest weight of a group", least, zero, _not_below_zero(self.tiny)
            )
        limit = self.ctx.results.spec.settings.crossing_limit
        most = self.ctx.constants.term(limit, "Share of life years moved that is worth a warning")
        self.add(
            f"{label}: share of life years moved where curves cross",
            of("crossing share"),
            f"{limit:.2%} or less",
            lambda cell: cell <= most,
            LOOK,
            Style("formula", unit="percent_fine", align="right"),
        )
        self.add(
            f"{label}: curves cross under the rule “error” (1: yes)",
            of("crossing error"),
            "0",
            _is_zero,
        )

    def _sums(self, strategy: str) -> None:
        """Parts against totals, and the effect of discounting."""
        live, label = self.ctx.live, self.ctx.label(strategy)
        for suffix, said in (("", "discounted"), (" undiscounted", "undiscounted")):
            by_category, by_state = (
                live[f"{key}{suffix} {strategy}"] for key in ("cost", "cost by state")
            )
            self.add(
                f"{label}: {said} costs by category minus by state",
                by_category - by_state,
                "0",
                _near_zero(self.cents),
            )
        by_cycle = total(self.ctx.columns[f"qalys {strategy}"].all)
        apart = live[f"qaly {strategy}"] - live[f"qaly:{EVENTS} {strategy}"] - by_cycle
        self.add(
            f"{label}: QALYs by state minus by cycle",
            apart,
            "0",
            _near_zero(self.small),
        )
        self.add(
            f"{label}: life years minus QALYs",
            live[f"ly {strategy}"] - live[f"qaly {strategy}"],
            "0 or more",
            _not_below_zero(self.small),
        )
        for key, said, unit in OUTCOMES:
            # savings and utilities below 0 may grow smaller by discounting: no error there
            verdict = FAIL if key == "ly" else LOOK
            lost = live[f"{key} undiscounted {strategy}"] - live[f"{key} {strategy}"]
            slack = self.cents if key == "cost" else self.small
            self.add(
                f"{label}: {said} undiscounted minus discounted",
                lost,
                "0 or more",
                _not_below_zero(slack),
                verdict,
                Style("formula", unit=unit, align="right"),
            )

    def _population(self) -> None:
        """Nobody outlives the general population where its mortality is a floor.

        Not under `keep_higher`: OS raised to a PFS above it has no floor (methods 1.3, 1.7).
        """
        ctx = self.ctx
        background = ctx.columns.get("background")
        if background is None:
            return
        if "cohort off" in ctx.live:
            off = where(ctx.live["cohort off"] > self.tiny, 1, 0)
            self.add(
                "Shares of the ages at the start that do not sum to 1 (1: yes)", off, "0", _is_zero
            )
        for strategy in ctx.strategies:
            alive = ctx.columns[f"endpoint {strategy} os"]
            above = (alive.all > background.all + self.tiny) * ctx.columns["inside"].all
            applies = every(
                some(*(ctx.live["background_mortality"].equals(w) for w in ("floor", "add"))),
                some(*(ctx.live["crossing"].equals(w) for w in ("cap", "error"))),
                ctx.live["smr"] >= 1,
            )
            self.add(
                f"{ctx.label(strategy)}: cycles in which more live than of the general population",
                where(applies, _count(above), 0),
                "0",
                _is_zero,
            )

    def _against_run(self) -> None:
        """Live results against what heor computed for the same choice."""
        ctx = self.ctx
        same = ctx.constants.term(SAME, "Relative difference between a live result and heor's")
        for strategy in ctx.strategies:
            for key, said, _ in OUTCOMES[:2]:
                wanted = ctx.live[f"stored {key} {strategy}"]
                now = ctx.live[f"total {key} {strategy}"]
                known = Term(f"ISNUMBER({wanted.text})", not isinstance(wanted.value, str))
                number = Term(wanted.text, 0.0 if isinstance(wanted.value, str) else wanted.value)
                apart = where(known, absolute(now - number) / largest(1, absolute(number)), 0)
                changed = where(ctx.live["inputs changed"] > 0, CHANGED, FAIL)
                sheet, row = self.sheet, self.row
                sheet.text(
                    row, 0, f"{ctx.label(strategy)}: {said}, live against heor, relative difference"
                )
                cell = put(sheet, row, 1, apart, Style("formula", unit="tiny", align="right"))
                sheet.text(row, 2, "0", Style(align="right"))
                verdict = where(known, where(cell <= same, PASS, changed), DASH)
                self._result(verdict)

    def _inputs(self) -> None:
        live = self.ctx.live
        count = Style("link", unit="integer", align="right")
        self.add(
            "Input cells and own choices that differ from those at the run",
            live["inputs changed"],
            "0",
            _is_zero,
            CHANGED,
            count,
        )
        self.add(
            "of these, not followed by the live cells: run heor again",
            live["structure changed"],
            "0",
            _is_zero,
            FAIL,
            count,
        )


def _is_zero(cell: Term) -> Term:
    return cell.equals(0)


def _near_zero(slack: Term) -> Condition:
    return lambda cell: absolute(cell) <= slack


def _not_below_zero(slack: Term) -> Condition:
    return lambda cell: cell >= -slack


def _count(condition: Term) -> Term:
    return Term(f"SUMPRODUCT({condition.text})", float(np.sum(condition.value)))
