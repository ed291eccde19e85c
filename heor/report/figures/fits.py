"""Pictures of patient data and the families fitted to them, each with its numbers as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from heor.fitting.compare import Comparison
from heor.fitting.diagnostics import Diagnostics
from heor.report.figures import canvas, fit_checks, fit_curves
from heor.report.figures.fit_style import FitPicture, FitView
from heor.report.figures.gallery import CAPTIONS, FORMATS, caption_list, write_pictures
from heor.study import package_version


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers of a picture as the text of a CSV file."""

    picture: FitPicture

    @property
    def text(self) -> str:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.picture.headings)
        writer.writerows(self.picture.rows)
        return file.getvalue()


def fit_pictures(view: FitView) -> list[FitPicture]:
    """Every picture that the data allow, in the order in which they are looked at.

    Groups whose names make the same file name are told apart by a number.
    """
    found: list[FitPicture] = []
    for picture in (*fit_curves.pictures(view), *fit_checks.pictures(view)):
        used, name, number = {one.name.lower() for one in found}, picture.name, 1
        while name.lower() in used:
            number += 1
            name = f"{picture.name}_{number}"
        found.append(replace(picture, name=name))
    return found


def write_fit_figures(
    comparisons: Sequence[Comparison],
    seen: Diagnostics,
    data: str,
    unit: str,
    horizon: float,
    folder: Path,
    formats: Sequence[str] = FORMATS,
) -> list[str]:
    """Draw the fits and write them with their numbers and captions; all files or none.

    Parameters
    ----------
    comparisons : sequence of Comparison
    seen : Diagnostics
    data : str
        Name of the file of patients.
    unit : str
        Time unit of the data.
    horizon : float
        Years over which curves are drawn on.
    folder : Path
    formats : sequence of str

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    HeorError
        When matplotlib is missing or a file cannot be written.
    """
    canvas.import_matplotlib()
    view = FitView(tuple(comparisons), seen, unit, horizon)
    shown = fit_pictures(view)
    version = package_version()
    origin = f"{data} · heor {version}"
    heading = [f"# Figures: survival in {data}", f"{origin}.", *view.warnings()]
    texts = {f"{one.name}.csv": _Numbers(one).text for one in shown}
    texts[CAPTIONS] = caption_list(heading, shown, (*formats, "csv"))
    return write_pictures(shown, folder, formats, origin=origin, version=version, texts=texts)
