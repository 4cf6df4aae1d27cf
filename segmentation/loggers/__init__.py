"""Send curves, tables and pictures to CSV, W&B, TensorBoard and MLflow.

What is logged is decided in `training/`.
"""
