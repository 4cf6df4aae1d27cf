"""Change a sample at random: transforms, windows, mixing, corruptions.

Nothing here reads files.
"""
