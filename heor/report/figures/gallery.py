"""All figures of a study, and how they are written to a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from heor.analyses.study_results import StudyResults
from heor.report import files
from heor.report.figures import bars, candidates, canvas, curves, sensitivity, uncertainty
from heor.report.figures.picture import Picture
from heor.report.view import Facts

#: File that lists every figure with its title and caption.
CAPTIONS = "captions.md"

#: Formats in the order they are written.
FORMATS = tuple(canvas.WRITERS)


def pictures(facts: Facts) -> tuple[Picture, ...]:
    """Every figure that the results hold, in the order of a dossier."""
    rooms = (curves, candidates, bars, uncertainty, sensitivity)
    return tuple(picture for room in rooms for picture in room.pictures(facts))


def write_figures(
    results: StudyResults,
    folder: Path,
    formats: Sequence[str] = FORMATS,
    progress: Callable[[str, int, int], None] | None = None,
) -> list[str]:
    """Write every figure in every format, and the list of captions; all of them or none.

    Parameters
    ----------
    results : StudyResults
        Finished results; analyses that were left out have no figure.
    folder : Path
        Where the files go.
    formats : sequence of str
        Of `FORMATS`.
    progress : callable, optional
        Called with "figures", how many are done and how many there are.

    Returns
    -------
    list of str
        Names of the files in the order written.

    Raises
    ------
    HeorError
        When matplotlib is missing or a file cannot be written.
    """
    canvas.import_matplotlib()
    facts = Facts.of(results)
    shown = pictures(facts)
    return write_pictures(
        shown,
        folder,
        formats,
        origin=facts.origin(),
        version=results.version,
        texts={CAPTIONS: captions(facts, shown, formats)},
        progress=progress,
    )


def write_pictures(
    shown: Sequence[Picture],
    folder: Path,
    formats: Sequence[str],
    *,
    origin: str,
    version: str,
    texts: Mapping[str, str],
    progress: Callable[[str, int, int], None] | None = None,
) -> list[str]:
    """Write pictures in every format, and text files beside them; all of them or none.

    Returns
    -------
    list of str
        Names of the files in the order written.
    """
    names = []
    with files.staged(folder) as stage:
        for done, picture in enumerate(shown, start=1):
            drawn = canvas.render(picture, origin, version, formats)
            for ending, content in zip(formats, drawn, strict=True):
                names.append(f"{picture.name}.{ending}")
                (stage / names[-1]).write_bytes(content)
            if progress is not None:
                progress("figures", done, len(shown))
        for name, text in texts.items():
            names.append(name)
            (stage / name).write_text(text, encoding="utf-8", newline="\n")
    return names


def captions(facts: Facts, shown: Sequence[Picture], formats: Sequence[str]) -> str:
    """List the figures with title, caption and files, after what the study says of itself."""
    spec = facts.results.spec
    parts = [f"# Figures: {spec.settings.title or spec.name}", f"{facts.origin()}."]
    if facts.results.banner:
        parts.append("\n".join(f"> {line}  " for line in facts.results.banner))
    return caption_list(parts, shown, formats)


def caption_list(parts: Sequence[str], shown: Sequence[Picture], endings: Sequence[str]) -> str:
    """Give a list of figures, after some paragraphs."""
    found = list(parts)
    for number, picture in enumerate(shown, start=1):
        names = ", ".join(f"`{picture.name}.{ending}`" for ending in endings)
        found.append(f"**Figure {number}. {picture.title}.** {picture.caption} Files: {names}.")
    return "\n\n".join(found) + "\n"
