"""The code in the documentation runs: every ``python`` block, in order, in one namespace a file."""

import linecache
import re
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "docs/in_your_tests.md")
_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(document: Path) -> list[tuple[int, str]]:
    """Each block with the line it starts on."""
    text = document.read_text(encoding="utf-8")
    return [(text.count("\n", 0, match.start("code")), match["code"]) for match in _BLOCK.finditer(text)]


@pytest.fixture(autouse=True)
def _documented_mark(pytestconfig: pytest.Config) -> None:
    """The mark is the plugin's, which the documents' readers have and this run need not."""
    if not any(line.startswith("shapelint(") for line in pytestconfig.getini("markers")):
        pytestconfig.addinivalue_line("markers", "shapelint(sizes=None, inputs=None): lint the model")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_blocks_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document = ROOT / name
    if not document.exists():
        pytest.skip(f"there is no {name}")
    found = blocks(document)
    assert found, "a document without code has no place in this list"
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType("documented")
    monkeypatch.setitem(__import__("sys").modules, "documented", module)
    for line, code in found:
        file = f"{document}:{line}"
        source = "\n" * line + code
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
