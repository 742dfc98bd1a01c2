"""Importing a user's file as Python would, and saying why it cannot be imported."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import click
import pytest

from shapelint.diagnostics import Location
from shapelint.loading.errors import LoadError
from shapelint.loading.importing import forget_user_modules, imported


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    forget_user_modules()


def write(root: Path, name: str, source: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(source))
    return path


def failure(path: Path) -> LoadError:
    with pytest.raises(LoadError, match="SL901") as raised, imported(path):
        pass
    return raised.value


def place(error: LoadError) -> tuple[str, int]:
    assert isinstance(error.location, Location)
    return Path(error.location.path).name, error.location.line


def test_a_loose_script_imports_its_siblings_and_does_not_run_as_main(tmp_path: Path) -> None:
    write(tmp_path, "sibling_of_script.py", "value = 7\n")
    script = write(
        tmp_path,
        "loose_script.py",
        """
        from sibling_of_script import value
        ran = False
        if __name__ == "__main__":
            ran = True
        """,
    )
    with imported(script) as module:
        assert (module.value, module.ran) == (7, False)


def test_a_file_of_a_package_has_relative_imports_also_in_a_src_layout(tmp_path: Path) -> None:
    write(tmp_path, "src/zoo_a/__init__.py")
    write(tmp_path, "src/zoo_a/blocks.py", "value = 1\n")
    write(tmp_path, "src/zoo_a/nets/__init__.py")
    net = write(tmp_path, "src/zoo_a/nets/unet.py", "from ..blocks import value\nimport zoo_a.blocks\n")
    with imported(net) as module:
        assert module.__name__ == "zoo_a.nets.unet"
        assert module.value == 1


def test_a_package_without_init_files_is_known_by_its_relative_imports(tmp_path: Path) -> None:
    write(tmp_path, "zoo_b/blocks.py", "value = 2\n")
    net = write(tmp_path, "zoo_b/nets/unet.py", "from ..blocks import value\n")
    with imported(net) as module:
        assert (module.__name__, module.value) == ("zoo_b.nets.unet", 2)


def test_imports_inside_functions_work_as_long_as_the_module_is_used(tmp_path: Path) -> None:
    write(tmp_path, "late_import.py", "value = 3\n")
    script = write(tmp_path, "lazy_script.py", "def late():\n    from late_import import value\n    return value\n")
    with imported(script) as module:
        assert module.late() == 3


def test_two_projects_may_use_the_same_names(tmp_path: Path) -> None:
    for project, value in (("one", 1), ("two", 2)):
        write(tmp_path, f"{project}/common_utils.py", f"value = {value}\n")
        script = write(tmp_path, f"{project}/common_net.py", "from common_utils import value\n")
        with imported(script) as module:
            assert module.value == value


def test_a_script_named_like_an_installed_package_does_not_hide_it(tmp_path: Path) -> None:
    script = write(tmp_path, "click.py", "mine = True\n")
    with imported(script) as module:
        assert module.mine
        assert sys.modules["click"] is click


def test_a_packages_own_file_names_do_not_hide_pythons(tmp_path: Path) -> None:
    write(tmp_path, "zoo_c/__init__.py")
    write(tmp_path, "zoo_c/wave.py", "raise RuntimeError('the wrong wave')\n")
    net = write(tmp_path, "zoo_c/net.py", "import wave\nopen = wave.open\n")
    with imported(net) as module:
        assert module.open


def test_what_the_file_prints_and_reads_stays_away_from_ours(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = write(
        tmp_path,
        "noisy_script.py",
        """
        import sys
        print("hello")
        sys.stdout.buffer.write(b"bytes")
        print("warning", file=sys.stderr)
        arguments = sys.argv[1:]
        """,
    )
    with imported(script) as module:
        sys.stdout.write("from forward")
        assert module.arguments == []
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_import_path_is_put_back(tmp_path: Path) -> None:
    before = list(sys.path), list(sys.argv)
    failure(write(tmp_path, "fails_at_once.py", "1 / 0\n"))
    assert (sys.path, sys.argv) == before


def test_an_exception_is_told_with_its_line(tmp_path: Path) -> None:
    error = failure(write(tmp_path, "raises_late.py", "x = 1\ny = int('many')\n"))
    assert error.message == "importing this file raised ValueError: invalid literal for int() with base 10: 'many'"
    assert place(error) == ("raises_late.py", 2)


def test_an_exception_elsewhere_is_told_with_the_line_that_led_there(tmp_path: Path) -> None:
    write(tmp_path, "broken_helper.py", "\n\nraise RuntimeError('no GPU')\n")
    error = failure(write(tmp_path, "uses_helper.py", "import os\nimport broken_helper\n"))
    assert "RuntimeError: no GPU (in " in error.message
    assert error.message.endswith("broken_helper.py, line 3)")
    assert place(error) == ("uses_helper.py", 2)


def test_a_syntax_error_is_told_where_it_is(tmp_path: Path) -> None:
    write(tmp_path, "unfinished.py", "x = (\n")
    error = failure(write(tmp_path, "imports_unfinished.py", "import unfinished\n"))
    assert error.message == "this is not valid Python: '(' was never closed"
    assert place(error) == ("unfinished.py", 1)


def test_a_missing_dependency_is_named(tmp_path: Path) -> None:
    error = failure(write(tmp_path, "needs_package.py", "import os\nfrom no_such_package.layers import Swish\n"))
    assert "it imports the package no_such_package, which is not installed here" in error.message
    assert "install no_such_package, or run shapelint in the environment that the model runs in" in error.message
    assert error.message.endswith("left out with the setting exclude")
    assert place(error) == ("needs_package.py", 2)


def test_a_missing_file_of_ones_own_is_not_called_a_package(tmp_path: Path) -> None:
    write(tmp_path, "zoo_d/__init__.py")
    error = failure(write(tmp_path, "needs_file.py", "import zoo_d.blocks\n"))
    assert error.message.startswith("there is no module zoo_d.blocks in ")


def test_a_circular_import_is_told(tmp_path: Path) -> None:
    write(tmp_path, "circle_b.py", "from circle_a import a\nb = 1\n")
    error = failure(write(tmp_path, "circle_a.py", "from circle_b import b\na = 1\n"))
    assert "ImportError: cannot import name 'a' from partially initialized module 'circle_a'" in error.message
    assert place(error) == ("circle_a.py", 1)


@pytest.mark.parametrize("call", ["sys.exit(3)", "exit(3)", "raise SystemExit(3)"])
def test_a_file_that_exits_does_not_end_the_linter(tmp_path: Path, call: str) -> None:
    error = failure(write(tmp_path, "leaves.py", f"import sys\n{call}\n"))
    assert error.message.startswith("it ended the program with sys.exit(3) while it was imported")
    assert 'under if __name__ == "__main__":' in error.message
    assert place(error) == ("leaves.py", 2)


def test_a_file_that_reads_arguments_says_what_it_missed(tmp_path: Path) -> None:
    source = """
    import argparse
    parser = argparse.ArgumentParser(prog="train")
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    """
    error = failure(write(tmp_path, "train_script.py", source))
    assert "(train: error: the following arguments are required: --data)" in error.message
    assert place(error) == ("train_script.py", 5)


def test_a_file_that_waits_for_input_is_told_there_is_none(tmp_path: Path) -> None:
    error = failure(write(tmp_path, "asks.py", "name = input('who? ')\n"))
    assert "EOFError" in error.message


def test_an_interruption_is_not_swallowed(tmp_path: Path) -> None:
    path = write(tmp_path, "interrupted.py", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt), imported(path):
        pass


def test_an_edited_file_is_read_again_in_the_next_run(tmp_path: Path) -> None:
    path = write(tmp_path, "edited_net.py", "value = 1\n")
    with imported(path) as module:
        assert module.value == 1
    path.write_text("value = 22\n")
    os.utime(path, (1, 1))
    forget_user_modules()
    with imported(path) as module:
        assert module.value == 22
