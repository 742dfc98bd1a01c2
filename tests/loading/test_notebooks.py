"""Notebooks: which lines of their cells become a module, and where findings are told."""

import json
from pathlib import Path

import pytest

from shapelint.linting import lint_detailed
from shapelint.loading.notebooks import NotebookError, cell_at, module_text, read_cells
from shapelint.loading.paths import resolve

NET = """\
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Conv2d(3, width, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(width, 3, 3, stride=2, padding=1)

    def forward(self, x):
        return self.up(self.down(x))
"""


def notebook(*cells: str) -> bytes:
    entries = [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    return json.dumps({"cells": [{"cell_type": "markdown", "source": "# Title"}, *entries]}).encode()


def module(*cells: str) -> str:
    return module_text(read_cells(notebook(*cells)))


@pytest.mark.parametrize(
    "kept",
    [
        "import torch",
        "from torch import nn",
        "try:\n    import timm\nexcept ImportError:\n    timm = None",
        "def f():\n    return train()",
        "width = 8",
        "sizes: list[int] = [2 * width for _ in range(3)]",
        "device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "class Net(nn.Module):\n    pass",
        "class Net(nn.Module):\n    pass\nnet = Net().to(device).eval()",
    ],
)
def test_definitions_are_kept(kept: str) -> None:
    assert module(kept) == f"{kept}\n"


@pytest.mark.parametrize(
    "dropped",
    [
        "data = load()",
        "train(net)",
        "for epoch in range(3):\n    train()",
        "net.load_state_dict(torch.load('w.pt'))",
        "weights = torch.load('w.pt')",
        "net = torch.hub.load('a/b', 'c')",
        "if True:\n    train()",
        "%%bash\nls\nrm *",
    ],
)
def test_work_is_left_blank_line_by_line(dropped: str) -> None:
    assert module(dropped) == "\n" * (dropped.count("\n") + 1)


@pytest.mark.parametrize(
    ("magic", "python"),
    [
        ("%matplotlib inline", ""),
        ("!pip install timm", ""),
        ("torch.nn?", ""),
        ("def f():\n    !ls", "def f():\n    pass"),
        ("files = !ls", "files = None"),
        ("%%time\nwidth = 8", "\nwidth = 8"),
    ],
)
def test_magics_are_no_errors(magic: str, python: str) -> None:
    assert module(magic) == f"{python}\n"


def test_what_is_no_python_stays_to_be_told() -> None:
    assert module("class Net(\n") == "class Net(\n"


def test_lines_are_found_in_their_cells() -> None:
    cells = read_cells(notebook("a = 1\nb = 2", "", "c = 3\n"))
    assert [cell_at(cells, line) for line in range(1, 6)] == [(2, 1), (2, 1), (3, 3), (4, 4), None]


@pytest.mark.parametrize("data", [b"", b"nonsense", b"[]", b"{}", b'{"cells": [{}]}', b"\xff\xfe"])
def test_what_is_no_notebook_is_told(data: bytes) -> None:
    with pytest.raises(NotebookError, match="this is not a Jupyter notebook"):
        read_cells(data)


def test_findings_are_told_in_their_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = "%matplotlib inline\nimport torch\nfrom torch import nn\nwidth = 8"
    Path("net.ipynb").write_bytes(notebook(first, f"data = open('x').read()\n{NET}", "Net().fit(data)"))
    Path("broken.ipynb").write_text("no notebook of torch")
    Path("other.ipynb").write_text("no notebook of anything")
    result = lint_detailed(["."])
    assert [str(finding).partition(" `")[0].partition(": JSON")[0] for finding in result.diagnostics] == [
        "broken.ipynb:1:1: SL901 this is not a Jupyter notebook",
        "net.ipynb:cell 3:6:19: SL101",
    ]
    assert [model.location.path for model in result.models] == ["net.ipynb:cell 3"]
    assert not any(fix.edits for finding in result.diagnostics for fix in finding.fixes)
    assert lint_detailed(["net.ipynb:Net"]).diagnostics == result.diagnostics[1:]


def test_checkpoints_of_notebooks_are_nobodys(tmp_path: Path) -> None:
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "net-checkpoint.ipynb").touch()
    (tmp_path / "net.ipynb").touch()
    assert [request.path.name for request in resolve(str(tmp_path))] == ["net.ipynb"]
