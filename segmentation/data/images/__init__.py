"""Read images of any number of bands, whole or in windows.

Which images there are is found in `discovery/`; what masks mean is decided in `masks/`.
"""
