"""The machine and its operating system: hardware, ranks, parent process, files, git, secrets, logs.

Nothing here knows about segmentation.
"""
