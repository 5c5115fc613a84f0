"""Forgetting facts about real entities from pretrained models, by how frequent the entities are."""
