"""The shared training loop, optimizers, LoRA, sharding and the base class of gradient methods."""
