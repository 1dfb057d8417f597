"""The training engine: loop, optimiser, checkpoints and log."""
