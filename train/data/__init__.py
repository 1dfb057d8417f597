"""Training data: photographs, digits, moving sequences."""
