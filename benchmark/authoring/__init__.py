"""Tools for method authors: templates, contract checks, debugging, tuning and submission."""
