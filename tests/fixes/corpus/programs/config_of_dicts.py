"""A dict of dicts, as one reads it from YAML."""
# corpus: build_model(CONFIG) at (N, 1, H, W) returns its size at multiples of 4

from torch import nn

CONFIG = {
    "encoder": {"kernel_size": 3, "stride": 2, "padding": 1},
    "decoder": {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": (0, 0), "bias": False},
    "width": 8,
}


class Denoiser(nn.Module):
    def __init__(self, config=CONFIG):
        super().__init__()
        width = config["width"]
        self.shrink = nn.Conv2d(1, width, **CONFIG["encoder"])
        self.shrink_more = nn.Conv2d(width, 2 * width, **CONFIG["encoder"])
        self.grow = nn.ConvTranspose2d(2 * width, width, **CONFIG["decoder"])
        self.grow_more = nn.ConvTranspose2d(width, 1, **CONFIG["decoder"])

    def forward(self, noisy):
        h = self.shrink(noisy).relu()
        h = self.shrink_more(h).relu()
        h = self.grow(h).relu()
        return noisy - self.grow_more(h)


def build_model(config):
    return Denoiser(config)
