"""Real persons, asked about on three levels, whom a pretrained model is to forget."""
