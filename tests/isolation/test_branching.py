"""Files of a package share one import of it, and nothing else."""

from pathlib import Path

import pytest

from shapelint.isolation.checking import Checker
from shapelint.linting import lint_detailed
from shapelint.results import LintResult

NET = """\
from torch import nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(3, 8, 3)
    def forward(self, x):
        return self.c(x)
"""


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str = NET) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(text)


def lint() -> LintResult:
    return lint_detailed(["."], check_all=Checker(jobs=2, timeout=5))


def told(result: LintResult) -> list[str]:
    return [f"{f.location and f.location.path} {f.code}" for f in result.diagnostics if f.code.startswith("SL9")]


def test_a_package_is_imported_once_and_its_files_by_themselves() -> None:
    write("nets/__init__.py", "import time\nloaded = time.time_ns()\n")
    for name in "ab":
        write(f"nets/{name}.py", f"from nets import loaded\n{NET}if True: raise ValueError(loaded)\n")
    write("nets/patching.py", NET + "nn.Module.__call__ = None\n")
    write("nets/starting.py", NET + "import os\nos.system('ls')\n")
    write("nets/leaving.py", NET + "import os\nos._exit(1)\n")
    write("nets/inner/__init__.py", "")
    write("nets/inner/net.py", "from .. import loaded\n" + NET)
    write("loose.py")
    result = lint()
    assert told(result) == [
        *(f"nets/{name}.py SL901" for name in ("a", "b", "leaving")),
        "nets/patching.py SL904",  # it took the call from its own model
        "nets/starting.py SL901",
    ]
    first, second = (finding.message for finding in result.diagnostics[:2])
    assert first == second
    assert first.startswith("importing this file raised ValueError: ")
    assert sorted(model.location.path for model in result.models) == [
        "loose.py",
        "nets/inner/net.py",
        "nets/patching.py",
    ]


def test_packages_in_a_package_share_its_import() -> None:
    write("nets/__init__.py", "import time\nloaded = time.time_ns()\n")
    write("nets/inner/__init__.py", "import time\nloaded = time.time_ns()\n")
    report = "if True: raise ValueError(nets.loaded, nets.inner.loaded)\n"
    for name in ("nets/inner/a", "nets/inner/b", "nets/inner/deep/c", "nets/inner/deep/d"):
        write(f"{name}.py", f"import nets.inner\n{NET}{report}")
    write("nets/inner/deep/__init__.py", "")
    result = lint()
    assert told(result) == [f"nets/inner/{name}.py SL901" for name in ("a", "b", "deep/c", "deep/d")]
    assert len({finding.message for finding in result.diagnostics}) == 1


def test_a_package_that_fails_costs_the_one_around_it_nothing() -> None:
    write("nets/__init__.py", "")
    write("nets/a.py")
    write("nets/b.py")
    write("nets/inner/__init__.py", "1 / 0\n")
    write("nets/inner/a.py")
    write("nets/inner/b.py")
    result = lint()
    assert told(result) == ["nets/inner/a.py SL901", "nets/inner/b.py SL901"]
    assert [model.location.path for model in result.models] == ["nets/a.py", "nets/b.py"]


@pytest.mark.parametrize(
    ("package", "codes"),
    [
        ("1 / 0\n", ["SL901", "SL901"]),
        ("import time\ntime.sleep(100)\n", ["SL907", "SL907"]),
        ("import ctypes\nctypes.string_at(0)\n", ["SL907", "SL907"]),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(100,)).start()\n", []),
    ],
    ids=["raises", "hangs", "crashes", "starts a thread"],
)
def test_a_package_that_cannot_be_shared_leaves_each_file_its_own_say(package: str, codes: list[str]) -> None:
    write("nets/__init__.py", package)
    write("nets/a.py")
    write("nets/b.py")
    write("fine.py")
    result = lint()
    assert [finding.code for finding in result.diagnostics] == codes
    assert len(result.models) == 3 - len(codes)
    if codes == ["SL907", "SL907"]:
        assert "nets/__init__.py, line 2)" in result.diagnostics[0].message
