"""The pytest plugin: model files as test items, a fixture and a mark.

It does nothing unless it is asked (``pytest --shapelint``, the fixture ``shapelint``, the mark ``shapelint``), and
neither torch nor the analysis is imported before that.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from torch import nn

    from shapelint.api import Analysis
    from shapelint.config import Config, Overlay
    from shapelint.linting import CheckAll
    from shapelint.results import LintResult

MARK: Final = "shapelint"
_WITH_SETTINGS: Final = "; [tool.shapelint] in pyproject.toml is read as well"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("shapelint")
    group.addoption("--shapelint", action="store_true", help="lint the PyTorch models in the files that are collected")
    for name, meaning in _LISTS.items():
        parser.addini(name, f"{meaning}{_WITH_SETTINGS}", type="args", default=[])
    parser.addini("shapelint_sizes", "the expected sizes, one alternative a line", type="linelist", default=[])
    parser.addini("shapelint_inputs", "the input's shape, an input a line", type="linelist", default=[])
    parser.addini("shapelint_config", "a configuration file to read in place of the nearest", default="")
    parser.addini("shapelint_fail_on", "the least severity that fails: error, warning or note", default="")
    for key, meaning in _TABLES.items():
        parser.addini(_ini(key), f"{meaning}{_WITH_SETTINGS}", type="linelist", default=[])
    parser.addini("shapelint_timeout", "the most seconds for one file, in a process of its own", default="")
    parser.addini("shapelint_allow", "what files may do, in processes of their own", type="args", default=[])


_LISTS: Final = {
    "shapelint_select": "codes to look for, and no others",
    "shapelint_extend_select": "codes to look for as well",
    "shapelint_ignore": "codes not to report",
    "shapelint_exclude": "patterns of files that are not linted",
}

_MODELS: Final = "models"
_TABLES: Final = {
    "per-file-ignores": 'patterns, and what is not reported there, one a line: "src/old/*" = ["SL3"]',
    "assume": "values for constructor arguments, one a line: n_channels = 1",
    "limits": "bounds on the effort of an analysis, one a line: seconds = 10",
    _MODELS: 'how models are made, one a line: { target = "src/unet.py:UNet", args = [3, 2] }',
}


def _ini(key: str) -> str:
    return f"shapelint_{key.replace('-', '_')}"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        f"{MARK}(sizes=None, inputs=None): lint the model that the test returns, or those that its fixtures give it",
    )


# --- model files ----------------------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ModelFile | None:
    if file_path.suffix != ".py" or not parent.config.getoption("--shapelint"):
        return None
    return ModelFile.from_parent(parent, path=file_path)


class ModelFile(pytest.File):
    """A Python file; it is read, not imported, to see which models it holds.

    Attributes:
        names: all models of the file, also those that are not selected.
    """

    names: tuple[str, ...] = ()

    def collect(self) -> Iterator[ModelItem]:
        from shapelint.linting import Question, read_request
        from shapelint.loading.errors import LoadError
        from shapelint.loading.paths import Request

        try:
            settings = self._settings()
        except LoadError as error:
            raise self.CollectError(f"shapelint: {error.message}") from error
        if settings.excludes(self.path):
            return
        try:
            source = read_request(Request(self.path, named=False), Question(config=settings))
        except LoadError:
            return  # what is no Python is for whoever collects it as Python
        self.names = tuple(dict.fromkeys(target.name for target in source.targets))
        for name in self.names:
            yield ModelItem.from_parent(self, name=name)

    def _settings(self) -> Config:
        from shapelint.config import Configurations

        file = self.config.getini("shapelint_config")
        settings = Configurations(self.config.rootpath / file if file else None, self._overlay()).of_file(self.path)
        patterns = tuple(self.config.getini("shapelint_exclude"))
        return replace(settings, exclude=(*settings.exclude, *patterns), path=settings.path or self.config.inipath)

    def _overlay(self) -> Overlay:
        """What pytest's own file says as ``[tool.shapelint]`` would."""
        from shapelint.config import Overlay

        table: dict[str, Any] = {key: _table(key, lines) for key in _TABLES if (lines := self.config.getini(_ini(key)))}
        if timeout := self.config.getini("shapelint_timeout"):
            table["timeout"] = _number(timeout)
        if allow := self.config.getini("shapelint_allow"):
            table["allow"] = list(allow)
        return Overlay(self.config.inipath or self.config.rootpath / "pytest.ini", table)

    def _check_all(self) -> CheckAll:
        """In this process; in one of its own where its time is limited or something is allowed it."""
        from shapelint.linting import check_all_here

        if not self.config.getini("shapelint_timeout") and not self.config.getini("shapelint_allow"):
            return check_all_here
        from shapelint.isolation.checking import Checker

        return Checker(jobs=1)

    @cached_property
    def result(self) -> LintResult:
        """What the linter says of the file; found once for all of its models."""
        from shapelint.diagnostics import Severity
        from shapelint.linting import lint_detailed

        option = self.config.getini
        config = option("shapelint_config")
        check_all = self._check_all()
        result = lint_detailed(
            [self.path],
            inputs=option("shapelint_inputs"),
            sizes=option("shapelint_sizes"),
            select=option("shapelint_select"),
            extend_select=option("shapelint_extend_select"),
            ignore=option("shapelint_ignore"),
            config=self.config.rootpath / config if config else None,
            check_all=lambda asked: check_all(
                [(replace(request, named=False), question) for request, question in asked]
            ),
            overlay=self._overlay(),
        )
        least = option("shapelint_fail_on")
        return replace(result, fail_on=Severity(least)) if least else result


def _table(key: str, lines: Sequence[str]) -> Any:
    """Lines of TOML as the value of a key.

    Raises:
        ConfigError: they are no TOML.
    """
    from shapelint.config import ConfigError
    from shapelint.diagnostics import Location

    try:
        if key == _MODELS:
            return [tomllib.loads(f"model = {line}")["model"] for line in lines]
        return tomllib.loads("\n".join(lines))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{_ini(key)} is not written as TOML: {error}", Location("pytest", 1)) from error


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text  # the settings say what is wrong with it


class ModelItem(pytest.Item):
    """One model; it fails with the linter's report."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.add_marker(MARK)

    @property
    def file(self) -> ModelFile:
        assert isinstance(self.parent, ModelFile)
        return self.parent

    def runtest(self) -> None:
        from shapelint.loading.errors import LoadError

        try:
            result = self._own(self.file.result)
        except LoadError as error:
            raise Found(error.message) from None
        text = _report(result)
        if result.exit_status:
            raise Found(text)
        self.add_report_section("call", "shapelint", text)

    def _own(self, result: LintResult) -> LintResult:
        """What is said of this model; and of the file, if nothing could be said of any."""
        from shapelint.results import TOOL_FAILURES

        names = self.file.names
        first = next((item.name for item in self.session.items if item.parent is self.parent), self.name)
        mine = tuple(
            finding
            for finding in result.diagnostics
            if finding.model == self.name
            or (finding.model not in names and (finding.code in TOOL_FAILURES or self.name == first))
        )
        models = tuple(model for model in result.models if model.name == self.name)
        return replace(result, diagnostics=mine, models=models, files=1)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, Found):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, f"shapelint: {self.name}"


class Found(Exception):
    """The linter found something; the text is its report."""


def _report(result: LintResult) -> str:
    from shapelint.report import render

    return render("text", result).rstrip()


# --- the fixture ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checks:
    """What the fixture ``shapelint`` offers. Each fails the test with what the linter says, without a traceback."""

    def check(self, model: nn.Module, sizes: Any = None, inputs: Any = None) -> Analysis:
        """Fail on any error or warning of the linter; the analysis otherwise."""
        __tracebackhide__ = True
        from shapelint.api import analyze

        analysis = analyze(model, inputs, sizes)
        _told(_objections(analysis))
        return analysis

    def accepts(self, model: nn.Module, sizes: Any, inputs: Any = None) -> None:
        """Fail unless the model runs at all of these sizes."""
        __tracebackhide__ = True
        from shapelint.api import analyze
        from shapelint.assertions import refusal

        _told(refusal(analyze(model, inputs, sizes)))

    def round_trip(self, model: nn.Module, sizes: Any = None, inputs: Any = None) -> None:
        """Fail unless the output's spatial size is the input's, at all of these sizes."""
        __tracebackhide__ = True
        from shapelint.api import analyze
        from shapelint.assertions import lossy

        _told(lossy(analyze(model, inputs, sizes)))

    def output_shape(self, model: nn.Module, shape: Any, inputs: Any = None, sizes: Any = None) -> None:
        """Fail unless the model returns this shape at all of these sizes."""
        __tracebackhide__ = True
        from shapelint.api import analyze
        from shapelint.assertions import other_shape

        _told(other_shape(analyze(model, inputs, sizes), shape))


@pytest.fixture
def shapelint() -> Checks:
    """Check a model's sizes: ``shapelint.check(model)``, ``.accepts(model, "H%16==0")``, ``.round_trip(model)``."""
    return Checks()


def _told(text: str) -> None:
    __tracebackhide__ = True
    if text:
        pytest.fail(text, pytrace=False)


def _objections(analysis: Analysis) -> str:
    """The linter's report, if it has an error or a warning in it."""
    from shapelint.assertions import report_text
    from shapelint.diagnostics import Severity

    if all(finding.severity is Severity.NOTE for finding in analysis.diagnostics):
        return ""
    return f"{analysis.summary()}\n\n{report_text(analysis.diagnostics)}"


# --- the mark -------------------------------------------------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object | None:
    """Lint the model that a marked test returns; one that returns none, the models its fixtures give it."""
    mark = pyfuncitem.get_closest_marker(MARK)
    if mark is None:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    given = {name: pyfuncitem.funcargs[name] for name in names}
    returned = pyfuncitem.obj(**given)
    found = _models([returned]) or _models(given.values())
    if not found:
        pytest.fail(
            f"@pytest.mark.{MARK} is for a test that returns a model (an nn.Module), or gets one from a fixture",
            pytrace=False,
        )
    for model in found:
        Checks().check(model, *mark.args, **mark.kwargs)
    return True


def _models(values: Iterable[Any]) -> Sequence[nn.Module]:
    from torch import nn

    return [value for value in values if isinstance(value, nn.Module)]
