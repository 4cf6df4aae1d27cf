"""Start a command: configuration in, clear errors and JSON out.

Nothing here knows what a command does.
"""
