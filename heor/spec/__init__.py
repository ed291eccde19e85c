"""What a study is, as frozen data: expressions, distributions, parameters, records, tables."""
