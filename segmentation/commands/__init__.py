"""A page for each command that people type: build from a plan of `build/`, call, report.

No configuration and no computation. Each room's page is its `command.py`.
"""
