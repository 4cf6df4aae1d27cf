"""`train.py`: from a configuration to a finished run directory.

The training loop is in `training/`.
"""
