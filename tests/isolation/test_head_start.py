"""torch's library is there before torch is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_LOADED = "any('libtorch_cpu' in line for line in open('/proc/self/maps'))"
_CHECK = f"""
import sys, threading
from shapelint.isolation.head_start import load_torch_library
assert not {_LOADED}
load_torch_library()()
assert {_LOADED}
assert "torch" not in sys.modules
assert threading.active_count() == 1
import torch
assert torch.nn.Conv2d(1, 1, 3)(torch.ones(1, 1, 5, 5)).shape == (1, 1, 3, 3)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what is loaded")
def test_the_library_is_loaded_without_torch() -> None:
    subprocess.run([sys.executable, "-c", _CHECK], check=True)


@pytest.mark.parametrize("has_torch", [True, False])
def test_what_cannot_be_loaded_is_left_to_the_import(tmp_path: Path, has_torch: bool) -> None:
    if has_torch:
        (tmp_path / "torch").mkdir()
        (tmp_path / "torch" / "__init__.py").touch()
    code = f"import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p] + [{str(tmp_path)!r}]\n"
    code += "from shapelint.isolation.head_start import load_torch_library; load_torch_library()()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
