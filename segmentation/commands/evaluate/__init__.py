"""`evaluate`: score a model on a split and its slices. The metrics are in `metrics/`."""
