"""Turn the configuration into objects: a plan for each command, and what its methods build.

The only room besides `cli/` that takes `cfg`; no logic of training or scoring.
"""
