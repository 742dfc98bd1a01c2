"""What every test shares: the marks, and which of them wait to be asked for."""

from __future__ import annotations

import pytest

ON_REQUEST = {"zoo": "real published networks at every measured size (needs the `zoo` packages and SHAPELINT_ZOO)"}


def pytest_configure(config: pytest.Config) -> None:
    for mark, meaning in ON_REQUEST.items():
        config.addinivalue_line("markers", f"{mark}: {meaning}")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long suites out unless ``-m`` says anything at all."""
    if config.getoption("markexpr"):
        return
    waiting = [item for item in items if any(item.get_closest_marker(mark) for mark in ON_REQUEST)]
    if waiting:
        config.hook.pytest_deselected(items=waiting)
        items[:] = [item for item in items if item not in waiting]
