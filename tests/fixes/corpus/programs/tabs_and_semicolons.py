"""Tabs, semicolons, and two statements to a line."""
# corpus: T() at (N, 1, T) returns its size at multiples of 4
import torch; from torch import nn

class T(nn.Module):
	def __init__(self):
		super().__init__()
		self.d1 = nn.Conv1d(1, 4, 3, 2, 1); self.d2 = nn.Conv1d(4, 8, 3, 2, 1)
		self.u2 = nn.ConvTranspose1d(8, 4, 3, 2, 1); self.u1 = nn.ConvTranspose1d(4, 1, 3, 2, 1)
	def forward(self, x):
		x = self.d1(x); x = self.d2(x)
		x = self.u2(x); x = self.u1(x)
		return x
