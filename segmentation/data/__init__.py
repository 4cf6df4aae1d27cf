"""Layouts on disk, one dataset, joint transforms, the datamodule, and the generated streets."""
