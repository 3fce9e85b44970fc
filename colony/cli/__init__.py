"""The command line of the colony: ask every agent, without an assistant."""
