"""Charts as SVG and PNG for documents: the same charts, colours and numbers as the workbook's.

Drawn with matplotlib, an optional dependency that only `heor.report.figures.canvas` imports.
"""
