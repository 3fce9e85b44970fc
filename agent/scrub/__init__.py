"""Personal data out of everything that leaves; pure."""
