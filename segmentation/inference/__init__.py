"""Put a trained model to use: predictor, windows, test-time views, class maps.

No scores, no configuration.
"""
