"""Hazardous knowledge that a pretrained model must forget."""
