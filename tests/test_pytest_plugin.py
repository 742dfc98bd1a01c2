"""The pytest plugin, each time in a process of its own where torch has not been imported before."""

import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import shapelint

pytest_plugins = ["pytester"]
ROOT = Path(shapelint.__file__).parents[1]

MODELS = """
from torch import nn

class Shrinking(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)

    def forward(self, x):
        return self.up(self.down(x))

class Fine(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)

    def forward(self, x):
        return self.conv(x)
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return pytester


def run(project: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    # Installed, shapelint's entry point registers the plugin, and pytest refuses to register it twice.
    installed = entry_points(group="pytest11", name="shapelint")
    by_name = () if installed else ("-p", "shapelint.pytest_plugin")
    return project.runpytest_subprocess(*by_name, "-p", "no:randomly", *arguments)


def test_off_unless_asked(project: pytest.Pytester) -> None:
    project.makepyfile(
        models=MODELS,
        test_light="""
        import sys
        def test_nothing_is_imported():
            assert "torch" not in sys.modules
            assert "shapelint.api" not in sys.modules
        """,
    )
    run(project).assert_outcomes(passed=1)


def test_models_are_items_and_reports_are_failures(project: pytest.Pytester) -> None:
    project.makepyfile(models=MODELS, test_own="def test_own(): pass")
    result = run(project, "--shapelint", "-v")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["models.py::Shrinking FAILED*", "models.py::Fine PASSED*", "test_own.py::test_own PASSED*"]
    )
    result.stdout.fnmatch_lines(
        [
            "*shapelint: Shrinking*",
            "models.py:7:19: SL101 * `up` does not restore the size that `down` had",
            "*= why:*dropping a remainder of 1*",
            "*= fix:*output_padding=1*",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")
    result.stdout.no_fnmatch_line("*Traceback*")


def test_only_reading_to_collect(project: pytest.Pytester) -> None:
    project.makepyfile(models="raise SystemError('imported')\n" + MODELS)
    result = run(project, "--shapelint", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["models.py::Shrinking", "models.py::Fine"])


def test_a_file_that_cannot_be_imported_fails_its_models(project: pytest.Pytester) -> None:
    project.makepyfile(models=MODELS + "\nimport no_such_module\n")
    result = run(project, "--shapelint")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*SL901*no_such_module*"])


def test_selecting(project: pytest.Pytester) -> None:
    project.makepyfile(models=MODELS)
    run(project, "--shapelint", "-k", "Fine").assert_outcomes(passed=1, deselected=1)
    result = run(project, "--shapelint", "-m", "shapelint", "models.py::Shrinking")
    result.assert_outcomes(failed=1)


@pytest.mark.slow
def test_xdist(project: pytest.Pytester) -> None:
    project.makepyfile(models=MODELS, more=MODELS.replace("Shrinking", "Other"))
    result = run(project, "--shapelint", "-n", "2")
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(["models.py:7:19: SL101 *"])


@pytest.mark.slow
def test_settings(project: pytest.Pytester) -> None:
    project.makepyfile(models=MODELS, generated=MODELS)
    project.makeini("[pytest]\nshapelint_sizes =\n    65x65\n    33x33\nshapelint_exclude = generated.py\n")
    run(project, "--shapelint").assert_outcomes(passed=2)
    project.makeini("[pytest]\nshapelint_ignore = SL101\n")
    run(project, "--shapelint", "models.py").assert_outcomes(passed=2)
    project.makeini("[pytest]\nshapelint_select = no-such-rule\n")
    result = run(project, "--shapelint", "models.py")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*no rule is called no-such-rule*"])


NEEDY = """
from torch import nn

class Needy(nn.Module):
    def __init__(self, depth):
        super().__init__()
        assert depth == "deep"
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)

    def forward(self, x):
        return self.up(self.down(x))
"""


@pytest.mark.parametrize(
    ("settings", "outcome"),
    [
        ("", None),
        ('shapelint_assume =\n    depth = "deep"', {"failed": 1}),
        (
            'shapelint_assume =\n    depth = "deep"\nshapelint_per_file_ignores =\n    "need*" = ["SL1"]',
            {"passed": 1},
        ),
        ('shapelint_models =\n    { target = "needy.py:Needy", args = ["deep"], sizes = "65x65" }', {"passed": 1}),
    ],
    ids=["none", "assume", "per-file-ignores", "models"],
)
def test_tables_of_settings(project: pytest.Pytester, settings: str, outcome: dict[str, int] | None) -> None:
    project.makepyfile(needy=NEEDY)
    project.makeini(f"[pytest]\n{settings}\n")
    result = run(project, "--shapelint")
    if outcome is None:
        result.stdout.no_fnmatch_line("*SL101*")
        return
    result.assert_outcomes(**outcome)
    if "failed" in outcome:
        result.stdout.fnmatch_lines(["*SL101*"])


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("shapelint_limits =\n    second = 5", "*there is no limit second; did you mean seconds?*"),
        ("shapelint_assume =\n    depth: 3", "*shapelint_assume is not written as TOML: *"),
        ("shapelint_timeout = soon", "*timeout must be a number of seconds above 0, not a text ('soon')*"),
        ("shapelint_allow = everything", "*allow must be some of network, process, write*"),
    ],
)
def test_mistakes_in_settings_are_told(project: pytest.Pytester, settings: str, told: str) -> None:
    project.makepyfile(models=MODELS)
    project.makeini(f"[pytest]\n{settings}\n")
    result = run(project, "--shapelint")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([told])
    result.stdout.no_fnmatch_line("*Traceback*")


def test_with_a_time_limit_a_file_has_a_process_of_its_own(project: pytest.Pytester) -> None:
    project.makepyfile(models=f"import os, time\nif 'PYTEST_CURRENT_TEST' in os.environ: time.sleep(600)\n{MODELS}")
    project.makeini("[pytest]\nshapelint_timeout = 3\n")
    result = run(project, "--shapelint", "-k", "Fine")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*SL907*"])


@pytest.mark.slow
def test_the_linters_own_settings_and_comments_hold(project: pytest.Pytester) -> None:
    project.makepyfile(models=MODELS)
    project.makepyprojecttoml('[tool.shapelint]\nignore = ["SL101"]\n')
    run(project, "--shapelint").assert_outcomes(passed=2)


def test_fixture(project: pytest.Pytester) -> None:
    project.makepyfile(
        models=MODELS,
        test_sizes="""
        from models import Fine, Shrinking
        def test_good(shapelint):
            assert shapelint.check(Fine()).certainty == "proven"
            shapelint.accepts(Shrinking(), "H%16==0")
            shapelint.round_trip(Shrinking(), "H%2==1, W%2==1")
            shapelint.output_shape(Fine(), "N,8,H,W")
        def test_check(shapelint):
            shapelint.check(Shrinking())
        def test_accepts(shapelint):
            shapelint.accepts(Shrinking(), "64x64", inputs=("N", 4, "H", "W"))
        def test_round_trip(shapelint):
            shapelint.round_trip(Shrinking(), "64x64")
        """,
    )
    result = run(project)
    result.assert_outcomes(passed=1, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*SL101*`up` does not restore the size that `down` had",
            "Shrinking does not run at 64 × 64",
            "Shrinking returns another size than it got at 64 × 64: the output is (1, 3, 63, 63)",
        ]
    )
    result.stdout.no_fnmatch_line("*assertions.py*")


def test_mark(project: pytest.Pytester) -> None:
    project.makepyfile(
        models=MODELS,
        test_marked="""
        import pytest
        from models import Fine, Shrinking
        @pytest.fixture
        def lossy():
            return Shrinking()
        @pytest.mark.shapelint
        def test_returned():
            return Fine()
        @pytest.mark.shapelint(sizes="65x65")
        def test_declared():
            return Shrinking()
        @pytest.mark.shapelint(sizes="64x64")
        def test_of_a_fixture(lossy):
            pass
        @pytest.mark.shapelint
        def test_without():
            pass
        @pytest.fixture(params=[Fine, Shrinking])
        def network(request):
            return request.param()
        @pytest.mark.shapelint(sizes="64x64")
        def test_each(network):
            pass
        """,
    )
    result = run(project, "-v", "--strict-markers")
    result.assert_outcomes(passed=3, failed=3)
    result.stdout.fnmatch_lines(
        [
            "*test_of_a_fixture FAILED*",
            "*test_without FAILED*",
            "*test_each?Fine? PASSED*",
            "*test_each?Shrinking? FAILED*",
            "*SL101*",
            "*is for a test that returns a model*",
        ]
    )
