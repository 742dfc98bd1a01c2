"""Shape rules: what every operation that sizes flow through does to them, one family a file."""

import importlib
import pkgutil


def load() -> None:
    """Import every family of this package, which registers its rules."""
    for module in pkgutil.iter_modules(__path__, f"{__name__}."):
        importlib.import_module(module.name)
