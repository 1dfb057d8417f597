"""FFDNet's layers, which are timed: as many weights as its paper says, and frames go through."""

import numpy as np

from benchmarks.ffdnet import Ffdnet, weights


def test_it_has_the_parameters_of_the_paper() -> None:
    assert sum(weight.size + len(weight) for weight in weights()) == 852_108


def test_a_frame_goes_through() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (36, 52, 3), np.uint8)
    found = Ffdnet(1).denoise(frame)
    assert (found.shape, found.dtype.name) == (frame.shape, "uint8")
    assert found.std() > 0
