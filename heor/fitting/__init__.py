"""Survival evidence: from data, medians and published curves to parameters of families."""
