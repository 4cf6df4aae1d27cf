"""Turn the configuration into objects.

The only room besides `cli/` that takes `cfg`, and no logic of training or scoring.
"""
