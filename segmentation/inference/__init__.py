"""Inference with a trained model: predictor, sliding windows, test-time views, class maps.

No scores, no configuration.
"""
