"""Unlearning facts about real entities from pretrained models, by entity frequency."""
