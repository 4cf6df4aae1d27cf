"""Plots of the pages, by Plotly: a module for each, which turns scores into a `Chart`.

Plotly takes a second to import: nothing outside the pages imports this room.
"""
