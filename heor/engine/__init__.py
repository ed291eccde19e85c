"""Pure functions on arrays: from a study and a table of draws to outcomes."""
