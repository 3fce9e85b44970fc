"""Pure: the spans of one trace as a tree: who called whom (tree), when in one time (clocks), what mattered (path)."""
