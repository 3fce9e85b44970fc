"""What an agent answers."""
