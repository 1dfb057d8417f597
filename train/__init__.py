"""Train Venturi's networks in PyTorch: ``python -m train RECIPE``."""
