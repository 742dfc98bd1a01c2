"""Only names of layers are imported, and F means something else."""
# corpus: Pyramid() at (N, 3, H, W) runs at multiples of 1 from 8
# shapelint: Pyramid() input=(N, 3, H, W) size=33x47

from torch.nn import AvgPool2d, Conv2d, Module, Upsample

F = 8  # filters


class Pyramid(Module):
    def __init__(self):
        super().__init__()
        self.c0 = Conv2d(3, F, 3, padding=1)
        self.c1 = Conv2d(F, F, 3, padding=1)
        self.pool = AvgPool2d(2)
        self.grow = Upsample(scale_factor=2)

    def forward(self, x):
        p0 = self.c0(x)
        p1 = self.c1(self.pool(p0))
        return p0 + self.grow(p1)
