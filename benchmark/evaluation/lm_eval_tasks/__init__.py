"""The lm-eval task group `palimpsest`: general knowledge, grammar, arithmetic and common sense,
without downloads from a hub.
"""
