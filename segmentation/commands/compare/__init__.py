"""`compare`: select runs, compare them and write the result. Its statistics: `evaluation/`."""
