"""The codec as it trains: in bfloat16 it must draw what the graphs will draw in float32."""

import torch
from torch.nn import functional

from tests.training import picture
from train.engine import checkpoint
from train.networks.codec import CodecNetwork
from train.recipes import PhotoRecipe
from train.tasks.photo import sizes, to_tensor


@torch.no_grad()
def test_bfloat16_moves_no_level_of_a_soft_picture() -> None:
    """Gains whose logarithm was in bfloat16 were off by up to 1.5 %: 1.6 levels here."""
    state = checkpoint.load(checkpoint.find("photo"))
    model = CodecNetwork(sizes(PhotoRecipe(**state["recipe"]))).eval()
    model.load_state_dict(state["average"])
    image = to_tensor([picture(128, 192, seed) for seed in (0, 1)])
    soft = functional.avg_pool2d(image, 9, stride=1, padding=4, count_include_pad=False)
    quality = torch.tensor([0.75, 1.0])
    latent = torch.round(model.analysis(soft, quality)[0])
    exact = model.synthesis(latent, quality)
    with torch.autocast("cpu", torch.bfloat16):
        drawn = model.synthesis(latent, quality)
    assert float((drawn - exact).abs().max()) < 1 / 255
