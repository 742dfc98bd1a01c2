"""What an editor pipes in, under the name that the file has or will have."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shapelint.cli import main

NET = """\
from torch import nn
from .sizes import width
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(width, 3, 3, stride=2, padding=1)
    def forward(self, x):
        return self.up(self.down(x))
"""


@pytest.fixture(autouse=True)
def _package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nets").mkdir()
    Path("nets/__init__.py").touch()
    Path("nets/sizes.py").write_text("width = 8\n")
    Path("nets/old.py").write_text("this is not what is in the editor\n")


def check(text: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["check", "-", "--output-format", "concise", *arguments], input=text)


@pytest.mark.parametrize("name", ["nets/old.py", "nets/new.py"])
def test_it_is_imported_as_the_file_of_that_name(name: str) -> None:
    result = check(NET, "--stdin-filename", name)
    assert result.output == f"{name}:7:19: SL101 [*] `up` does not restore the size that `down` had\n"
    assert result.exit_code == 1
    assert not Path("nets/new.py").exists()


def test_the_text_is_quoted_and_not_the_file() -> None:
    result = CliRunner().invoke(main, ["check", "-", "--stdin-filename", "nets/old.py"], input=NET)
    assert "\n7 |         self.up = nn.ConvTranspose2d(width, 3, 3, stride=2, padding=1)\n" in result.output


def test_it_has_a_name_of_its_own_without_one() -> None:
    assert (
        check("class Net(", "--no-cache").output
        == "stdin.py:1:10: SL901 this is not valid Python: '(' was never closed\n"
    )
    assert check("").exit_code == 0
