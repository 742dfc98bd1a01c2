"""Reading settings: where they are found, what they may say, and how a mistake is told."""

from pathlib import Path

import pytest

from shapelint.config import PERMISSIONS, Config, ConfigError, Configurations, keys, read_config
from shapelint.diagnostics import Severity
from shapelint.isolation.jobs import Permission


@pytest.fixture(autouse=True)
def _in_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def read(text: str) -> Config:
    return read_config(write("shapelint.toml", text))


def mistake(text: str, name: str = "shapelint.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(write(name, text))
    return caught.value.told


class TestEveryKey:
    """What it is written as, and what it is read as."""

    def test_selection(self) -> None:
        config = read('select = ["SL1"]\nignore = ["SL102"]\nextend-select = ["checkerboard"]')
        assert (config.select, config.ignore, config.extend_select) == (("SL1",), ("SL102",), ("checkerboard",))

    def test_per_file_ignores(self) -> None:
        config = read('[per-file-ignores]\n"legacy/*" = ["SL1", "SL3"]\n"old.py" = "ALL"')
        assert config.ignored_in(Path("legacy/deep/net.py")) == ("SL1", "SL3")
        assert config.ignored_in(Path("new/old.py")) == ("ALL",)
        assert config.ignored_in(Path("net.py")) == ()

    @pytest.mark.parametrize(
        ("text", "sizes"),
        [('sizes = "64x64"', ("64x64",)), ('sizes = ["64x64", "H=96, 4<=W"]', ("64x64", "H=96, 4<=W"))],
    )
    def test_sizes(self, text: str, sizes: tuple[str, ...]) -> None:
        assert read(text).sizes == sizes

    def test_assume(self) -> None:
        assert read("assume = { n_channels = 1, features = [8, 16] }").assume == (
            ("n_channels", 1),
            ("features", [8, 16]),
        )

    def test_the_run(self) -> None:
        config = read('timeout = 5\njobs = 2\nallow = ["network"]\nfail-on = "error"')
        assert (config.timeout, config.jobs, config.allow, config.fail_on) == (5.0, 2, ("network",), Severity.ERROR)

    def test_limits(self) -> None:
        assert read("limits = { seconds = 10, paths = 500 }").limits == (("seconds", 10.0), ("paths", 500))
        assert mistake("[limits]\nseconds = 5\npath = 3") == (
            "shapelint.toml:3:1: there is no limit path; did you mean paths?"
        )
        assert mistake("limits = { seconds = true }").endswith("seconds must be a number of seconds above 0, not True")
        assert mistake("limits = 3").endswith(
            "limits must be a table of limits, { seconds = 10 }, not a whole number (3)"
        )

    def test_allowed_are_the_permissions_that_workers_know(self) -> None:
        assert set(PERMISSIONS) == {permission.value for permission in Permission}


class TestModels:
    """How a model is made, as a target with arguments."""

    def expression(self, text: str) -> str:
        write("unet.py", "")
        (model,) = read(f'[[models]]\ntarget = "unet.py:UNet"\n{text}').models
        return model.expression

    @pytest.mark.parametrize(
        ("text", "expression"),
        [
            ("", "UNet"),
            ("args = [3, 2]", "UNet(3, 2)"),
            ('args = [3]\nkwargs = { norm = "batch", deep = true }', "UNet(3, norm='batch', deep=True)"),
            ("kwargs = { features = [8, 16], head = { width = 4 } }", "UNet(features=[8, 16], head={'width': 4})"),
            ('kwargs = { act = { python = "nn.ReLU" } }', "UNet(act=nn.ReLU)"),
        ],
    )
    def test_values_are_written_as_python(self, text: str, expression: str) -> None:
        assert self.expression(text) == expression

    def test_files_are_as_seen_from_the_settings(self) -> None:
        write("project/src/unet.py", "")
        (model,) = read_config(write("project/shapelint.toml", '[[models]]\ntarget = "src/unet.py:UNet"')).models
        assert model.file == Path("project/src/unet.py")

    @pytest.mark.parametrize(
        ("inputs", "read_as"),
        [
            ('"N,3,H,W"', ("N,3,H,W",)),
            ('["N,3,H,W", "N"]', ("N,3,H,W", "N")),
            ('{ x = "N,3,H,W", t = "N" }', ("x=N,3,H,W", "t=N")),
        ],
    )
    def test_inputs_by_position_or_name(self, inputs: str, read_as: tuple[str, ...]) -> None:
        (model,) = read(f'models = [{{ target = "pkg.nets:UNet", inputs = {inputs}, sizes = "64x64" }}]').models
        assert (model.module, model.file, model.inputs, model.sizes) == ("pkg.nets", None, read_as, ("64x64",))


class TestExclude:
    """Patterns without a slash are names anywhere, those with one are paths from the settings."""

    @pytest.mark.parametrize(
        ("pattern", "file", "excluded"),
        [
            ("legacy", "src/legacy/net.py", True),
            ("legacy", "src/legacy_nets/net.py", False),
            ("*_old.py", "src/net_old.py", True),
            ("src/legacy", "src/legacy/deep/net.py", True),
            ("src/legacy/", "src/legacy/net.py", True),
            ("./src/legacy", "src/legacy/net.py", True),
            ("src/legacy", "other/src/legacy/net.py", False),
            ("src/**/old.py", "src/a/b/old.py", True),
        ],
    )
    def test_patterns(self, pattern: str, file: str, excluded: bool) -> None:
        assert read(f'exclude = ["{pattern}"]').excludes(Path(file)) is excluded


class TestNearest:
    """The settings that hold for a file."""

    def of(self, file: str) -> tuple[str, ...]:
        return Configurations().of_file(Path(file)).select

    def test_of_its_directory_else_of_the_one_above(self) -> None:
        write("pyproject.toml", '[tool.shapelint]\nselect = ["SL1"]')
        write("nets/shapelint.toml", 'select = ["SL2"]')
        assert (self.of("net.py"), self.of("other/net.py"), self.of("nets/deep/net.py")) == (
            ("SL1",),
            ("SL1",),
            ("SL2",),
        )

    def test_shapelint_toml_before_pyproject_toml(self) -> None:
        write("pyproject.toml", '[tool.shapelint]\nselect = ["SL1"]')
        write("shapelint.toml", 'select = ["SL2"]')
        assert self.of("net.py") == ("SL2",)

    @pytest.mark.parametrize("other", ["[tool.ruff]\n", '[project]\ndependencies = ["shapelint"]\n', "not = [ toml"])
    def test_a_pyproject_that_says_nothing_of_us_is_passed_over(self, other: str) -> None:
        write("shapelint.toml", 'select = ["SL1"]')
        write("nets/pyproject.toml", other)
        assert self.of("nets/net.py") == ("SL1",)

    def test_an_empty_table_ends_the_search(self) -> None:
        write("shapelint.toml", 'select = ["SL1"]')
        write("nets/pyproject.toml", "[tool.shapelint]\n")
        assert self.of("nets/net.py") == ()

    def test_a_given_file_holds_for_all(self) -> None:
        write("nets/shapelint.toml", 'select = ["SL2"]')
        given = write("ci.toml", 'select = ["SL3"]')
        assert Configurations(given).of_file(Path("nets/net.py")).select == ("SL3",)


class TestExtend:
    """A file's own keys upon those of another."""

    def test_key_by_key(self) -> None:
        write("base.toml", 'select = ["SL1"]\njobs = 2')
        config = read('extend = "base.toml"\nselect = ["SL2"]')
        assert (config.select, config.jobs) == (("SL2",), 2)

    def test_pyproject_extends_from_its_own_table(self) -> None:
        write("pyproject.toml", "[tool.shapelint]\njobs = 3")
        config = read_config(write("nets/shapelint.toml", 'extend = "../pyproject.toml"'))
        assert config.jobs == 3

    def test_a_file_that_is_not_there_is_told_where_it_is_named(self) -> None:
        assert mistake('jobs = 1\nextend = "none.toml"') == (
            "shapelint.toml:2:1: cannot read none.toml: No such file or directory"
        )

    def test_a_circle_is_told(self) -> None:
        write("b.toml", 'extend = "shapelint.toml"')
        assert mistake('extend = "b.toml"') == "b.toml:1:1: extend leads back to shapelint.toml"


class TestMistakes:
    """Every one is told with its file, its line, and what would be right."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('selct = ["SL1"]', "shapelint.toml:1:1: unknown key selct; did you mean select?"),
            (
                "jobs = 1\nextend_select = []",
                "shapelint.toml:2:1: unknown key extend_select; did you mean extend-select?",
            ),
            ('sizes = ["64x64", "3x"]', "shapelint.toml:1:1: '3x' is not understood as sizes; write "),
            ('sizes = "H%32"', "shapelint.toml:1:1: 'H%32' is not understood as sizes; write "),
            ("sizes = 64", "shapelint.toml:1:1: sizes must be a text or a list of texts, not a whole number (64)"),
            ('select = "SL1"', "shapelint.toml:1:1: select must be a list of texts, not a text ('SL1')"),
            ("ignore = [101]", "shapelint.toml:1:1: ignore[0] must be a text, not a whole number (101)"),
            (
                "timeout = -1",
                "shapelint.toml:1:1: timeout must be a number of seconds above 0, not -1",
            ),
            (
                "timeout = true",
                "shapelint.toml:1:1: timeout must be a number of seconds above 0, not true or false (True)",
            ),
            ("jobs = 0", "shapelint.toml:1:1: jobs must be a whole number, at least 1, not a whole number (0)"),
            (
                'fail-on = "never"',
                "shapelint.toml:1:1: fail-on must be one of error, warning, note, not a text ('never')",
            ),
            (
                'allow = ["disk"]',
                "shapelint.toml:1:1: allow must be some of network, process, write, not a text ('disk')",
            ),
            ("assume = 3", "shapelint.toml:1:1: assume must be a table of argument names and values, "),
            ("[per-file-ignores]\na = 1", "shapelint.toml:1:2: per-file-ignores must be a text or a list of texts, "),
            ("models = 1", "shapelint.toml:1:1: models must be a list of tables, "),
            ("\n[[models]]\nargs = [1]", 'shapelint.toml:2:3: models[0] needs a target, "unet.py:UNet" or '),
            ('[[models]]\ntarget = "UNet"', 'shapelint.toml:2:1: models[0] needs a target, "unet.py:UNet" or '),
            (
                '[[models]]\ntarget = "a.b:C"\nkwarg = {}',
                "shapelint.toml:3:1: unknown key kwarg in models[0]; did you mean kwargs?",
            ),
            ('models = [{ target = "a.b:C", args = 3 }]', "shapelint.toml:1:31: args must be a list of values, "),
            ('[[models]]\ntarget = "gone.py:Net"', "shapelint.toml:2:1: models[0]: there is no file gone.py"),
        ],
    )
    def test_in_keys_and_values(self, text: str, message: str) -> None:
        assert mistake(text).startswith(message)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("select = [\nignore = 1", "shapelint.toml:2:1: this is not valid TOML: "),
            ('select = ["SL1"', "shapelint.toml:1:1: this is not valid TOML: "),
        ],
    )
    def test_in_the_toml(self, text: str, message: str) -> None:
        assert mistake(text).startswith(message)

    def test_in_pyproject_are_told_at_our_table(self) -> None:
        text = "[tool.other]\nselct = 1\n\n[tool.shapelint]\nselct = 1\n"
        assert mistake(text, "pyproject.toml") == "pyproject.toml:5:1: unknown key selct; did you mean select?"

    def test_a_table_is_wanted(self) -> None:
        message = mistake("[tool]\nshapelint = 1\n", "pyproject.toml")
        assert message == "pyproject.toml:2:1: shapelint must be a table, [tool.shapelint], not a whole number (1)"

    def test_text_that_is_not_utf_8(self) -> None:
        Path("shapelint.toml").write_bytes(b'exclude = ["\xff"]')
        with pytest.raises(ConfigError, match="this is not UTF-8 text"):
            read_config(Path("shapelint.toml"))


def test_every_key_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[1] / "docs" / "configuration.md").read_text()
    assert [key for key in keys() if f"`{key}`" not in page] == []
