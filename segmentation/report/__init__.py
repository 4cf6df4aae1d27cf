"""Pages and terminal tables for people, from plain values; nothing is computed here.

A page is made of tables (`table.py`), plots (`charts/`) and pictures (`pictures.py`), put into a
template of `pages/`. The page of an evaluation shows only what the evaluation's own files hold.
"""
