"""One job of a sweep as a child process, with its state, name and share of the machine.

No search.
"""
