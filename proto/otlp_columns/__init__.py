"""OTLP with trimmed messages; generated from otlp_columns.proto: ``make proto``."""
