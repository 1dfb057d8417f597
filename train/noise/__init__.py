"""Noise models for the denoisers: training noise, camera pipelines, validation cameras."""
