"""The task group `palimpsest` for lm-eval: general knowledge, grammar, arithmetic and common
sense, without a hub.
"""
