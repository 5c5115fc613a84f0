"""Real people, asked about at three levels, whom a pretrained model must forget."""
