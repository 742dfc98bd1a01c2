"""Building models without weights, with assumed arguments where nobody gave any."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from shapelint.loading.building import Built, alternatives, build, on_cpu
from shapelint.loading.discover import read_named, read_source
from shapelint.loading.errors import LoadError
from shapelint.loading.importing import forget_user_modules, imported

HEADER = "import torch\nfrom torch import nn\n"


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    yield
    forget_user_modules()


def net(parameters: str = "", body: str = "pass", name: str = "Net") -> str:
    """A class with this __init__; it returns its input."""
    return (
        f"class {name}(nn.Module):\n"
        f"    def __init__(self{', ' if parameters else ''}{parameters}):\n"
        f"        super().__init__()\n{indent(dedent(body), ' ' * 8)}\n"
        "    def forward(self, x):\n        return x\n"
    )


def built(tmp_path: Path, source: str, expression: str | None = None) -> Built:
    path = tmp_path / "net_to_build.py"
    path.write_text(HEADER + source)
    found = read_named(path, expression) if expression else read_source(path)
    with imported(path) as module:
        return build(module, found.targets[-1], path)


def failure(tmp_path: Path, source: str, expression: str | None = None) -> LoadError:
    with pytest.raises(LoadError) as raised:
        built(tmp_path, source, expression)
    return raised.value


def test_a_class_without_arguments_is_built_on_the_meta_device_for_evaluation(tmp_path: Path) -> None:
    result = built(tmp_path, net(body="self.conv = nn.Conv2d(3, 8, 3)"))
    assert (result.name, result.expression, result.device, result.assumptions) == ("Net", "Net()", "meta", ())
    assert all(parameter.is_meta for parameter in result.model.parameters())
    assert not result.model.training


def test_required_arguments_are_assumed_and_told(tmp_path: Path) -> None:
    result = built(tmp_path, net("n_channels, n_classes, bilinear=False", "nn.Conv2d(n_channels, n_classes, 1)"))
    assert [str(assumption) for assumption in result.assumptions] == ["n_channels=3", "n_classes=2"]
    assert result.expression == "Net(n_channels=3, n_classes=2)"


def test_other_values_are_tried_where_the_usual_ones_do_not_construct(tmp_path: Path) -> None:
    result = built(tmp_path, net("in_channels, out_channels", "nn.GroupNorm(8, in_channels)"))
    assert result.expression == "Net(in_channels=64, out_channels=64)"


def test_channel_lists(tmp_path: Path) -> None:
    result = built(tmp_path, net("channels", "self.convs = nn.ModuleList(nn.Conv2d(c, c, 1) for c in channels)"))
    assert result.expression == "Net(channels=(16, 32, 64))"


def test_further_assumptions_are_built_when_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "many_ways.py"
    path.write_text(HEADER + net("in_channels, out_channels"))
    with imported(path) as module:
        made = alternatives(module, read_source(path).targets[0], path)
        assert [next(made).expression, next(made).expression] == [
            "Net(in_channels=3, out_channels=2)",
            "Net(in_channels=64, out_channels=64)",
        ]


def test_the_same_model_can_be_had_on_the_cpu(tmp_path: Path) -> None:
    meta = built(tmp_path, net(body="self.conv = nn.Conv2d(3, 8, 3)"))
    again = on_cpu(meta)
    assert again is not None
    assert (again.device, again.expression) == ("cpu", "Net()")
    assert not next(again.model.parameters()).is_meta
    assert on_cpu(again) is None


def test_the_files_own_call_is_better_than_a_guess(tmp_path: Path) -> None:
    source = net("norm, planes", "norm(planes)") + "\nif __name__ == '__main__':\n    Net(nn.InstanceNorm2d, 24)\n"
    result = built(tmp_path, source)
    assert (result.expression, result.assumptions) == ("Net(nn.InstanceNorm2d, 24)", ())


def test_arguments_that_cannot_be_guessed_are_named_with_the_way_out(tmp_path: Path) -> None:
    error = failure(tmp_path, net("block, n_classes"))
    assert error.code == "SL902"
    assert error.guessed
    assert error.message == (
        "cannot construct Net: it needs block and n_classes, and a value for block cannot be guessed. "
        f"Name them: shapelint check {tmp_path / 'net_to_build.py'} --model 'Net(block=..., n_classes=...)'"
    )


def test_arguments_that_only_a_base_class_requires_are_found_out(tmp_path: Path) -> None:
    source = net("n_channels, depth", name="Base") + (
        "class Net(Base):\n    def __init__(self, **kwargs):\n        super().__init__(**kwargs)\n"
    )
    assert built(tmp_path, source, "Net").expression == "Net(n_channels=3, depth=2)"


def test_assumed_arguments_that_never_fit_say_what_happened_first(tmp_path: Path) -> None:
    error = failure(tmp_path, net("n_channels", "raise ValueError(f'not {n_channels}')"))
    assert "the values that were tried do not fit; the first attempt said: ValueError: not 3." in error.message


@pytest.mark.parametrize(
    ("expression", "width"),
    [("Net(5)", 5), ("Net(width=6).eval()", 6), ("nn.Sequential(Net(7))[0]", 7), ("make(8)", 8)],
)
def test_an_expression_is_evaluated_in_the_file(tmp_path: Path, expression: str, width: int) -> None:
    source = net("width", "self.width = width") + "def make(width):\n    return Net(width)\n"
    result = built(tmp_path, source, expression)
    assert result.model.width == width
    assert result.expression == expression


def test_torch_and_nn_are_there_even_if_the_file_calls_them_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "renamed_torch.py"
    path.write_text("import torch.nn as layers\nclass Net(layers.Module):\n    def forward(self, x): return x\n")
    found = read_named(path, "nn.Sequential(Net(), torch.nn.ReLU())")
    with imported(path) as module:
        assert isinstance(build(module, found.targets[0], path).model, nn.Sequential)


def test_builders_and_instances(tmp_path: Path) -> None:
    source = net("width", "self.width = width") + "def make() -> nn.Module:\n    return Net(9)\nmodel = Net(10)\n"
    assert built(tmp_path, source, "make").model.width == 9
    assert built(tmp_path, source, "model").model.width == 10


@pytest.mark.parametrize(
    "body", ["self.rates = [x.item() for x in torch.linspace(0, 1, 3)]", "int(torch.ones(2).sum())"]
)
def test_an_init_that_reads_values_is_run_on_the_cpu(tmp_path: Path, body: str) -> None:
    result = built(tmp_path, net(body=f"{body}\nself.conv = nn.Conv2d(3, 8, 3)"))
    assert result.device == "cpu"
    assert not next(result.model.parameters()).is_meta


def test_on_the_cpu_parameters_are_not_initialised(tmp_path: Path) -> None:
    body = """
        from torch.nn.init import trunc_normal_
        torch.ones(1).item()
        self.weight = nn.Parameter(torch.zeros(4))
        self.other = nn.Parameter(torch.zeros(4))
        nn.init.constant_(self.weight, 1.0)
        nn.init.normal_(self.weight)
        trunc_normal_(self.weight)
        self.other.data.normal_()
    """
    result = built(tmp_path, net(body=body))
    assert torch.equal(result.model.weight, torch.zeros(4))
    assert torch.equal(result.model.other, torch.zeros(4))
    nn.init.constant_(result.model.weight, 2.0)
    assert torch.equal(result.model.weight, torch.full((4,), 2.0))


def test_on_the_meta_device_random_fills_cost_nothing(tmp_path: Path) -> None:
    file = tmp_path / "net.py"
    body = """
        self.embedding = nn.Embedding(3, 4)
        self.conv = nn.Conv2d(3, 4, 3)
        for fill in nn.init.normal_, nn.init.kaiming_normal_, nn.init.trunc_normal_, nn.init.xavier_uniform_:
            assert fill(self.conv.weight) is self.conv.weight
        nn.init.uniform_(tensor=self.conv.bias)
        self.conv.bias.data.exponential_()
    """
    file.write_text(HEADER + net(body=body))
    code = f"""
import sys
from pathlib import Path
from shapelint.loading.building import build
from shapelint.loading.discover import read_source
from shapelint.loading.importing import imported
path = Path({str(file)!r})
with imported(path) as module:
    built = build(module, read_source(path).targets[0], path)
assert built.device == "meta"
assert "torch._dynamo" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_on_the_meta_device_no_layer_is_filled_at_random(tmp_path: Path) -> None:
    called: list[str] = []

    class Watching(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            called.append(str(func))
            return func(*args, **(kwargs or {}))

    with Watching():
        result = built(tmp_path, net(body="self.layers = nn.Conv2d(3, 4, 3), nn.Linear(3, 4), nn.Embedding(3, 4)"))
    assert result.device == "meta"
    assert {name.split(".")[1] for name in called} == {"empty"}


def test_random_state_is_left_alone(tmp_path: Path) -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    built(tmp_path, net(body="torch.ones(1).item()\ntorch.rand(5, device='cpu')"))
    assert torch.equal(torch.rand(1), expected)


def test_an_init_that_raises_is_told_with_its_line(tmp_path: Path) -> None:
    error = failure(tmp_path, net(body="raise ValueError('depth must be even')"))
    assert error.code == "SL902"
    assert error.message == "Net() raised ValueError: depth must be even"
    assert error.location is not None
    assert error.location.line == 6


@pytest.mark.parametrize("expression", [None, "model"])
def test_an_init_that_forgets_the_one_of_its_base_is_told(tmp_path: Path, expression: str | None) -> None:
    source = net(body="self.size = 3").replace("        super().__init__()\n", "")
    error = failure(tmp_path, source + ("model = Net()\n" if expression else ""), expression)
    assert error.code == "SL902"
    assert error.message.endswith("is no working nn.Module: Net.__init__ does not call super().__init__()")


@pytest.mark.parametrize("compiled", ["torch.jit.script(Net())", "torch.jit.trace(Net(), torch.ones(1, 3, 4, 4))"])
def test_a_compiled_model_is_one(tmp_path: Path, compiled: str) -> None:
    source = net(body="self.conv = nn.Conv2d(3, 8, 3)") + f"model = {compiled}\n"
    assert built(tmp_path, source, "model").name == "model"


def test_an_init_that_exits_does_not_end_the_linter(tmp_path: Path) -> None:
    assert failure(tmp_path, net(body="raise SystemExit(4)")).message == "Net() raised SystemExit(4)"


def test_an_error_in_an_expression_is_told(tmp_path: Path) -> None:
    error = failure(tmp_path, net("width"), "Net(1, 2, 3)")
    assert (
        "Net(1, 2, 3) raised TypeError: Net.__init__() takes 2 positional arguments but 4 were given" in error.message
    )


@pytest.mark.parametrize(("expression", "kind"), [("[1, 2]", "list"), ("Net", "type"), ("torch.ones(2)", "Tensor")])
def test_what_is_no_module_is_told(tmp_path: Path, expression: str, kind: str) -> None:
    error = (
        failure(tmp_path, net(), f"({expression})" if expression == "Net" else expression) if kind != "type" else None
    )
    if error is not None:
        assert f"is a {kind}, not an nn.Module" in error.message


@pytest.mark.parametrize("call", ["torch.load('weights.pt')", "torch.hub.load_state_dict_from_url('https://x')"])
def test_weights_are_refused_with_the_way_out(tmp_path: Path, call: str) -> None:
    error = failure(tmp_path, net(body=call))
    assert error.message.startswith("Net() tried to load weights: torch.")
    assert "construct it without (weights=None, pretrained=False)" in error.message


@pytest.mark.parametrize(
    ("arguments", "body", "guessed"),
    [
        ("depth=None", "self.layers = [nn.ReLU()] * depth", True),
        ("depth=3", "raise ValueError(depth)", False),
        ("depth=3", "import torchvision_of_nobody", True),
        ("depth=3", "raise RuntimeError('to use this: pip install torchvision')", True),
        ("pretrained=True", "torch.hub.load('of/nobody', 'net')", True),
    ],
    ids=["a default that leaves it open", "its own defaults", "a package", "a package, in words", "weights"],
)
def test_a_failure_may_be_due_to_what_nobody_gave(tmp_path: Path, arguments: str, body: str, guessed: bool) -> None:
    assert failure(tmp_path, net(arguments, body)).guessed is guessed


@pytest.mark.parametrize(
    "body",
    ["import torchvision_of_nobody", "raise ImportError(\"no luck (No module named 'torchvision_of_nobody')\")"],
)
def test_a_package_that_is_missing_is_named(tmp_path: Path, body: str) -> None:
    assert failure(tmp_path, net("depth=3", body)).message == (
        "Net() cannot be made: it imports the package torchvision_of_nobody, which is not installed here; install "
        "torchvision_of_nobody, or run shapelint in the environment that the model runs in "
        f"({sys.executable} is used now); a file that may do without being checked is left out with the setting exclude"
    )


@pytest.mark.parametrize(
    ("arguments", "expression"),
    [
        ("depth=3, encoder_weights='imagenet'", "Net(encoder_weights=None)"),
        ("n_channels, encoder_weights='imagenet'", "Net(n_channels=3, encoder_weights=None)"),
        ("depth=3, encoder_weights=True", "Net(encoder_weights=False)"),
    ],
)
def test_what_asks_for_weights_is_made_without(tmp_path: Path, arguments: str, expression: str) -> None:
    result = built(tmp_path, net(arguments, "if encoder_weights: torch.hub.load('of/nobody', encoder_weights)"))
    assert result.expression == expression
    assert str(result.assumptions[-1]) == expression.removesuffix(")").rpartition(", ")[2].removeprefix("Net(")


def test_what_cannot_be_made_without_weights_says_what_it_tried(tmp_path: Path) -> None:
    error = failure(tmp_path, net("weights='imagenet'", "torch.hub.load('of/nobody', weights[:3])"))
    assert error.message.startswith("Net() tried to load weights: torch.hub.load is not allowed here")
