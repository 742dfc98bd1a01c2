from torch import nn


# shapelint: size=28x28
class Net(nn.Module):
    def __init__(self, classes=10):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(in_features=8 * 14 * 14, out_features=classes))

    def forward(self, x):
        return self.head(self.features(x))
