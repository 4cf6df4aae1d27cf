"""The search by Optuna as a plugin of Hydra."""
