"""The agent's configuration."""
