"""Which dtypes operations take: what the analysis says of each must be what PyTorch does on the CPU."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import shapelint
from shapelint.ops import dtypes as table
from shapelint.ops.registry import resolve

DTYPES = [torch.float32, torch.float64, torch.int64, torch.int32, torch.uint8, torch.bool, torch.complex64]


class Applies(nn.Module):
    def __init__(self, function: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Any:
        return self.function(x)


def runs(model: nn.Module, x: Tensor) -> bool:
    try:
        with torch.no_grad():
            model(x)
    except (RuntimeError, TypeError, ValueError, IndexError):
        return False
    return True


def ones(*shape: int) -> Tensor:
    return torch.ones(shape)


INDEX = torch.zeros(2, 4, 4, dtype=torch.int64)

FUNCTIONS: dict[str, Callable[[Tensor], Any]] = {
    # activations and functions of one tensor
    **{
        function.__name__: function
        for function in (
            F.relu, F.relu6, F.leaky_relu, F.elu, F.selu, F.celu, F.gelu, F.silu, F.mish, F.softplus, F.softsign,
            F.tanhshrink, F.softshrink, F.hardshrink, F.hardswish, F.hardsigmoid, F.logsigmoid, F.glu, torch.sigmoid,
            torch.tanh, torch.exp, torch.sqrt, torch.sin, torch.erf, torch.lgamma, torch.abs, torch.neg, torch.positive,
            torch.floor, torch.round, torch.trunc, torch.frac, torch.sign, torch.sgn, torch.isnan, torch.isposinf,
            torch.signbit, torch.logical_not, torch.bitwise_not, torch.square, torch.reciprocal, operator.invert,
            torch.rand_like, torch.randn_like, torch.zeros_like, torch.std, torch.var, torch.mean, torch.sum,
            torch.amax, torch.argmax, torch.median, torch.nansum, torch.max, torch.min, F.normalize,
        )
    },
    "in place exp": lambda x: x.clone().exp_(),
    "in place sigmoid": lambda x: x.clone().sigmoid_(),
    "in place normal": lambda x: x.clone().normal_(),
    "in place clamp": lambda x: x.clone().clamp_(0, 1),
    "in place relu": lambda x: x.clone().relu_(),
    "cummax": lambda x: x.cummax(-1),
    "trace": lambda x: x[0].trace(),
    "softmax": lambda x: x.softmax(-1),
    "softmax of converted": lambda x: x.softmax(-1, dtype=torch.float32),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "logcumsumexp": lambda x: x.logcumsumexp(-1),
    "norm": lambda x: x.norm(dim=-1),
    "sort": lambda x: x.sort(-1),
    "topk": lambda x: x.topk(2, -1),
    "quantile": lambda x: x.quantile(0.5, -1),
    "kthvalue": lambda x: x.kthvalue(1, -1),
    # two operands
    "less than a number": lambda x: x < 0.5,
    "modulo": lambda x: x % 2,
    "floor division": lambda x: x // 2,
    "difference": lambda x: x - x,
    "number minus": lambda x: 1 - x,
    "minus a truth value": lambda x: x - True,
    "truth value minus": lambda x: True - x,
    "minus a truth value in place": lambda x: x.clone().sub_(False),
    "plus a truth value": lambda x: x + True,
    "hardtanh": F.hardtanh,
    "hardtanh in place": lambda x: F.hardtanh(x.clone(), inplace=True),
    "hardtanh without a sign": lambda x: F.hardtanh(x, 0, 6),
    "dropout in training": lambda x: F.dropout(x),
    "dropout in training in place": lambda x: torch.dropout_(x.clone(), 0.5, True),
    "dropout elsewhere": lambda x: F.dropout(x, training=False),
    "dropout of nothing": lambda x: F.dropout(x, 0.0),
    "dropout of everything": lambda x: F.dropout(x, 1.0),
    "dropout of channels in training": lambda x: F.dropout1d(x),
    "alpha dropout in training": lambda x: F.alpha_dropout(x, training=True),
    "feature alpha dropout in training": lambda x: F.feature_alpha_dropout(x, training=True),
    "and": lambda x: x & x,
    "or a number": lambda x: x | 1,
    "shift": lambda x: x << 1,
    "maximum": lambda x: torch.maximum(x, x),
    "clamp": lambda x: x.clamp(0, 1),
    "atan2": lambda x: torch.atan2(x, x),
    "gcd": lambda x: torch.gcd(x, x),
    "lerp": lambda x: torch.lerp(x, x, 0.5),
    "lerp to floats": lambda x: torch.lerp(x, ones(4), 0.5),
    "complex": lambda x: torch.complex(x, x),
    "polar": lambda x: torch.polar(x, x),
    # products
    "matmul": lambda x: x @ x,
    "matmul with floats": lambda x: x @ ones(4, 3),
    "floats matmul": lambda x: ones(3, 4) @ x,
    "bmm with floats": lambda x: torch.bmm(x, ones(2, 4, 3)),
    "addmm with floats": lambda x: torch.addmm(ones(4), x[0], ones(4, 4)),
    "baddbmm with floats": lambda x: torch.baddbmm(ones(4), x, ones(2, 4, 4)),
    "einsum with floats": lambda x: torch.einsum("nij,jk->nik", x, ones(4, 3)),
    "linear": lambda x: F.linear(x, ones(3, 4)),
    "outer with floats": lambda x: torch.outer(x[0, 0], ones(3)),
    "cdist with floats": lambda x: torch.cdist(x, ones(2, 3, 4)),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "attention to floats": lambda x: F.scaled_dot_product_attention(x, ones(2, 4, 4), ones(2, 4, 4)),
    "attention mask": lambda x: F.scaled_dot_product_attention(ones(2, 4, 4), ones(2, 4, 4), ones(2, 4, 4), x),
    # convolutions, pools, resizes, norms
    "conv1d": lambda x: F.conv1d(x, ones(2, 4, 1)),
    "conv_transpose1d": lambda x: F.conv_transpose1d(x, ones(4, 2, 1)),
    "conv2d": lambda x: F.conv2d(x[None], ones(2, 2, 1, 1)),
    "max_pool1d": lambda x: F.max_pool1d(x, 2),
    "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2),
    "adaptive_avg_pool1d": lambda x: F.adaptive_avg_pool1d(x, 2),
    "adaptive_max_pool2d": lambda x: F.adaptive_max_pool2d(x, 2),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "linear resize": lambda x: F.interpolate(x, scale_factor=2, mode="linear"),
    "bilinear resize": lambda x: F.interpolate(x[None], scale_factor=2, mode="bilinear"),
    "area resize": lambda x: F.interpolate(x, size=3, mode="area"),
    "unfold": lambda x: F.unfold(x[None], 1),
    "grid_sample": lambda x: F.grid_sample(x[None], torch.zeros(1, 3, 3, 2), align_corners=False),
    "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "layer_norm with weights": lambda x: F.layer_norm(x, (4,), ones(4)),
    "group_norm": lambda x: F.group_norm(x, 2),
    "batch_norm": lambda x: F.batch_norm(x, torch.zeros(4), ones(4)),
    "instance_norm": lambda x: F.instance_norm(x),
    "rfft": torch.fft.rfft,
    "fft": torch.fft.fft,
    # tables and indices
    "embedding": lambda x: F.embedding(x, ones(9, 3)),
    "embedding_bag": lambda x: F.embedding_bag(x[0], ones(9, 3)),
    "one_hot": lambda x: F.one_hot(x, 9),
    "subscript": lambda x: ones(9)[x] if x.dtype not in (torch.uint8, torch.bool) else 0,
    "gather": lambda x: ones(2, 4, 4).gather(1, x),
    "scatter": lambda x: ones(2, 4, 4).scatter(1, x, 0.0),
    "scatter_add": lambda x: ones(2, 4, 4).scatter_add(1, x, ones(2, 4, 4)),
    "index_select": lambda x: ones(9).index_select(0, x[0, 0]),
    "take": lambda x: ones(9).take(x),
    "scatter into floats": lambda x: torch.zeros(2, 4, 4).scatter(1, INDEX, x),
    "index_add into floats": lambda x: torch.zeros(4, 4).index_add(0, INDEX[0, 0], x[0]),
    # masks
    "masked_fill": lambda x: ones(4, 4).masked_fill(x, 0.0),
    "masked_fill in place": lambda x: ones(2, 4, 4).masked_fill_(x, 0.0),
    "where": lambda x: torch.where(x, 1.0, 0.0),
    "where it is not 0": lambda x: torch.where(x)[0].float(),
    "where as a method": lambda x: ones(2, 4, 4).where(x, ones(4)),
    "masked_scatter": lambda x: ones(2, 4, 4).masked_scatter(x, ones(2, 4, 4)),
    # losses
    "mse_loss": lambda x: F.mse_loss(x, x),
    "l1_loss to floats": lambda x: F.l1_loss(x, ones(2, 4, 4)),
    "binary_cross_entropy_with_logits": lambda x: F.binary_cross_entropy_with_logits(x, ones(2, 4, 4)),
    "nll_loss": lambda x: F.nll_loss(x, INDEX[:, 0]),
    "cross_entropy": lambda x: F.cross_entropy(x, INDEX[:, 0]),
}  # fmt: skip


def _of_one_tensor() -> list[Any]:
    """The entries of the table that one tensor is enough for; operators answer NotImplemented without another one."""
    found = []
    for kinds, names in table._INPUT:
        for name in names:
            function = next(iter(resolve(name)))
            if isinstance(name, str) and not name.startswith("__") and runs(Applies(function), _tensor(kinds)):
                found.append(pytest.param(name, function, id=name))
    return found


def _tensor(kinds: str) -> Tensor:
    return torch.zeros(2, 4, 4, dtype=torch.float32 if "f" in kinds else torch.int64)


@pytest.mark.parametrize(("name", "function"), _of_one_tensor())
def test_each_entry_of_one_tensor_is_what_pytorch_takes(name: str, function: Any) -> None:
    refused = {dtype for dtype in DTYPES if not runs(Applies(function), torch.zeros(2, 4, 4, dtype=dtype))}
    requirements = table.REQUIREMENTS[function]
    assert refused == requirements.refused & set(DTYPES), name


def test_what_is_refused_is_told_in_words_for_every_kind() -> None:
    kinds = {kinds for kinds, _ in table._INPUT} | {kinds for _, _, kinds, _ in table._OPERANDS}
    assert kinds <= table._WORDS.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_take_the_dtypes_that_pytorch_takes(name: str) -> None:
    model = Applies(FUNCTIONS[name]).eval()
    expected = {dtype: runs(model, torch.zeros(2, 4, 4, dtype=dtype)) for dtype in DTYPES}
    found = {dtype: shapelint.analyze(model, (2, "C", 4, dtype)).accepts(C=4) for dtype in DTYPES}
    assert found == expected


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "Linear": lambda: nn.Linear(4, 3),
    "Conv1d": lambda: nn.Conv1d(4, 3, 1),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(4, 3, 1),
    "LayerNorm": lambda: nn.LayerNorm(4),
    "LayerNorm without weights": lambda: nn.LayerNorm(4, elementwise_affine=False),
    "GroupNorm": lambda: nn.GroupNorm(2, 4),
    "BatchNorm1d": lambda: nn.BatchNorm1d(4),
    "InstanceNorm1d": lambda: nn.InstanceNorm1d(4),
    "PReLU": lambda: nn.PReLU(),
    "Embedding": lambda: nn.Embedding(9, 3),
    "LSTM": lambda: nn.LSTM(4, 3),
    "GRU": lambda: nn.GRU(4, 3),
    "TransformerEncoderLayer": lambda: nn.TransformerEncoderLayer(4, 2, 8),
    "GELU": lambda: nn.GELU(),
    "ReLU": lambda: nn.ReLU(),
    "Softmax": lambda: nn.Softmax(-1),
    "MaxPool2d": lambda: nn.MaxPool2d(2),
    "AvgPool1d": lambda: nn.AvgPool1d(2),
    "AdaptiveAvgPool1d": lambda: nn.AdaptiveAvgPool1d(2),
    "Upsample": lambda: nn.Upsample(scale_factor=2),
    "Dropout": lambda: nn.Dropout(),
    "Hardtanh": lambda: nn.Hardtanh(),
    "Hardtanh without a sign": lambda: nn.Hardtanh(0, 6),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_take_the_dtype_of_their_weights(name: str) -> None:
    model = nn.Sequential(LAYERS[name](), nn.Identity()).eval()
    expected = {dtype: runs(model, torch.zeros(2, 4, 4, dtype=dtype)) for dtype in DTYPES}
    found = {dtype: shapelint.analyze(model, (2, "C", 4, dtype)).accepts(C=4) for dtype in DTYPES}
    assert found == expected


@pytest.mark.parametrize("input_dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("weight_dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["Linear", "LayerNorm", "GroupNorm", "BatchNorm1d", "Conv1d"])
def test_floating_point_numbers_of_other_widths(name: str, weight_dtype: torch.dtype, input_dtype: torch.dtype) -> None:
    model = nn.Sequential(LAYERS[name]()).eval().to(weight_dtype)
    analysis = shapelint.analyze(model, (2, "C", 4, input_dtype))
    assert analysis.accepts(C=4) == runs(model, torch.zeros(2, 4, 4, dtype=input_dtype))


def test_autocast_converts_before_it_multiplies() -> None:
    class Automatic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return self.linear(x.bfloat16()).float()

    model = Automatic().eval()
    assert runs(model, ones(2, 4))
    assert shapelint.analyze(model, ("N", 4)).accepts(N=2)


def test_what_is_refused_says_what_to_convert() -> None:
    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Linear(1, 8)

        def forward(self, x: Tensor) -> Tensor:
            return x + self.embed(torch.arange(x.shape[1]).unsqueeze(-1))

    (finding,) = shapelint.analyze(Positions(), ("N", "T", 8)).check(["SL302"])
    assert "is torch.int64 and its weights are torch.float32" in finding.why
    assert "convert the input with .to(torch.float32)" in finding.why


def test_counting_integers_is_left_to_the_device() -> None:
    def counted(x: Tensor) -> Tensor:
        return torch.histc(x.float() if x.device.type == "cpu" else x.int(), bins=4)

    assert shapelint.analyze(Applies(counted), ("N", 4)).accepts(N=2)
