"""Tasks: the batches, the loss and the validation of each recipe."""
