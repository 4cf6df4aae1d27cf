"""Pages and terminal tables for people, from plain values; nothing is computed here.

A page is put together from three kinds of plain values: tables (`table.py`), plots (`chart.py`) and
pictures (`pictures.py`). What a page says about a scoring comes from the scoring's own files.
"""
