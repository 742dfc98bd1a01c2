"""The hooks in a real repository, run by the real pre-commit, from this repository's own manifest."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import shapelint

pytest.importorskip("pre_commit")

ROOT = Path(shapelint.__file__).parents[1]
AUTOENCODER = """\
from torch import nn

class Autoencoder(nn.Module):
    def __init__(self, channels=8):
        super().__init__()
        self.down = nn.Conv2d(3, channels, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(channels, 3, 3, stride=2, padding=1{option})

    def forward(self, x):
        return self.up(self.down(x))
"""
# The installed command, which also notes whether anything has started that imports torch.
COMMAND = """\
#!{python}
import sys
sys.path.insert(0, {root!r})
from shapelint.cli import main
try:
    main(prog_name="shapelint")
finally:
    with open({log!r}, "a") as log:
        print("torch" in sys.modules or "shapelint.isolation.pool" in sys.modules, file=log)
"""
CONFIG = """\
repos:
-   repo: {hooks}
    rev: {revision}
    hooks:
    -   id: shapelint-system
"""


class Repository:
    """A git repository with the hook installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        self.log = folder / "log"
        programs = folder / "bin"
        self.environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PRE_COMMIT_HOME": str(folder / "home"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{role}_{part}": "me@example" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")},
        }
        programs.mkdir()
        command = programs / "shapelint"
        command.write_text(COMMAND.format(python=sys.executable, root=str(ROOT), log=str(self.log)))
        command.chmod(0o755)
        revision = self._hooks(folder / "hooks")
        self.folder.mkdir()
        self.run("git", "init", "--quiet")
        config = CONFIG.format(hooks=folder / "hooks", revision=revision)
        self.write(".pre-commit-config.yaml", config)
        self.run(sys.executable, "-m", "pre_commit", "install")

    def _hooks(self, folder: Path) -> str:
        """A repository with this one's manifest: what pre-commit clones."""
        folder.mkdir()
        shutil.copy(ROOT / ".pre-commit-hooks.yaml", folder)
        self.run("git", "init", "--quiet", cwd=folder)
        self.run("git", "add", ".", cwd=folder)
        self.run("git", "commit", "--quiet", "--message", "hooks", cwd=folder)
        return self.run("git", "rev-parse", "HEAD", cwd=folder).stdout.strip()

    def run(self, *command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=cwd or self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        self.run("git", "add", name)

    def commit(self) -> subprocess.CompletedProcess[str]:
        return self.run("git", "commit", "--message", "a commit")

    @property
    def imported_torch(self) -> list[str]:
        """For each run of the hook, whether it started anything with torch in it."""
        return self.log.read_text().split() if self.log.exists() else []


@pytest.mark.skipif(os.name != "posix" or shutil.which("git") is None, reason="needs git and executable scripts")
def test_a_broken_model_is_stopped_and_a_mended_one_passes(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("notes.txt", "nothing to lint")
    repository.write("plain.py", "import json\n\nclass Reader(json.JSONDecoder):\n    pass\n")
    assert repository.commit().returncode == 0
    assert repository.imported_torch == ["False"]

    repository.write("net.py", AUTOENCODER.format(option=""))
    stopped = repository.commit()
    assert stopped.returncode == 1
    assert "net.py:7:19: SL101 [*] `up` does not restore the size that `down` had" in stopped.stdout
    assert "output_padding=1" in stopped.stdout
    assert repository.imported_torch[1:] == ["True"]

    repository.write("net.py", AUTOENCODER.format(option=", output_padding=1"))
    passed = repository.commit()
    assert (passed.returncode, "Passed" in passed.stdout) == (0, True)
    assert repository.run("git", "status", "--short").stdout == ""
    # A class that only its author knows how to make does not stop a commit of the file it is in.
    repository.write("block.py", "from torch import nn\nclass Block(nn.Module):\n    def __init__(self, what): ...\n")
    assert repository.commit().returncode == 0


def test_the_manifest_is_valid() -> None:
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", ".pre-commit-hooks.yaml"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
