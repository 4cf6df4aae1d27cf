"""`train`: from a plan to a finished run directory. The training loop is in `training/`."""
