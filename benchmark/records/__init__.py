"""Records: what a cell's result looks like on disk, what identifies it, and how it is read,
written and checked.
"""
