"""Hazardous knowledge that a pretrained model is to forget."""
