"""One function for each command that people type: build, call, report.

No computation of its own.
"""
