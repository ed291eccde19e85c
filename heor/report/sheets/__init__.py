"""The sheets of the report workbook, one module a group; the order is in `heor.report.workbook`."""
