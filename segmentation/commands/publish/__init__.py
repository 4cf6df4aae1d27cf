"""`publish`: a model directory with its card, to give away. Saving a model is in `models/`."""
