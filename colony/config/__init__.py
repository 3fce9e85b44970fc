"""The configuration: what can be said (model), in which forms (fields), where it is said (sources)."""
