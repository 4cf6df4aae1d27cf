"""From stored confusion matrices to intervals and verdicts.

Nothing here needs a model or an image.
"""
