"""Real published networks, measured at every size by running PyTorch, against the analysis."""
