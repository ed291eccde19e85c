"""All tables of a study in the order of a dossier, and how they are written to a file."""

from __future__ import annotations

from pathlib import Path

from heor.analyses.study_results import StudyResults
from heor.report import files
from heor.report.dossier import outcomes, study, uncertainty, word
from heor.report.dossier.parts import Part
from heor.report.view import Facts

#: Chapters in order; each gives nothing when the results do not hold it.
CHAPTERS = (
    study.front,
    study.settings,
    study.inputs,
    study.curves,
    study.costs,
    study.utilities,
    outcomes.base_case,
    outcomes.net_benefit,
    outcomes.breakdowns,
    outcomes.scenarios,
    uncertainty.one_way,
    outcomes.survival,
    uncertainty.probabilistic,
    study.references,
)


def parts_of(facts: Facts) -> list[Part]:
    """Every part of the document that the results hold."""
    return [part for chapter in CHAPTERS for part in chapter(facts)]


def write_dossier(results: StudyResults, path: Path, paper: str = "a4") -> None:
    """Write the tables as a Word document, whole or not at all.

    Parameters
    ----------
    results : StudyResults
        Finished results; analyses that were left out have no table.
    path : Path
        The .docx file.
    paper : str
        A key of `heor.report.dossier.word.PAPERS`.

    Raises
    ------
    HeorError
        When python-docx is missing or the file cannot be written.
    """
    word.import_docx()
    facts = Facts.of(results)
    title = results.spec.settings.title or results.spec.name
    content = word.render(parts_of(facts), title, facts.origin(), paper)
    with files.staged(path.parent) as stage:
        (stage / path.name).write_bytes(content)
