"""Entropy coding: latents to payloads and back, in NumPy or in C."""
