"""Loggers: send curves, tables and pictures to CSV, W&B, TensorBoard and MLflow.

Which metrics are logged is decided in `training/`, not here.
"""
