"""Generated from telemetry_query.proto: ``make proto``."""
