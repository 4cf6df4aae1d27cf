"""Predict the labels of images: `python predict.py input=<images> output=<folder>`."""

from segmentation.__main__ import predict

if __name__ == "__main__":
    predict()
