"""Find, choose and compare the evaluations of several runs; formulas are in `statistics/`."""
