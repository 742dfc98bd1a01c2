"""What every test shares: the marks, and which of them wait to be asked for."""

from __future__ import annotations

from collections import Counter

import pytest

ON_REQUEST = {
    "slow": "takes several seconds",
    "zoo": "real published networks at every measured size (needs the `zoo` packages)",
}


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Add up what tests counted with ``record_property``: sizes compared, disagreements, certainties."""
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                counts.update({name: value for name, value in report.user_properties if isinstance(value, int)})
    if counts:
        terminalreporter.section("counted")
        for name in sorted(counts):
            terminalreporter.write_line(f"{counts[name]:>9,} {name}")
