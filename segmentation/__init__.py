"""cityseg: UNets over timm encoders for street scenes, trained, scored and compared."""
