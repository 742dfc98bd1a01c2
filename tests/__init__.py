"""Tests; they mirror the package, and PyTorch itself is their oracle."""
