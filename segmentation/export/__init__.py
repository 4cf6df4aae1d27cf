"""Export a trained model to files of other runtimes, and prove each file equal to the model.

Graphs, quantisation and the comparison; what opens the files again is `inference.exported`.
"""
