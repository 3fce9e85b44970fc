"""The agents: where they are (discovery), what each keeps (agents), asked again and again (registry)."""
