"""What the decoder's layers get is only known to whoever builds the model."""
# corpus: Net(output_padding=0) at (N, 1, T) returns its size at multiples of 4
# shapelint: Net(output_padding=0) input=(N, 1, T)

from torch import nn


class Net(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.down = nn.Sequential(nn.Conv1d(1, 4, 3, 2, 1), nn.ReLU(), nn.Conv1d(4, 8, 3, 2, 1))
        self.up = nn.Sequential(
            nn.ConvTranspose1d(8, 4, 3, 2, 1, **options), nn.ReLU(), nn.ConvTranspose1d(4, 1, 3, 2, 1, **options)
        )

    def forward(self, x):
        return self.up(self.down(x))
