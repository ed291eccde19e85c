"""Work on spreadsheets in one headless LibreOffice, by messages of one JSON line each.

Runs under a Python that has UNO (Debian: the system Python with ``python3-uno``), as a subprocess
of the tests; `spreadsheet` is the other side. Standard input takes requests, standard output gives
one reply each, in order; when the input ends, LibreOffice is stopped.

=========  =======================================================================================
``open``   ``path``: load a workbook. Reply: ``sheets``, the used area of each as (rows, columns)
``change`` ``set``: list of (sheet, cell, number or text or null); then calculate, read the ranges
           ``read``: list of (sheet, range), look for error values where ``errors`` is true, and put
           the old contents back unless ``keep``. ``hard`` computes every formula, not only those
           that depend on what changed. Reply: ``values`` (a table a range), ``errors``
``close``  Close the workbook
=========  =======================================================================================

Every reply has ``seconds``, or ``failed`` with the reason.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from typing import Any

import uno
from com.sun.star.beans import PropertyValue
from com.sun.star.connection import NoConnectException
from com.sun.star.table.CellContentType import EMPTY, FORMULA, TEXT

#: Seconds that LibreOffice may take to answer for the first time.
START = 90

#: ``com.sun.star.sheet.CellFlags`` of numbers, dates, texts and formulas.
CONTENTS = 1 + 2 + 4 + 16

#: ``com.sun.star.sheet.FormulaResult``: errors; values, texts and errors.
ERROR, ANY = 4, 1 + 2 + 4

#: Cells with errors that a reply names; their number counts all.
NAMED = 20


class Office:
    """One LibreOffice with a profile of its own, and the workbook that it has open."""

    def __init__(self, program: str, profile: str) -> None:
        pipe = f"heor_{os.getpid()}_{uuid.uuid4().hex[:12]}"
        options = ("--headless", "--norestore", "--nologo", "--nodefault", "--nofirststartwizard")
        self.process = subprocess.Popen(
            [
                program,
                f"-env:UserInstallation={uno.systemPathToFileUrl(profile)}",
                *options,
                f"--accept=pipe,name={pipe};urp;",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.document: Any = None
        self.sheets: dict[str, Any] = {}
        self.with_formulas: dict[str, Any] = {}
        self.counts: Any = None
        self.desktop = self._connect(pipe)

    def _connect(self, pipe: str) -> Any:
        local = uno.getComponentContext()
        resolver = local.ServiceManager.createInstanceWithContext(
            "com.sun.star.bridge.UnoUrlResolver", local
        )
        end = time.monotonic() + START
        while True:
            try:
                context = resolver.resolve(f"uno:pipe,name={pipe};urp;StarOffice.ComponentContext")
            except NoConnectException:
                if self.process.poll() is not None or time.monotonic() > end:
                    self.stop()
                    raise
                time.sleep(0.1)
                continue
            return context.ServiceManager.createInstanceWithContext(
                "com.sun.star.frame.Desktop", context
            )

    def stop(self) -> None:
        """End LibreOffice and whatever it started."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
        self.process.wait()

    def open(self, request: dict[str, Any]) -> dict[str, Any]:
        self.close({})
        # as a template, so that no lock file is left beside the workbook
        options = tuple(PropertyValue(Name=n, Value=True) for n in ("Hidden", "AsTemplate"))
        url = uno.systemPathToFileUrl(request["path"])
        self.document = self.desktop.loadComponentFromURL(url, "_blank", 0, options)
        if self.document is None:
            raise RuntimeError(f"LibreOffice cannot open {request['path']}")
        # the profile has every formula computed on loading; later only when asked for
        self.document.enableAutomaticCalculation(False)
        self.document.calculate()
        # every call takes a millisecond or two, so what stays the same is asked for once
        self.sheets = {
            n: self.document.Sheets.getByName(n) for n in self.document.Sheets.ElementNames
        }
        self.with_formulas = {
            name: sheet
            for name, sheet in self.sheets.items()
            if sheet.queryFormulaCells(ANY).RangeAddresses
        }
        areas = {}
        for name, sheet in self.sheets.items():
            cursor = sheet.createCursor()
            cursor.gotoEndOfUsedArea(False)
            area = cursor.RangeAddress
            areas[name] = (area.EndRow + 1, area.EndColumn + 1)
        self._count_errors()
        return {"sheets": areas}

    def _count_errors(self) -> None:
        """Add a sheet that counts the errors of each sheet, so that only what changed is read."""
        every = self.document.Sheets
        title = f"errors {uuid.uuid4().hex[:8]}"
        every.insertNewByName(title, every.Count)
        last = max(len(self.with_formulas) - 1, 0)
        self.counts = every.getByName(title).getCellRangeByPosition(0, 0, 0, last)
        for row, sheet in enumerate(self.with_formulas.values()):
            cursor = sheet.createCursor()
            cursor.gotoEndOfUsedArea(True)
            area = cursor.AbsoluteName
            self.counts.getCellByPosition(0, row).setFormula(f"=SUMPRODUCT(ISERROR({area})*1)")
        self.document.calculate()

    def close(self, request: dict[str, Any]) -> dict[str, Any]:
        if self.document is not None:
            self.document.close(True)
            self.document = None
        return {}

    def change(self, request: dict[str, Any]) -> dict[str, Any]:
        before: list[tuple[Any, Any, Any]] = []
        try:
            for one in request.get("set", ()):
                before.append(self._put(*one))
            if request.get("hard"):
                self.document.calculateAll()
            else:
                self.document.calculate()
            reply: dict[str, Any] = {
                "values": [self._range(*one).getDataArray() for one in request.get("read", ())]
            }
            if request.get("errors"):
                reply["errors"] = self._errors()
        finally:
            if not request.get("keep"):
                for cell, kind, content in reversed(before):
                    self._restore(cell, kind, content)
        return reply

    def _range(self, sheet: str, address: str) -> Any:
        if sheet not in self.sheets:
            raise KeyError(f"there is no sheet {sheet}")
        return self.sheets[sheet].getCellRangeByName(address)

    def _put(self, sheet: str, address: str, value: float | str | None) -> tuple[Any, Any, Any]:
        cell = self._range(sheet, address)
        kind = cell.getType()
        if kind == FORMULA:
            raise ValueError(f"{sheet}!{address} holds a formula; only inputs can be changed")
        content = cell.getString() if kind == TEXT else cell.getValue()
        if value is None:
            cell.clearContents(CONTENTS)
        elif isinstance(value, str):
            cell.setString(value)
        else:
            cell.setValue(value)
        return cell, kind, content

    def _restore(self, cell: Any, kind: Any, content: Any) -> None:
        if kind == EMPTY:
            cell.clearContents(CONTENTS)
        elif kind == TEXT:
            cell.setString(content)
        else:
            cell.setValue(content)

    def _errors(self) -> dict[str, Any]:
        """Number of cells with an error value, and the first few with what they show."""
        counts = [int(row[0] or 0) for row in self.counts.getDataArray()]
        named: list[str] = []
        for sheet, found in zip(self.with_formulas.values(), counts, strict=False):
            for area in sheet.queryFormulaCells(ERROR).RangeAddresses if found else ():
                if len(named) < NAMED:
                    cell = sheet.getCellByPosition(area.StartColumn, area.StartRow)
                    named.append(f"{cell.AbsoluteName.replace('$', '')}: {cell.String}")
        return {"count": sum(counts), "cells": named}


def main(program: str, profile: str) -> None:
    """Serve until the input ends."""
    office = Office(program, profile)
    try:
        say({"ready": office.process.pid})
        for line in sys.stdin:
            request = json.loads(line)
            begun = time.monotonic()
            try:
                reply = getattr(office, request.pop("do"))(request)
            except Exception as error:
                reply = {"failed": f"{type(error).__name__}: {error}"}
            reply["seconds"] = time.monotonic() - begun
            say(reply)
    finally:
        office.stop()


def say(message: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
