"""Choose the values of the next trial with Optuna, and show the study.

How a trial runs is in `jobs/`.
"""
