"""Coral's colony: knows the agents, asks them, and puts their answers together.

The rooms, from the bottom up:

- ``merge``, ``trace``, ``sketch``: pure; many agents' rows in one order, spans as a tree, percentiles that can be added up.
- ``agent_client``: one agent over gRPC and mutual TLS, each call with a deadline.
- ``registry``: which agents there are, which services they host, how fresh that is, how wrong their clocks are.
- ``orchestrator``: asks many at once and says what became of each.
- ``summaries``: a day of one-minute summaries, pulled from the agents.
- ``desk``: what commands and tools call; when no agent answers it offers summaries.

``app.py`` opens them all.
"""

__version__ = "0.1.0"
