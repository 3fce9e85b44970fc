"""The command line: what is typed (options, commands), who is asked (ask), and how answers look."""
