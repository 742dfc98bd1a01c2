from torch import nn


# shapelint: size=H==W, H>=8
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 8, 4, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 4, 2, 1))
        self.mean = nn.Conv2d(8, 2, 1)
        self.variance = nn.Conv2d(8, 2, 1)
        self.decoder = nn.Sequential(nn.ConvTranspose2d(2, 8, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 1, 4, 2, 1))

    def forward(self, x):
        code = self.encoder(x)
        mean, variance = self.mean(code), self.variance(code)
        return self.decoder(mean), mean, variance
