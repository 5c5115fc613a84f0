"""Well-known people that a pretrained model must forget."""
