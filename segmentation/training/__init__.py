"""The training loop: module, losses, schedules, callbacks, resuming.

Nothing here reads the configuration.
"""
