"""Options of ``heor fit`` on what to look at: targets, figures, diagnostics."""

from __future__ import annotations

from pathlib import Path

import click

from heor.cli import options
from heor.fitting import targets as target_files
from heor.fitting.targets import Target


def look_options(command: options.Command) -> options.Command:
    """Add targets, figures, diagnostics and the bandwidth of hazards."""
    for decorator in reversed(
        (
            click.option(
                "--target",
                "target_texts",
                multiple=True,
                metavar="[GROUP@]TIME=S[:LOW:HIGH]",
                help="Survival seen elsewhere, to hold curves against; may be repeated.",
            ),
            click.option(
                "--targets",
                "target_file",
                type=click.Path(path_type=Path),
                metavar="FILE.csv",
                help="The same: time, survival and maybe low, high, group, source.",
            ),
            click.option(
                "--figures",
                type=click.Path(path_type=Path, file_okay=False),
                metavar="FOLDER",
                help="Draw curves, hazards and diagnostics there, with their numbers.",
            ),
            click.option(
                "--diagnostics",
                type=click.Path(path_type=Path, dir_okay=False),
                metavar="FILE.json",
                help="Write what the data say without a family.",
            ),
            click.option(
                "--bandwidth",
                type=click.FloatRange(min=0, min_open=True),
                metavar="TIME",
                help="Of smoothed hazards.  [default: from the number of events]",
            ),
        )
    ):
        command = decorator(command)
    return command


def read_targets(texts: tuple[str, ...], path: Path | None) -> list[Target]:
    """Read targets of both options."""
    found = target_files.parse(texts)
    return found + (target_files.read(path) if path is not None else [])


def check(
    figures: Path | None, diagnostics: Path | None, targets: list[Target], *, excess: bool
) -> None:
    """Refuse what cannot be written, before anything is fitted."""
    if diagnostics is not None and diagnostics.suffix.lower() != ".json":
        raise click.UsageError(f"--diagnostics {diagnostics}: the file must end in .json.")
    if excess and (figures is not None or targets):
        raise click.UsageError(
            "--expected fits relative survival, and what is observed is survival of all causes: "
            "without --figures, --target and --targets."
        )
    if figures is None:
        return
    from heor.report.figures.canvas import import_matplotlib
    from heor.report.figures.gallery import FORMATS

    if figures.suffix.lower().removeprefix(".") in FORMATS:
        raise click.UsageError(
            f"--figures {figures}: several files are written, so give a folder, such as "
            f"--figures {figures.with_suffix('').as_posix()}."
        )
    import_matplotlib()
