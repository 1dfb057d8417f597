"""The integers of the format, each in one place, for the runtime, training, export and benchmarks.

FORMAT.md says what each of them is for. Changing one changes the version of the format.
"""

MAX_SIDE = 65535
"""The longest side of a picture, in pixels."""

MAX_PIXELS = 2**28
"""The most pixels that a decoder decodes unless the caller allows more."""

CHUNK = 1024
"""The side of a chunk in pixels; each of these squares is entropy-coded separately."""

LATENT_STRIDE = 16
"""Pixels between two latents, along each axis."""

HYPER_STRIDE = 64
"""Pixels between two hyper-latents, along each axis."""

HYPER_MAX = 127
"""The largest magnitude of a hyper-latent symbol."""

MEAN_SCALE = 16
"""Means and decoded latents are multiples of 1/MEAN_SCALE."""

ORDER = 0, 3, 1, 2
"""The place in each square of 2 × 2 latents, counted 0, 1 above 2, 3, that a group of channels
takes from a quarter: ``ORDER[group] ^ ORDER[quarter]``."""

STEPS = (0,), (1,), (2, 3)
"""The quarters of the latents that each step of the entropy model codes."""

QUALITY_MIN, QUALITY_MAX = 1, 100
"""The qualities that people choose from."""

QUALITY_SCALE = 256
"""A container stores the quality as a multiple of 1/QUALITY_SCALE."""

NO_QUALITY_Q8 = 0
"""The quality that a container stores for a model without a quality."""

PRECISION_BITS = 16
"""The frequencies of a table add up to 2^PRECISION_BITS."""

MAX_TABLES = 256
"""The most tables that a bundle may have: an index of a table is one byte."""

MAX_RADIUS = 2 ** (PRECISION_BITS - 1) - 1
"""The largest magnitude that a table may hold."""

MAX_LANES = 256
"""The most interleaved rANS states of a payload; always a power of two."""
