"""Find a data set's images and masks, the meaning of mask values, and the splits.

No batches, no random numbers.
"""
