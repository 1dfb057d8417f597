"""Bundles on disk: locate, check and describe them."""
