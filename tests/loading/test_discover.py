"""Which models a file holds. No test here imports what it reads."""

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from shapelint.loading.discover import Kind, SourceFile, read_named, read_source
from shapelint.loading.errors import LoadError

NET = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
    def forward(self, x):
        return x
"""


def read(tmp_path: Path, source: str, name: str = "model.py") -> SourceFile:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(dedent(source))
    return read_source(path)


def names(found: SourceFile) -> list[tuple[str, str]]:
    return [(target.name, target.kind.value) for target in found.targets]


@pytest.mark.parametrize(
    "source",
    [
        "from torch import nn\nclass Net(nn.Module):\n",
        "import torch\nclass Net(torch.nn.Module):\n",
        "import torch.nn as layers\nclass Net(layers.Module):\n",
        "from torch.nn import Module as Base\nclass Net(Base):\n",
        "from torch.nn import *\nclass Net(Module):\n",
        "from torch import nn\nBase = nn.Module\nclass Net(Base):\n",
        "from torch import nn\nclass Net(nn.Sequential):\n",
        "from torch import fx\nclass Net(fx.GraphModule):\n",
        "import torch\nclass Net(torch.jit.ScriptModule):\n",
        "import torch.nn as nn\nfrom typing import Generic, T\nclass Net(nn.Module, Generic[T]):\n",
        "try:\n    from lightning import LightningModule as L\nexcept ImportError:\n    pass\nclass Net(L):\n",
    ],
)
def test_a_class_is_a_model_whatever_nn_module_is_called(tmp_path: Path, source: str) -> None:
    found = read(tmp_path, f"{source}    def forward(self, x):\n        return x\n")
    assert names(found) == [("Net", "class")]


@pytest.mark.parametrize(
    "source",
    [
        "from torch import fx\nclass Net(fx.Tracer):\n    def forward(self, x):\n        return x\n",
        "class Net:\n    def forward(self, x):\n        return x\n",
        "from torch.nn import *\nclass Wrong(ValueError):\n    def forward(self, x):\n        return x\n",
        "from torch import nn\nclass Scale(nn.Parameter):\n    def forward(self, x):\n        return x\n",
        "from torch.utils.data import Dataset\nclass Images(Dataset):\n    def forward(self, x):\n        return x\n",
    ],
)
def test_other_classes_are_not(tmp_path: Path, source: str) -> None:
    assert names(read(tmp_path, source)) == []


def test_bases_are_followed_through_the_files_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    read(
        tmp_path, "import torch.nn as nn\nclass Root(nn.Module):\n    def forward(self, x): return x\n", "nets/base.py"
    )
    read(tmp_path, "from .base import Root as Base\n", "nets/__init__.py")
    relative = read(tmp_path, "from .base import Root\nclass Net(Root): pass\n", "nets/unet.py")
    through_package = read(tmp_path, "from . import Base\nclass Net(Base): pass\n", "nets/other.py")
    absolute = read(tmp_path, "import nets.base as b\nclass Net(b.Root): pass\n", "scripts/train.py")
    for found in (relative, through_package, absolute):
        assert names(found) == [("Net", "class")]


def test_bases_that_lead_in_a_circle_end(tmp_path: Path) -> None:
    read(tmp_path, "from b import B\nclass A(B): pass\n", "a.py")
    assert names(read(tmp_path, "from a import A\nclass B(A): pass\n", "b.py")) == []


def test_a_contained_class_is_analysed_through_its_owner(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        from torch import nn
        class Conv(nn.Module):
            def forward(self, x): return x
        class Block(nn.Module):
            def __init__(self):
                self.conv = Conv()
            def forward(self, x): return x
        def stage(): return nn.Sequential(Block())
        class Net(nn.Module):
            def __init__(self):
                self.stage = stage()
            def forward(self, x): return x
        """,
    )
    assert names(found) == [("Net", "class")]
    assert [(skip.name, skip.location.line) for skip in found.skipped] == [("Conv", 3), ("Block", 5)]
    assert found.skipped[1].reason == "it is analysed through Net, which contains it"


def test_a_mention_is_not_containment(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        from torch import nn
        class Small(nn.Module):
            def forward(self, x): return x
        class Large(nn.Module):
            def __init__(self, other: Small | None = None):
                super(Large, self).__init__()
                assert not isinstance(other, Small)
            def forward(self, x): return x
        """,
    )
    assert names(found) == [("Small", "class"), ("Large", "class")]


def test_a_class_that_contains_itself_is_still_analysed(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        from torch import nn
        class Nested(nn.Module):
            def __init__(self, depth=3):
                self.inner = Nested(depth - 1) if depth else None
            def forward(self, x): return x
        """,
    )
    assert names(found) == [("Nested", "class")]


def test_builders_and_instances(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"""
        import torch
        from torch import nn
        {NET.replace(chr(10), chr(10) + " " * 8)}
        def net() -> nn.Module:
            return Net()
        def named() -> "Net":
            return Net()
        def helper(x):
            return x
        def freeze(model: nn.Module) -> nn.Module:
            return model
        model = nn.Sequential(nn.Conv2d(3, 8, 3)).eval()
        loss = nn.CrossEntropyLoss()
        act = nn.ReLU()
        """,
    )
    assert names(found) == [("net", "builder"), ("named", "builder"), ("model", "instance")]
    reasons = {skip.name: skip.reason for skip in found.skipped}
    assert reasons == {
        "Net": "it is analysed through net, which contains it",
        "freeze": "it changes or wraps a model that it is given",
    }


def test_what_has_no_forward_is_abstract_or_is_a_loss_is_passed_over_with_the_reason(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        from abc import abstractmethod
        from torch import nn
        class Mixin(nn.Module):
            def size(self): return 1
        class Base(nn.Module):
            @abstractmethod
            def features(self, x): ...
            def forward(self, x): return self.features(x)
        class DiceLoss(nn.Module):
            def forward(self, x, y): return x - y
        """,
    )
    assert names(found) == []
    assert [(skip.name, skip.reason) for skip in found.skipped] == [
        ("Mixin", "it has no forward"),
        ("Base", "it is abstract"),
        ("DiceLoss", "it is a loss or a metric, not a network"),
    ]


def test_a_loss_is_told_by_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "bases.py").write_text(
        "from torch import nn\nclass Criterion(nn.Module):\n    def forward(self, output, target): ...\n"
    )
    found = read(
        tmp_path,
        """
        from torch import nn
        from .bases import Criterion
        class Lossy(nn.Module):
            def forward(self, x, y): return x - y
        class LosslessCodec(nn.Module):
            def forward(self, x): return x
        class LossNet(nn.Module):
            def forward(self, x): return x
        class FocalLoss2d(nn.Module):
            def forward(self, x, target, weight=None): return x - target
        class Weighted(nn.MSELoss):
            pass
        class Mine(Criterion):
            pass
        codec = LosslessCodec()
        focal = FocalLoss2d()
        """,
    )
    assert names(found) == [("Lossy", "class"), ("LossNet", "class"), ("codec", "instance")]
    reasons = {skip.name: skip.reason for skip in found.skipped}
    assert reasons.pop("LosslessCodec") == "it is analysed through codec, which contains it"
    assert reasons == dict.fromkeys(["FocalLoss2d", "Weighted", "Mine"], "it is a loss or a metric, not a network")


def test_the_files_own_calls_tell_which_arguments_are_usual(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        """
        from torch import nn
        class Net(nn.Module):
            def __init__(self, channels, norm): ...
            def forward(self, x): return x
        def train(options):
            return Net(options.channels, nn.BatchNorm2d)
        if __name__ == "__main__":
            print(Net(8, norm=nn.BatchNorm2d))
        """,
    )
    (target,) = found.targets
    assert target.calls == ("Net(8, norm=nn.BatchNorm2d)",)


def test_a_comment_names_the_model_and_its_sizes(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        f"from torch import nn\n{NET}# shapelint: Net() input=(N, 3, H, W) size=64x64\n# shapelint: Net() size=96x96\n",
    )
    assert [(target.expression, target.inputs, target.sizes) for target in found.targets] == [
        ("Net()", "(N, 3, H, W)", "64x64"),
        ("Net()", None, "96x96"),
    ]
    assert all(target.kind is Kind.EXPRESSION and target.named for target in found.targets)


def test_a_comment_at_a_class_describes_it(tmp_path: Path) -> None:
    found = read(tmp_path, f"from torch import nn\n# shapelint: size=64x64{NET}")
    (target,) = found.targets
    assert (target.name, target.kind, target.sizes) == ("Net", Kind.CLASS, "64x64")


def test_a_comment_that_describes_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="names no model and does not stand at a class"):
        read(tmp_path, f"# shapelint: size=64x64\nfrom torch import nn\n{NET}")


def test_locations_count_characters_from_one(tmp_path: Path) -> None:
    found = read(tmp_path, "from torch import nn\nif 'é': model = nn.Sequential()\n")
    (target,) = found.targets
    assert (target.location.line, target.location.column, target.location.end_column) == (2, 9, 14)


def test_a_name_is_looked_up_before_anything_is_imported(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_text(f"from torch import nn\n{NET}")
    assert read_named(path, "Net").targets[0].kind is Kind.CLASS
    assert read_named(path, "Net()").targets[0].kind is Kind.EXPRESSION
    with pytest.raises(LoadError, match=r"there is no Nett in this file; did you mean Net\?"):
        read_named(path, "Nett")
    with pytest.raises(LoadError, match="is not a Python expression"):
        read_named(path, "Net(")


class TestUnreadableFiles:
    """Told where somebody named the file or it mentions torch; else it is nobody's model."""

    def test_binary(self, tmp_path: Path) -> None:
        path = tmp_path / "blob.py"
        path.write_bytes(b"torch\0\x01\x02")
        with pytest.raises(LoadError, match="this is a binary file, not Python source"):
            read_source(path, named=False)

    def test_another_encoding(self, tmp_path: Path) -> None:
        path = tmp_path / "latin.py"
        path.write_bytes("x = 1\nname = 'Fou\xe9'\n".encode("latin-1"))
        with pytest.raises(LoadError, match="byte 0xe9 is not UTF-8 text") as raised:
            read_source(path)
        assert raised.value.location is not None
        assert raised.value.location.line == 2
        path.write_bytes("# caf\xe9\n".encode("latin-1"))
        with pytest.raises(LoadError, match="byte 0xe9 is not UTF-8 text"):
            read_source(path)
        path.write_bytes(b"# -*- coding: klingon -*-\n")
        with pytest.raises(LoadError, match="cannot read the file: unknown encoding: klingon"):
            read_source(path)
        path.write_bytes("# -*- coding: latin-1 -*-\nname = 'Fou\xe9'\n".encode("latin-1"))
        assert read_source(path).targets == ()

    def test_syntax_error(self, tmp_path: Path) -> None:
        path = tmp_path / "broken.py"
        path.write_text("import torch\ndef forward(self, x)\n    return x\n")
        with pytest.raises(LoadError, match=r"broken.py:2:21: SL901 this is not valid Python: expected ':'"):
            read_source(path, named=False)

    def test_somebody_elses_syntax_is_not_our_matter(self, tmp_path: Path) -> None:
        path = tmp_path / "template.py"
        path.write_text("class {{ name }}(object):\n")
        assert read_source(path, named=False).targets == ()
        with pytest.raises(LoadError):
            read_source(path, named=True)


def test_windows_line_ends_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    path.write_bytes(b"\xef\xbb\xbf" + f"from torch import nn\n{NET}".replace("\n", "\r\n").encode())
    assert names(read_source(path)) == [("Net", "class")]


def test_reading_imports_nothing(tmp_path: Path) -> None:
    before = set(sys.modules)
    read(tmp_path, f"import torch, wave, no_such_package\nfrom torch import nn\n{NET}raise SystemExit\n")
    assert "wave" not in set(sys.modules) - before
