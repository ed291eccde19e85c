"""Recalculate a workbook in headless LibreOffice, whatever values it has stored.

With its default profile LibreOffice trusts the stored values of a file, so a test that compared
them would pass whatever the formulas say. The profile used here recalculates on load, always.
`recalculates` checks that on a control workbook with a wrong stored value.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
import xlsxwriter
from openpyxl import load_workbook

#: Seconds that one conversion may take.
TIMEOUT = 300

_PROFILE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"
 xmlns:xs="http://www.w3.org/2001/XMLSchema"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>
"""


def require_libreoffice() -> str:
    """Path of ``soffice``; without it the test is skipped, and in CI it fails."""
    program = shutil.which("soffice") or shutil.which("libreoffice")
    if program is None:
        reason = "LIBREOFFICE IS MISSING: no formula of the workbook has been checked"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return program


def write_profile(folder: Path) -> None:
    """Make a LibreOffice profile that computes every formula of a file when it opens it."""
    settings = folder / "user" / "registrymodifications.xcu"
    settings.parent.mkdir()
    settings.write_text(_PROFILE, encoding="utf-8")


def recalculate(path: Path, out_dir: Path) -> Path:
    """Convert a workbook to xlsx with every formula computed afresh.

    Parameters
    ----------
    path : Path
        The workbook to read.
    out_dir : Path
        Folder for the result, made if needed; not the workbook's own.

    Returns
    -------
    Path
        The new workbook, of the same name.
    """
    program = require_libreoffice()
    out_dir.mkdir(parents=True, exist_ok=True)
    result = out_dir / f"{path.stem}.xlsx"
    if result.resolve() == path.resolve():
        raise ValueError(f"{out_dir} holds the workbook itself")
    with tempfile.TemporaryDirectory(prefix="libreoffice-") as profile:
        write_profile(Path(profile))
        command = [
            program,
            f"-env:UserInstallation={Path(profile).as_uri()}",
            "--headless",
            "--convert-to",
            "xlsx:Calc MS Excel 2007 XML",
            "--outdir",
            str(out_dir),
            str(path),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    if not result.exists():
        raise RuntimeError(f"LibreOffice wrote nothing: {done.stdout}{done.stderr}")
    return result


def recalculates(folder: Path) -> bool:
    """Whether `recalculate` mends a wrong stored value: the control of every such test."""
    source = folder / "control.xlsx"
    with xlsxwriter.Workbook(str(source)) as book:
        sheet = book.add_worksheet("Control")
        sheet.write_number("A1", 20.0)
        sheet.write_formula("A2", "=A1+1", value=99.0)
    if load_workbook(source, data_only=True)["Control"]["A2"].value != 99:
        raise AssertionError("the control workbook does not hold its wrong value")
    mended = load_workbook(recalculate(source, folder / "recalculated"), data_only=True)
    return bool(mended["Control"]["A2"].value == 21)
