"""Requests in a row."""
