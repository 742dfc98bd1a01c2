from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for inputs, outputs in [(1, 8), (8, 16), (8, 4)]:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU()]
        self.body = nn.Sequential(*layers)

    def forward(self, x):
        return self.body(x)
