"""Sweeps: a job is a child `train.py`, files are the state, Hydra's launchers do the scheduling."""
