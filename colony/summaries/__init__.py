"""A day of one-minute summaries: pulled from agents (puller), kept in DuckDB (store), told as merged sketches (told)."""
