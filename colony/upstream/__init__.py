"""Other people's MCP servers, asked on behalf of models.

- ``faults``: what can go wrong, typed; ``settings``: one server as configured; ``credentials``: what is sent and never told.
- ``wire``: HTTP under the SDK's client: headers, limits, and every fault of HTTP as an error that the SDK hands on.
- ``link``: one connection, from handshake to goodbye; ``client``: one server for ever: connect again, retry, relist.
- ``traceql``, ``shapes``, ``tempo``, ``sync``: Tempo's language, its answers, its tools, and the same without asyncio.
- ``grafana``: finds the Tempo behind a Grafana; ``factory``: all servers of a configuration.
- ``history``: spans older than what agents keep.
"""
