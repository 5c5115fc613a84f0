"""Records: the on-disk format of a cell's results, their identity, and code to read, write and
validate them.
"""
