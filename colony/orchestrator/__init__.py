"""Asks many agents at once (asking), puts one page together (paging), and is what tools and commands call (orchestrator)."""
