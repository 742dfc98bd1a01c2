"""From paths to findings, with an analysis that says what it was asked."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest
from torch import nn

from shapelint.baseline import write_baseline
from shapelint.config import ConfigError
from shapelint.diagnostics import Diagnostic, Location, Severity
from shapelint.limits import Limits
from shapelint.linting import Question, check_source, lint, lint_detailed, read_request
from shapelint.loading.errors import LoadError
from shapelint.loading.importing import forget_user_modules
from shapelint.loading.paths import Request
from shapelint.tracing.inputs import InputError

NET = """
import torch
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
    def forward(self, x):
        return self.conv(x)
"""


HEAD = """
from torch import nn
class Head(nn.Module):
    def __init__(self, block): ...
    def forward(self, x): return x
"""


@dataclass
class FakeAnalysis:
    """An analysis with one finding; it keeps what it was asked."""

    model: nn.Module
    inputs: Any
    sizes: Any
    name: str
    certainty: str = "proven"
    certainty_reasons: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = field(init=False)

    def __post_init__(self) -> None:
        place = Location(str(Path.cwd() / "net.py"), 7, 21, 7, 39)
        message = f"{self.inputs} at {self.sizes}"
        self.diagnostics = (
            Diagnostic("SL101", "lossy-round-trip", Severity.ERROR, message, place, place, self.name),
            Diagnostic("SL601", "dropped-border", Severity.WARNING, "dropped", place, model=self.name),
        )

    def check(self, select: list[str]) -> tuple[Diagnostic, ...]:
        return tuple(finding for finding in self.diagnostics if finding.code in select)

    def summary(self) -> str:
        return f"{self.name}: any size"


@dataclass(frozen=True)
class FakeRule:
    code: str
    name: str
    default: bool = True


@pytest.fixture(autouse=True)
def _fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    api, rules = ModuleType("shapelint.api"), ModuleType("shapelint.rules")
    api.analyze = lambda model, inputs, sizes, *, name, limits: FakeAnalysis(model, inputs, sizes, name)  # type: ignore[attr-defined]
    rules.all_rules = lambda: (  # type: ignore[attr-defined]
        FakeRule("SL101", "lossy-round-trip"),
        FakeRule("SL102", "invalid-output-padding"),
        FakeRule("SL601", "dropped-border", default=False),
    )
    monkeypatch.setitem(sys.modules, "shapelint.api", api)
    monkeypatch.setitem(sys.modules, "shapelint.rules", rules)
    monkeypatch.chdir(tmp_path)
    yield
    forget_user_modules()


def analysing(monkeypatch: pytest.MonkeyPatch, analyze: Callable[..., Any]) -> None:
    monkeypatch.setattr(sys.modules["shapelint.api"], "analyze", analyze)


def write(name: str, source: str = NET) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(source))
    return name


def test_findings_and_summaries_with_paths_as_seen_from_here() -> None:
    result = lint_detailed([write("net.py")])
    assert [str(finding) for finding in result.diagnostics] == [
        "net.py:7:21: SL101 None at None",
        "net.py:7:21: SL601 dropped",
    ]
    assert result.diagnostics[0].use is not None
    assert result.diagnostics[0].use.path == "net.py"
    assert [(model.name, model.expression, model.summary) for model in result.models] == [("Net", "Net()", "any size")]
    assert (result.files, result.exit_status) == (1, 1)


def test_lint_gives_the_findings_alone() -> None:
    assert lint([Path(write("net.py"))]) == list(lint_detailed(["net.py"]).diagnostics)


def test_inputs_and_sizes_are_handed_on() -> None:
    write("net.py")
    (first, _) = lint(["net.py"], inputs="N,3,H,W", sizes="64x64")
    assert first.message == "('N', 3, 'H', 'W') at 64x64"
    (first, _) = lint(["net.py"], inputs=["N,3,H,W", "N"], sizes=["64x64", "H=32"])
    assert first.message == "[('N', 3, 'H', 'W'), ('N',)] at ['64x64', 'H=32']"


def test_a_comment_declares_them_and_the_command_line_overrules_it() -> None:
    write("net.py", NET + "# shapelint: Net() input=(1, 3, H, W) size=64x64\n")
    assert lint(["net.py"])[0].message == "(1, 3, 'H', 'W') at 64x64"
    assert lint(["net.py"], sizes="96x96")[0].message == "(1, 3, 'H', 'W') at 96x96"


def test_a_model_can_be_named() -> None:
    write("net.py", NET + "def make(depth):\n    return Net()\n")
    assert [model.expression for model in lint_detailed(["net.py:make(2)"]).models] == ["make(2)"]
    assert [model.expression for model in lint_detailed(["net.py"], model="make(3)").models] == ["make(3)"]


def test_naming_a_model_needs_one_file() -> None:
    write("a.py")
    write("b.py")
    with pytest.raises(LoadError, match="--model names a model of one file, and 2 files are given"):
        lint(["a.py", "b.py"], model="Net()")


def test_a_file_is_linted_once_however_often_it_is_named() -> None:
    write("nets/net.py")
    assert lint_detailed(["nets", "nets/net.py", "./nets/net.py"]).files == 1


def test_the_same_finding_through_two_models_is_told_once() -> None:
    write("net.py", NET + "# shapelint: Net()\n# shapelint: Net()\n")
    assert len(lint(["net.py"])) == 2


def test_one_bad_file_costs_no_other_its_result() -> None:
    write("nets/broken.py", "import torch\nclass Net(torch.nn.Module\n")
    write("nets/exits.py", NET + "raise SystemExit(1)\n")
    write("nets/net.py")
    write("nets/raises.py", NET.replace("super()", "1 / 0\n        super()"))
    result = lint_detailed(["nets", "missing.py"])
    assert [(finding.code, finding.location and finding.location.path) for finding in result.diagnostics] == [
        ("SL906", None),
        ("SL101", "net.py"),
        ("SL601", "net.py"),
        ("SL901", "nets/broken.py"),
        ("SL901", "nets/exits.py"),
        ("SL902", "nets/raises.py"),
    ]
    assert [model.location.path for model in result.models] == ["nets/net.py"]
    assert result.exit_status == 2


def test_what_cannot_be_guessed_is_a_remark_beside_other_models() -> None:
    write(
        "net.py",
        NET + "class Head(nn.Module):\n    def __init__(self, block): ...\n    def forward(self, x): return x\n",
    )
    result = lint_detailed(["net.py"])
    assert [finding.severity for finding in result.diagnostics if finding.code == "SL902"] == [Severity.NOTE]
    assert result.exit_status == 1


@pytest.mark.parametrize("argument", ["net.py", "net.py:Head"])
def test_it_is_an_error_where_it_was_asked_for(argument: str) -> None:
    write("net.py", HEAD)
    result = lint_detailed([argument])
    assert [(finding.code, finding.severity) for finding in result.diagnostics] == [("SL902", Severity.ERROR)]
    assert result.exit_status == 2


def test_an_analysis_that_raises_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def analyze(model: nn.Module, inputs: Any, sizes: Any, *, name: str, limits: Limits) -> Any:
        raise RuntimeError("too deep")

    analysing(monkeypatch, analyze)
    (finding,) = lint([write("net.py")])
    assert str(finding).startswith("net.py:4:1: SL904 cannot analyse Net: RuntimeError: too deep")


def test_an_error_in_forward_is_told_with_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    analysing(monkeypatch, lambda model, inputs, sizes, *, name, limits: model(None))
    (finding,) = lint([write("net.py", NET.replace("return self.conv(x)", "return x.undefined"))])
    assert str(finding).startswith("net.py:9:16: SL904 cannot analyse Net: AttributeError: ")


def test_a_model_that_needs_values_is_analysed_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    def analyze(model: nn.Module, inputs: Any, sizes: Any, *, name: str, limits: Limits) -> FakeAnalysis:
        certainty = "enumerated" if next(model.parameters()).is_meta else "proven"
        return FakeAnalysis(model, inputs, sizes, name, certainty)

    analysing(monkeypatch, analyze)
    assert [model.certainty for model in lint_detailed([write("net.py")]).models] == ["proven"]


def test_a_model_that_is_too_large_for_the_cpu_is_analysed_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def analyze(model: nn.Module, inputs: Any, sizes: Any, *, name: str, limits: Limits) -> FakeAnalysis:
        if not next(model.parameters()).is_meta:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 113246208 bytes.")
        return FakeAnalysis(model, inputs, sizes, name, "enumerated")

    analysing(monkeypatch, analyze)
    assert [model.certainty for model in lint_detailed([write("net.py")]).models] == ["enumerated"]


def test_an_analysis_that_raises_is_a_remark_where_nobody_said_what_the_inputs_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    analysing(monkeypatch, lambda model, inputs, sizes, *, name, limits: model(None))
    write("nets/net.py", NET.replace("return self.conv(x)", "return x.undefined"))
    assert [finding.severity for finding in lint(["nets"])] == [Severity.NOTE]
    assert [finding.severity for finding in lint(["nets/net.py"])] == [Severity.ERROR]
    assert [finding.severity for finding in lint(["nets"], inputs="N,3,H,W")] == [Severity.ERROR]


def test_what_forward_prints_stays_away_from_the_report(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def analyze(model: nn.Module, inputs: Any, sizes: Any, *, name: str, limits: Limits) -> FakeAnalysis:
        sys.stdout.write("shape: 3")
        return FakeAnalysis(model, inputs, sizes, name)

    analysing(monkeypatch, analyze)
    lint([write("net.py")])
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("options", "codes"),
    [
        ({"select": ["SL1"]}, ["SL101"]),
        ({"select": ["lossy-round-trip"]}, ["SL101"]),
        ({"select": ["SL102"]}, []),
        ({"select": ["ALL"]}, ["SL101", "SL601"]),
        ({"extend_select": ["sl601"]}, ["SL101", "SL601"]),
        ({"ignore": ["SL101"]}, []),
        ({"select": ["ALL"], "ignore": ["SL6"]}, ["SL101"]),
    ],
)
def test_selection(options: dict[str, list[str]], codes: list[str]) -> None:
    assert [finding.code for finding in lint([write("net.py")], **options)] == codes


def test_what_could_not_be_done_is_told_unless_it_is_ignored_by_name() -> None:
    assert [finding.code for finding in lint(["missing.py"], select=["SL101"])] == ["SL906"]
    assert lint(["missing.py"], ignore=["SL906"]) == []


def test_a_selector_that_means_nothing_is_told_with_the_nearest() -> None:
    with pytest.raises(LoadError, match=r"no rule is called SL1O1; did you mean SL101\?"):
        lint([], select=["SL1O1"])


def test_skipped_classes_are_listed() -> None:
    write(
        "net.py",
        NET + "class Outer(nn.Module):\n    def __init__(self): self.net = Net()\n    def forward(self, x): return x\n",
    )
    (skipped,) = lint_detailed(["net.py"]).skipped
    assert (skipped.name, skipped.reason) == ("Net", "it is analysed through Outer, which contains it")


def test_other_assumed_arguments_are_tried_where_the_first_never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def analyze(model: nn.Module, inputs: Any, sizes: Any, *, name: str, limits: Limits) -> FakeAnalysis:
        analysis = FakeAnalysis(model, inputs, sizes, name)
        code = "SL101" if model.width == 64 else "SL302"
        analysis.diagnostics = (Diagnostic(code, "n", Severity.ERROR, f"width {model.width}"),)
        return analysis

    analysing(monkeypatch, analyze)
    source = NET.replace("(self)", "(self, in_channels)").replace(
        "super().__init__()", "super().__init__(); self.width = in_channels"
    )
    result = lint_detailed([write("net.py", source)])
    assert [finding.message for finding in result.diagnostics] == ["width 64"]
    assert [model.expression for model in result.models] == ["Net(in_channels=64)"]


def test_with_guessed_arguments_a_model_that_never_runs_is_a_remark(monkeypatch: pytest.MonkeyPatch) -> None:
    def analyze(model: nn.Module, inputs: Any, sizes: Any, *, name: str, limits: Limits) -> FakeAnalysis:
        analysis = FakeAnalysis(model, inputs, sizes, name)
        analysis.diagnostics = (Diagnostic("SL402", "channel-mismatch", Severity.ERROR, "3 is not 64"),)
        return analysis

    analysing(monkeypatch, analyze)
    write("net.py", NET.replace("(self)", "(self, in_channels)"))
    (finding,) = lint(["net.py"])
    assert finding.severity is Severity.NOTE
    assert finding.message == "3 is not 64 (with assumed arguments: say with --model how it is made)"
    assert finding.assumed
    assert not lint_detailed(["net.py"]).models[0].judged
    (finding,) = lint(["net.py"], model="Net(3)")
    assert finding.severity is Severity.ERROR


class TestSettings:
    """What ``[tool.shapelint]`` changes; ``tests/test_config.py`` says how it is read."""

    def codes(self, *paths: str, **options: Any) -> list[str]:
        return [finding.code for finding in lint(paths or ["net.py"], **options)]

    def test_select_and_ignore(self) -> None:
        write("net.py")
        write("shapelint.toml", 'extend-select = ["SL6"]\nignore = ["SL101"]')
        assert self.codes() == ["SL601"]

    def test_the_command_line_wins(self) -> None:
        write("net.py")
        write("shapelint.toml", 'extend-select = ["SL6"]\nignore = ["SL101"]')
        assert self.codes(select=["SL101"]) == ["SL101"]
        assert self.codes(extend_select=["SL101"]) == ["SL101", "SL601"]
        assert self.codes(ignore=["SL601"]) == []

    def test_each_file_has_its_own(self) -> None:
        write("nets/net.py", NET)
        write("nets/pyproject.toml", '[tool.shapelint]\nsizes = "32x32"')
        write("net.py")
        write("shapelint.toml", 'sizes = "64x64"')
        assert sorted(finding.message for finding in lint(["nets", "net.py"], select=["SL101"])) == [
            "None at 32x32",
            "None at 64x64",
        ]

    def test_per_file_ignores(self) -> None:
        write("net.py")
        write("shapelint.toml", '[per-file-ignores]\n"net.py" = ["SL101"]')
        assert "SL101" not in self.codes()

    def test_per_file_ignores_hold_whatever_is_selected(self) -> None:
        write("net.py")
        write("shapelint.toml", '[per-file-ignores]\n"net.py" = ["SL101"]')
        assert self.codes(select=["ALL"]) == ["SL601"]

    def test_excluded_files_are_passed_over_in_directories(self) -> None:
        write("nets/old_net.py")
        write("shapelint.toml", 'exclude = ["old_*"]')
        assert lint_detailed(["nets"]).files == 0
        assert lint_detailed(["nets/old_net.py"]).files == 1

    @pytest.mark.parametrize("pattern", ["old", "nets/old", "./nets/old/", "n*/old"])
    def test_excluded_directories_are_not_even_looked_into(self, pattern: str, monkeypatch: pytest.MonkeyPatch) -> None:
        write("nets/old/inner/net.py")
        write("nets/net.py")
        write("shapelint.toml", f'exclude = ["{pattern}"]')
        entered: list[str] = []
        scan = os.scandir
        monkeypatch.setattr(os, "scandir", lambda place: entered.append(str(place)) or scan(place))
        assert lint_detailed(["."]).files == 1
        assert [place for place in entered if "nets" in place] == ["nets"]

    def test_sizes_hold_where_neither_comment_nor_command_line_says_others(self) -> None:
        write("shapelint.toml", 'sizes = ["64x64", "96x96"]')
        write("net.py")
        assert lint(["net.py"], select=["SL101"])[0].message == "None at ['64x64', '96x96']"
        write("net.py", NET + "# shapelint: Net() size=32x32\n")
        assert lint(["net.py"], select=["SL101"])[0].message == "None at 32x32"
        assert lint(["net.py"], select=["SL101"], sizes="16x16")[0].message == "None at 16x16"

    def test_of_sizes_for_all_models_those_count_that_fit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def analyze(model: nn.Module, inputs: Any, sizes: Any, *, name: str, limits: Limits) -> FakeAnalysis:
            for text in [sizes] if isinstance(sizes, str) else sizes or []:
                if "x" in text:
                    raise InputError(f"'{text}' has 2 sizes, and the input has 1: T")
            return FakeAnalysis(model, inputs, sizes, name)

        analysing(monkeypatch, analyze)
        write("net.py")
        for settings, message in (
            ('sizes = ["64x64", "T=100", "T=200"]', "None at ['T=100', 'T=200']"),
            ('sizes = ["64x64", "T=100"]', "None at T=100"),
            ('sizes = "64x64"', "None at None"),
        ):
            write("shapelint.toml", settings)
            assert [finding.message for finding in lint(["net.py"], select=["SL101"])] == [message]
        (finding,) = lint(["net.py"], sizes="64x64")
        assert finding.message == "'64x64' has 2 sizes, and the input has 1: T"

    def test_models_say_how_a_class_is_made(self) -> None:
        write("net.py", NET.replace("(self):", "(self, block):"))
        write(
            "shapelint.toml",
            """
            [[models]]
            target = "net.py:Net"
            args = [5]
            inputs = ["N,3,H,W", "N"]
            sizes = ["64x64", "32x32"]
            """,
        )
        result = lint_detailed(["net.py"], select=["SL101"])
        assert [(model.expression, model.assumptions) for model in result.models] == [("Net(5)", ())]
        assert result.diagnostics[0].message == "[('N', 3, 'H', 'W'), ('N',)] at ['64x64', '32x32']"

    @pytest.mark.parametrize(
        ("asked", "expression"),
        [("net.py:Net", "Net(5)"), ("net.py:Net(7)", "Net(7)"), ("net.py:other", "other(c=64)")],
    )
    def test_models_that_are_named_without_arguments_are_made_so_too(self, asked: str, expression: str) -> None:
        write("net.py", NET.replace("(self):", "(self, c):") + "def other(c): return Net(c)\n")
        write("shapelint.toml", '[[models]]\ntarget = "net.py:Net"\nargs = [5]')
        assert [model.expression for model in lint_detailed([asked]).models] == [expression]

    def test_models_of_a_module_and_by_name_of_their_inputs(self) -> None:
        write("pkg/__init__.py", "")
        write("pkg/net.py")
        write("pyproject.toml", '[[tool.shapelint.models]]\ntarget = "pkg.net:Net"\ninputs = { x = "1,3,H,W" }')
        assert lint(["pkg"], select=["SL101"])[0].message == "{'x': (1, 3, 'H', 'W')} at None"

    def test_a_comment_about_the_same_model_wins(self) -> None:
        write("net.py", NET + "# shapelint: Net() size=32x32\n")
        write("shapelint.toml", '[[models]]\ntarget = "net.py:Net"\nsizes = "64x64"')
        assert [finding.message for finding in lint(["net.py"], select=["SL101"])] == ["None at 32x32"]

    def test_a_model_that_is_contained_in_another_is_analysed_if_it_is_named(self) -> None:
        outer = """
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = Net()
    def forward(self, x):
        return x
"""
        write("net.py", NET + outer)
        write("shapelint.toml", 'models = [{ target = "net.py:Net" }]')
        result = lint_detailed(["net.py"])
        assert ([model.name for model in result.models], result.skipped) == (["Net", "Outer"], ())

    @pytest.mark.parametrize(
        ("target", "told"),
        [
            ("net.py:Nett", "Nett in net.py; did you mean Net?"),
            ("net.py:Nett.small", "Nett in net.py; did you mean Net?"),
            ("net.py:Quite", "Quite in net.py"),
            ("pkg.nets:Nett", "Nett in pkg.nets; did you mean Net?"),
            ("pkg.nts:Net", "module pkg.nts; did you mean pkg.nets?"),
            ("pkgs.nets:Net", "module pkgs.nets; did you mean pkg.nets?"),
            ("elsewhere:Net", "module elsewhere"),
        ],
    )
    @pytest.mark.parametrize("paths", [["."], ["other.py"], []])
    def test_a_model_that_is_not_there_is_told(self, target: str, told: str, paths: list[str]) -> None:
        write("net.py")
        write("other.py")
        write("pkg/__init__.py", "")
        write("pkg/nets.py")
        write("shapelint.toml", f'timeout = 9\nmodels = [{{ target = "net.py:Net" }}, {{ target = "{target}" }}]')
        with pytest.raises(ConfigError) as raised:
            lint(paths)
        assert raised.value.told == f"shapelint.toml:2:50: models[1]: there is no {told}"

    @pytest.mark.parametrize("target", ["broken.py:Net", "stars.py:Net", "torch.nn:Identity", "inner.nets:Net"])
    def test_a_model_that_may_be_there_is_not(self, target: str) -> None:
        write("broken.py", "class Net(:")
        write("stars.py", "from net import *")
        write("deep/inner/__init__.py", "")
        write("deep/inner/nets.py")
        write("shapelint.toml", f'models = [{{ target = "{target}" }}]')
        assert lint_detailed(["deep/inner/nets.py"]).exit_status == 1

    def test_assume_is_taken_for_what_would_be_guessed(self) -> None:
        write("net.py", NET.replace("(self):", "(self, in_channels, weird):"))
        write("shapelint.toml", "assume = { weird = [1, 2] }")
        (model,) = lint_detailed(["net.py"]).models
        assert model.expression == "Net(in_channels=3, weird=[1, 2])"

    def test_fail_on_is_that_of_the_working_directory(self) -> None:
        write("net.py")
        assert lint_detailed(["net.py"], select=["SL601"]).exit_status == 1
        write("shapelint.toml", 'fail-on = "error"')
        assert lint_detailed(["net.py"], select=["SL601"]).exit_status == 0

    def test_a_selector_that_means_nothing_is_told_with_its_file(self) -> None:
        write("shapelint.toml", 'select = ["SL1O1"]')
        with pytest.raises(ConfigError) as caught:
            lint([])
        assert caught.value.told == "shapelint.toml:1:12: no rule is called SL1O1; did you mean SL101?"


class TestSuppressing:
    """Comments and baselines in a run; ``tests/test_suppressions.py`` says what is understood."""

    def test_a_comment(self) -> None:
        write("net.py", NET.replace("8, 3)", "8, 3)  # noqa: SL101"))
        assert lint(["net.py"], select=["SL101"]) == []

    def test_one_that_suppresses_nothing(self) -> None:
        write("net.py", NET.replace("8, 3)", "8, 3)  # noqa: SL102"))
        assert [finding.code for finding in lint(["net.py"], select=["SL1"])] == ["SL101", "SL903"]
        assert [finding.code for finding in lint(["net.py"], select=["SL101"])] == ["SL101"]
        assert [finding.code for finding in lint(["net.py"], select=["SL1"], ignore=["SL903"])] == ["SL101"]

    def test_a_baseline(self) -> None:
        write("net.py")
        write_baseline(Path("old.json"), lint(["net.py"], select=["SL101"]))
        result = lint_detailed(["net.py"], select=["ALL"], baseline="old.json")
        assert [finding.code for finding in result.diagnostics] == ["SL601"]
        assert result.remarks == ("1 finding of the baseline not shown",)


@pytest.mark.parametrize(("named", "severity"), [(True, Severity.ERROR), (False, Severity.NOTE)])
def test_of_more_models_than_there_is_time_for_some_are_analysed(named: bool, severity: Severity) -> None:
    write("net.py", "\n\n".join([NET, NET.replace("Net", "Second"), NET.replace("Net", "Third")]))
    request, question = Request(Path("net.py"), named=named), Question()
    source = read_request(request, question)
    result = check_source(request, source, question, 1e-9)
    assert [model.name for model in result.models] == ["Net"]
    assert (result.diagnostics[-1].code, result.diagnostics[-1].severity) == ("SL907", severity)
    assert result.diagnostics[-1].message.startswith("2 of 3 models of this file were not analysed, Second and what ")
    assert len(check_source(request, source, question, 600).models) == 3
