from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(1, 1, 2, dilation=d, padding=1) for d in (1, 3)])

    def forward(self, x):
        for layer in self.layers:
            x = x + layer(x)
        return x
