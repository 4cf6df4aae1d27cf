"""cityseg: UNets over timm encoders for semantic segmentation, trained, scored and compared."""
