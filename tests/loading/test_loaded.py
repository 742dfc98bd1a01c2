"""Which modules were loaded since a moment."""

import sys
from types import ModuleType

import pytest

from shapelint.loading.loaded import Moment


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """Stands for those that are loaded."""
    loaded = {name: ModuleType(name) for name in ("os", "torch", "last")}
    monkeypatch.setattr(sys, "modules", loaded)
    return loaded


def test_nothing_new(modules: dict[str, ModuleType]) -> None:
    assert Moment().newer() == []


def test_what_was_loaded_since_comes_newest_first(modules: dict[str, ModuleType]) -> None:
    moment = Moment()
    modules["net"] = modules["helper"] = ModuleType("user's")
    assert moment.newer() == ["helper", "net"]


def test_old_ones_that_were_removed_hide_no_new_ones(modules: dict[str, ModuleType]) -> None:
    moment = Moment()
    del modules["os"], modules["torch"]
    modules["net"] = modules["helper"] = ModuleType("user's")
    assert moment.newer() == ["helper", "net"]


def test_all_count_as_new_where_the_last_one_of_then_is_gone(modules: dict[str, ModuleType]) -> None:
    moment = Moment()
    del modules["last"]
    modules["net"] = ModuleType("user's")
    assert moment.newer() == ["net", "torch", "os"]
