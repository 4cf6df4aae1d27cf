"""`publish.py`: a model directory with its card, to give away; saving itself is in `models/`."""
