"""Turn the configuration into objects: a plan for each command, and what builds its parts.

A plan holds plain values and functions, not the configuration. The only room besides `cli/` that
takes `cfg`; no logic of training or scoring.
"""
