"""`report.html` of a scoring and of a comparison: one file each that opens from disk.

A page is put together from three kinds of plain values: tables (`table.py`), plots (`chart.py`) and
pictures (`pictures.py`). What a page says about a scoring comes from the scoring's own files.
"""
