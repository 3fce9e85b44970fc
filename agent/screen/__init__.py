"""What a person sees in a terminal. Telemetry is untrusted: everything passes ``text.safe`` and is never markup."""
