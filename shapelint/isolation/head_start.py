"""torch's largest library is loaded by a thread of its own while Python imports what does not need torch.

To load it takes a sixth of an import of torch, and no Python: ``dlopen`` called through ``ctypes`` runs beside the
interpreter, while everything waits for an extension module that is imported. ``import torch`` then finds it there.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Final

# In torch's own order. What is not found or cannot be loaded is left to ``import torch``, which says what is wrong.
_LIBRARIES: Final = (("torch_global_deps", os.RTLD_NOW | os.RTLD_GLOBAL), ("torch_cpu", os.RTLD_NOW))
_ENDING: Final = "dylib" if sys.platform == "darwin" else "so"


def load_torch_library() -> Callable[[], None]:
    """Begin; what is returned waits until it is done."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return lambda: None
    folder = Path(spec.origin).parent / "lib"
    thread = Thread(target=_load, args=(folder,), name="loads torch")
    thread.start()
    return thread.join


def _load(folder: Path) -> None:
    dlopen = ctypes.CDLL(None).dlopen  # ctypes.CDLL(path) would keep the interpreter waiting
    dlopen.argtypes = ctypes.c_char_p, ctypes.c_int
    dlopen.restype = ctypes.c_void_p
    for name, how in _LIBRARIES:
        if dlopen(os.fsencode(folder / f"lib{name}.{_ENDING}"), how) is None:
            return
