"""Find the images and masks of a folder, what mask values mean, and the splits.

No batches, no random numbers.
"""
