"""Models: the artefact store, the controlled track's pretraining, targets and oracles."""
