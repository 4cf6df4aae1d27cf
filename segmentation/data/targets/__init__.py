"""Read image-level targets from tables beside the images; their loss and scores are elsewhere."""
