"""The only room that speaks DuckDB: journal, segments, retention, reading."""
