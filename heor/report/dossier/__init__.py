"""Result tables as a Word document: what is in each table, and how Word gets it.

Written with python-docx, an optional dependency that only `heor.report.dossier.word` imports.
"""
