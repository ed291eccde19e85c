"""How a sheet looks, prints and checks entries; what it holds is written by `heor.report.xlsx`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from heor.spec.parameters import FloatArray

#: Ends of a heat map: dark enough to tell apart, light enough to read on, and apart in grey.
BELOW_COLOUR, WHITE, ABOVE_COLOUR = "#F4B183", "#FFFFFF", "#9DC3E6"


class SheetView:
    """The part of a sheet that is not its cells: sizes, panes, print-out, charts, rules.

    Rows and columns are counted from 0.
    """

    _sheet: Any
    book: Any

    def widths(self, widths: Sequence[float], first: int = 0) -> None:
        """Set column widths in characters, from column ``first`` on."""
        for offset, width in enumerate(widths):
            self._sheet.set_column(first + offset, first + offset, width)

    def height(self, row: int, points: float) -> None:
        """Set the height of a row."""
        self._sheet.set_row(row, points)

    def freeze(self, rows: int, columns: int = 0) -> None:
        """Keep the first rows and columns in sight."""
        self._sheet.freeze_panes(rows, columns)

    def print_setup(
        self,
        *,
        repeat: tuple[int, int] | None = None,
        area: tuple[int, int, int, int] | None = None,
        pages: int = 0,
        grid: bool = False,
        large: bool = False,
    ) -> None:
        """Landscape, as wide as the page, titles repeated, page numbers at the foot.

        ``pages`` limits the pages below each other (0: as many as it takes); ``grid`` keeps the
        gridlines on the screen; ``large`` is A3 instead of A4.
        """
        sheet = self._sheet
        sheet.set_paper(8 if large else 9)
        sheet.set_landscape()
        sheet.fit_to_pages(1, pages)
        sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
        sheet.set_footer("&L&8&F&C&8&A&R&8Page &P of &N")
        sheet.hide_gridlines(1 if grid else 2)
        if repeat is not None:
            sheet.repeat_rows(*repeat)
        if area is not None:
            sheet.print_area(*area)

    def print_readably(self, rows: int, columns: int) -> None:
        """Print a long sheet's first rows only, and a wide sheet on pages side by side.

        A sheet of at most twice ``rows``, or with a print area of its own, prints as it is set up.
        """
        sheet = self._sheet
        wide, last = (sheet.dim_colmax or 0) >= columns, sheet.dim_rowmax or 0
        if last >= 2 * rows and not sheet.print_area_range:
            sheet.print_area(0, 0, rows - 1, sheet.dim_colmax)
            sheet.fit_to_pages(0, 1)
        elif wide:
            sheet.fit_to_pages(0, 1 if last < 2 * rows or sheet.print_area_range else 0)
        if wide:
            sheet.repeat_columns(0)

    def tab_colour(self, colour: str) -> None:
        """Colour the sheet's tab."""
        self._sheet.set_tab_color(colour)

    def place(
        self, row: int, column: int, chart: Any, *, width: int, height: int, alt: str
    ) -> None:
        """Place a chart with its alternative text; the size is in pixels."""
        chart.set_size({"width": width, "height": height})
        self._sheet.insert_chart(
            row, column, chart, {"description": alt, "object_position": 2, "x_offset": 4}
        )

    def heat_map(self, row: int, column: int, values: FloatArray) -> None:
        """Shade a block ``(row, column)`` of numbers: orange below 0, white at it, blue above.

        Where all are on one side of 0 the one next to it is white.
        """
        low, high = float(values.min()), float(values.max())
        far = max(-low, high)
        if low < 0 < high:
            rule = {
                "type": "3_color_scale",
                "min_type": "num",
                "mid_type": "num",
                "max_type": "num",
                "min_value": -far,
                "mid_value": 0,
                "max_value": far,
                "min_color": BELOW_COLOUR,
                "mid_color": WHITE,
                "max_color": ABOVE_COLOUR,
            }
        else:
            ends = (BELOW_COLOUR, WHITE) if high <= 0 else (WHITE, ABOVE_COLOUR)
            rule = {"type": "2_color_scale", "min_color": ends[0], "max_color": ends[1]}
        last = row + values.shape[0] - 1, column + values.shape[1] - 1
        self._sheet.conditional_format(row, column, *last, rule)

    def red_when(self, row: int, column: int, text: str, *, green: bool = True) -> None:
        """Turn a cell red when it holds a text, otherwise green if so wished."""
        add = self.book._book.add_format
        common = {"type": "text", "value": text}
        red = add({"bg_color": "#FFC7CE", "font_color": "#9C0006", "bold": True})
        self._sheet.conditional_format(
            row, column, row, column, {**common, "criteria": "containing", "format": red}
        )
        if not green:
            return
        good = add({"bg_color": "#E2F0D9", "font_color": "#006100"})
        self._sheet.conditional_format(
            row, column, row, column, {**common, "criteria": "not containing", "format": good}
        )

    def verdicts(self, first_row: int, last_row: int, column: int, good: str = "PASS") -> None:
        """Colour results of checks: FAIL red, CHANGED and LOOK amber, ``good`` green."""
        add = self.book._book.add_format
        red = {"bg_color": "#FFC7CE", "font_color": "#9C0006", "bold": True}
        amber = {"bg_color": "#FFEB9C", "font_color": "#7F6000", "bold": True}
        green = {"bg_color": "#E2F0D9", "font_color": "#006100"}
        looks = (("FAIL", red), ("CHANGED", amber), ("LOOK", amber), (good, green))
        for word, look in looks:
            rule = {"type": "text", "criteria": "containing", "value": word, "format": add(look)}
            self._sheet.conditional_format(first_row, column, last_row, column, rule)

    def choices(
        self, first_row: int, last_row: int, column: int, allowed: Sequence[str], title: str
    ) -> None:
        """Let Excel offer the allowed words of a column; blank stays allowed."""
        if len(",".join(allowed)) > 255:
            return
        self._sheet.data_validation(
            first_row,
            column,
            last_row,
            column,
            {
                "validate": "list",
                "source": list(allowed),
                "ignore_blank": True,
                "error_title": title[:32],
                "error_message": "Choose one of the listed words.",
            },
        )

    def choose_from(self, row: int, column: int, source: str, title: str) -> None:
        """Let Excel offer the texts of a range; blank stays allowed."""
        self._validate(row, column, {"validate": "list", "source": f"={source}"}, title)

    def whole_numbers(self, row: int, column: int, most: str, title: str) -> None:
        """Let Excel accept whole numbers from 0 to what a formula gives."""
        options = {"validate": "integer", "criteria": "between", "minimum": 0, "maximum": most}
        self._validate(row, column, options, title)

    def accept_when(self, row: int, column: int, condition: str, title: str, allowed: str) -> None:
        """Let Excel accept an entry where a condition over its cell holds."""
        options = {"validate": "custom", "value": f"={condition}", "error_message": allowed[:250]}
        self._validate(row, column, options, title)

    def _validate(self, row: int, column: int, options: Mapping[str, Any], title: str) -> None:
        common = {"ignore_blank": True, "error_title": title[:32]}
        self._sheet.data_validation(row, column, row, column, {**common, **options})

    def activate(self) -> None:
        """Show this sheet when the workbook opens."""
        self._sheet.activate()
