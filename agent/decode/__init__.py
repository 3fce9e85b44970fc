"""OTLP bytes to Arrow columns; pure."""
