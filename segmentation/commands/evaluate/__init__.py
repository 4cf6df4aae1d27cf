"""`evaluate.py`: score a model on a split and say where it fails; metrics are in `metrics/`."""
