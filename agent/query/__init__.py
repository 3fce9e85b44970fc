"""The way out: a request becomes a Plan, rows are read, scrubbed and encoded."""
