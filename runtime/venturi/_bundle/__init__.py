"""Bundles on disk: found, checked and described."""
