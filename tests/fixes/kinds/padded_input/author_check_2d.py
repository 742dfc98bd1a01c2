import torch
from torch import nn


# shapelint: size=H==W
class Net(nn.Module):
    """An encoder and a decoder."""

    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(1, 8, 4, stride=4)
        self.up = nn.ConvTranspose2d(8, 1, 4, stride=4)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """The image as the network sees it."""
        # it has to fit
        if image.shape[-1] % 4 or image.shape[-2] % 4:
            raise ValueError("the size must be a multiple of 4")
        return self.up(self.down(image))
