"""``Change log``: what the analyst changed in this workbook, the run itself as the first row."""

from __future__ import annotations

from heor.report.sheets.layout import Context, fit_height, head, table_head
from heor.report.xlsx import AFTER_WRAP, NOTE, Sheet, Style

TITLE = "Change log"

#: Empty rows for the analyst.
ROWS = 40

_WIDTHS = (24, 18, 26, 22, 22, 70)


def write_change_log(ctx: Context, sheet: Sheet) -> None:
    """Fill the sheet."""
    row = head(ctx, sheet, "Change log", live=True)
    note = (
        "For notes on what is changed in this workbook. Notes are not read back by “heor run”, "
        "which makes a new workbook: copy them over. The cells themselves are read back."
    )
    sheet.text(row, 0, note, NOTE)
    heads = ("Date", "Who", "Sheet and cell", "Was", "Is now", "Why")
    row = table_head(sheet, row + 1, heads, 18, texts=heads[1:])
    repeat = (row - 1, row - 1)
    record = ctx.results.record
    made = (
        f"Made by heor {record.version} from the study {record.study}, inputs "
        f"{record.input_hash[:16]}, seed {record.seed}, {record.draws:,} draws. "
        f"Changes: {'; '.join(record.changes) or 'none, the study as its tables have it'}."
    )
    sheet.text(row, 0, record.started, Style("value"))
    for column, text in enumerate(("heor", "all", "", "", made), start=1):
        sheet.text(row, column, text, AFTER_WRAP)
    fit_height(sheet, row, ((made, _WIDTHS[-1]),))
    for empty in range(row + 1, row + 1 + ROWS):
        for column in range(len(_WIDTHS)):
            sheet.text(empty, column, "", Style("input", wrap=True))
    sheet.widths(_WIDTHS)
    sheet.freeze(repeat[1] + 1)
    sheet.print_setup(repeat=repeat, pages=1)
