import torch
from torch import nn


# shapelint: size=48
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 3, padding=1)
        self.fc = nn.Linear(8 * 16, 10)

    def forward(self, x):
        x = torch.relu(self.conv(x))
        return self.fc(torch.reshape(x, (-1, 8 * 16)))
