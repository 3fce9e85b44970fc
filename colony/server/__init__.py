"""The colony's MCP face: the server and its instructions (protocol), who may speak to it (guard), over HTTP (serving)."""
