"""Well-known persons to be forgotten by a pretrained model."""
