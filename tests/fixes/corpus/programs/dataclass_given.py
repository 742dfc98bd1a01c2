"""A frozen dataclass, whose field is given where the model is built."""
# corpus: build() at (N, 1, T) returns its size at multiples of 4

from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Options:
    width: int = 4
    extra: int = 1


class Net(nn.Module):
    def __init__(self, options: Options):
        super().__init__()
        w = options.width
        self.a = nn.Conv1d(1, w, 3, stride=2, padding=1)
        self.b = nn.Conv1d(w, w, 3, stride=2, padding=1)
        self.c = nn.ConvTranspose1d(w, w, 3, stride=2, padding=1, output_padding=options.extra)
        self.d = nn.ConvTranspose1d(w, 1, 3, stride=2, padding=1, output_padding=options.extra)

    def forward(self, x):
        return self.d(self.c(self.b(self.a(x))))


def build() -> Net:
    return Net(Options(width=8, extra=0))


# shapelint: build()
