"""Coral's node agent: OTLP in, an hour of raw telemetry in DuckDB, scrubbed answers out.

The rooms, in the order in which data moves:

- ``receive``: the way in; OTLP over gRPC and HTTP. It knows a ``Sink`` and nothing behind it.
- ``decode``: pure; OTLP bytes to Arrow columns.
- ``store``: the only room that speaks DuckDB; journal, segments, retention.
- ``scrub``: pure; personal data out.
- ``query``: the way out; plan, read, scrub, encode.

``app.py`` opens them all, from the store outward.
"""

__version__ = "0.1.0"
