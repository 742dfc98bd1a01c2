"""Activations, arithmetic with broadcasting and in-place forms against torch."""

from __future__ import annotations

import operator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import shapelint.ops.elementwise  # noqa: F401 - registers the rules
from shapelint.ops.broadcasting import broadcast
from shapelint.ops.registry import function_rule
from shapelint.sizes import Condition, Domain, Path, SizeError, following
from shapelint.sizes.dim import dim, evaluate
from tests.ops.against_torch import check, label, shaped

SIZES = {"H": range(5), "W": range(5)}
INTEGERS, TRUTHS, COMPLEX = torch.int64, torch.bool, torch.complex64

UNARY = [
    torch.relu, F.relu, F.relu6, F.leaky_relu, F.elu, F.gelu, F.silu, F.mish, F.softplus, F.hardswish, F.hardtanh,
    F.dropout, F.logsigmoid, torch.sigmoid, torch.tanh, torch.exp, torch.sqrt, torch.neg, torch.abs, torch.square,
    torch.sign, torch.floor, torch.isnan, torch.logical_not, torch.clone, torch.detach, torch.nan_to_num,
    torch.Tensor.relu_, torch.Tensor.exp_, torch.Tensor.zero_, torch.Tensor.contiguous, torch.Tensor.__neg__,
    torch.angle, torch.log1p, torch.rsqrt, torch.reciprocal, torch.positive,
]  # fmt: skip


@pytest.mark.parametrize("function", UNARY, ids=lambda function: function.__name__)
def test_functions_of_one_tensor_keep_the_shape(function: Any) -> None:
    check(function, shaped("H", 3, "W"), sizes={"H": range(3), "W": range(3)})


@pytest.mark.parametrize(
    ("function", "dtype"),
    [
        (torch.exp, INTEGERS), (torch.sqrt, TRUTHS), (torch.abs, COMPLEX), (torch.angle, COMPLEX),
        (torch.real, COMPLEX),
        (torch.abs, INTEGERS), (torch.isnan, COMPLEX), (torch.square, INTEGERS), (torch.relu, INTEGERS),
        (torch.sigmoid, torch.float16), (torch.exp, torch.float64), (torch.angle, INTEGERS), (torch.sin, COMPLEX),
        (torch.sign, INTEGERS), (torch.deg2rad, INTEGERS), (torch.bitwise_not, TRUTHS),
    ],
)  # fmt: skip
def test_the_dtype_of_functions_of_one_tensor(function: Any, dtype: torch.dtype) -> None:
    check(function, shaped(2, 3, dtype=dtype))


MODULES = [
    nn.Identity(), nn.ReLU(), nn.ReLU6(inplace=True), nn.LeakyReLU(0.2), nn.ELU(), nn.SELU(), nn.CELU(), nn.GELU(),
    nn.SiLU(), nn.Mish(), nn.Sigmoid(), nn.Tanh(), nn.Softplus(), nn.Softsign(), nn.Hardswish(), nn.Hardtanh(),
    nn.Threshold(0.1, 0.0), nn.Dropout(), nn.Dropout2d(), nn.Dropout3d(), nn.AlphaDropout(), nn.Softmax(1),
    nn.LogSoftmax(-1), nn.Softmin(0), nn.Softmax(7), nn.Softmax2d(), nn.GLU(), nn.GLU(1), nn.GLU(3), nn.PReLU(),
    nn.PReLU(3), nn.Dropout1d(),
]  # fmt: skip


@pytest.mark.parametrize("module", MODULES, ids=repr)
@pytest.mark.parametrize("shape", [("H",), ("H", 3), ("H", "W", 4), (1, "H", 3, "W")], ids=label)
def test_activation_modules(module: nn.Module, shape: tuple[Any, ...]) -> None:
    check(module, shaped(*shape), sizes={"H": range(1, 5), "W": range(1, 4)})


BINARY = [
    torch.add, torch.sub, torch.mul, torch.div, torch.pow, torch.maximum, torch.fmod, torch.atan2, torch.eq, torch.lt,
    torch.logical_and, torch.Tensor.add, torch.Tensor.mul, torch.Tensor.__rsub__, torch.Tensor.__rpow__,
    torch.floor_divide, torch.isclose,
]  # fmt: skip


@pytest.mark.parametrize("function", BINARY, ids=lambda function: function.__name__)
def test_two_tensors_broadcast(function: Any) -> None:
    check(function, shaped("H", 3), shaped("W", 3), sizes=SIZES)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("H", "W"), ("H", "W")), (("H", "W"), ("W",)), (("W",), ("H", "W")), (("H", 1), (1, "W")), (("H", 1), ("W",)),
        ((2, "H"), (2, 3)), (("H", "H"), ("W", "W")), ((), ("H",)), (("H//2",), ("W",)), (("H - H//2",), ("H//2",)),
        ((2, "H"), (3, "H")), ((0, "H"), ("W", 1)), (("H + 1",), ("H",)), (("H*W",), ("H",)), ((3, 1), ("H", 4, "W")),
    ],
    ids=label,
)  # fmt: skip
def test_broadcasting(a: tuple[Any, ...], b: tuple[Any, ...]) -> None:
    check(torch.add, shaped(*a), shaped(*b), sizes=SIZES)
    check(torch.Tensor.add_, shaped(*a), shaped(*b), sizes=SIZES)
    check(torch.Tensor.copy_, shaped(*a), shaped(*b), sizes=SIZES)
    check(torch.Tensor.__iadd__, shaped(*a), shaped(*b), sizes=SIZES)


DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.int64, torch.int32, torch.bool, torch.complex64]
NUMBERS = [True, 2, 2.5, 1j]
WITHOUT_ARITHMETIC = {torch.bcomplex32} if hasattr(torch, "bcomplex32") else set()
"""Dtypes that PyTorch promotes to, and has no arithmetic for on the CPU."""


@pytest.mark.parametrize("function", [torch.add, torch.mul, torch.div, torch.Tensor.mul_, torch.Tensor.div_], ids=label)
@pytest.mark.parametrize("a", DTYPES, ids=label)
def test_dtypes_are_promoted(function: Any, a: torch.dtype) -> None:
    in_place = function.__name__.endswith("_")

    def device(x: torch.Tensor, y: Any) -> str:
        return "meta" if torch.result_type(x, y) in WITHOUT_ARITHMETIC and not in_place else "cpu"

    for b in DTYPES:
        for left in [(2,), ()]:
            for right in [(2,), ()]:
                if left or not right or not in_place:
                    on = device(torch.zeros(left, dtype=a), torch.zeros(right, dtype=b))
                    check(function, shaped(*left, dtype=a), shaped(*right, dtype=b), device=on)
    for number in NUMBERS:
        check(function, shaped(2, dtype=a), number, device=device(torch.zeros(2, dtype=a), number))


@pytest.mark.parametrize("rounding_mode", ["floor", "trunc", None])
def test_division_rounds(rounding_mode: str | None) -> None:
    check(torch.div, shaped(2, dtype=INTEGERS), 2, rounding_mode=rounding_mode)
    check(torch.Tensor.div_, shaped(2, dtype=INTEGERS), 2, rounding_mode=rounding_mode)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (torch.where, (shaped("H", 1, dtype=TRUTHS), shaped("W"), 0.0)),
        (torch.where, (shaped("H", 1, dtype=TRUTHS), shaped("W", dtype=INTEGERS), shaped("W"))),
        (torch.where, (shaped("H", dtype=TRUTHS), 1, 0)),
        (torch.where, (shaped("H", dtype=TRUTHS), 1.0, 0)),
        (torch.Tensor.where, (shaped("H"), shaped("W", 1, dtype=TRUTHS), shaped(2))),
        (torch.lerp, (shaped("H"), shaped("W"), 0.5)),
        (torch.lerp, (shaped("H"), shaped("W"), shaped(2, 1))),
        (torch.addcmul, (shaped("H"), shaped("W", 1), shaped(2))),
        (torch.Tensor.addcmul_, (shaped("H", "W"), shaped("W"), shaped(2))),
        (torch.clamp, (shaped("H"), shaped("W", 1), None)),
        (torch.clamp, (shaped("H", dtype=INTEGERS), 0.5)),
        (torch.clamp, (shaped("H"), None, 6)),
        (torch.clamp, (shaped("H"),)),
        (torch.masked_fill, (shaped("H", 1), shaped("W", dtype=TRUTHS), 0.0)),
        (torch.Tensor.masked_fill_, (shaped("H", "W"), shaped("W", dtype=TRUTHS), 0.0)),
        (torch.Tensor.masked_fill_, (shaped("H", 1), shaped("W", dtype=TRUTHS), 0.0)),
        (torch.masked_fill, (shaped("H"), shaped("H", dtype=TRUTHS), shaped(1))),
        (torch.complex, (shaped("H", 1), shaped("W"))),
        (torch.polar, (shaped("H"), shaped("H"))),
        (F.prelu, (shaped(2, "H", 3), shaped("W"))),
        (F.prelu, (shaped("H"), shaped("W"))),
        (F.glu, (shaped("H", "W"), 0)),
        (F.softmax, (shaped("H", "W"), 1)),
        (F.softmax, (shaped("H", "W"), 2)),
        (torch.softmax, (shaped("H", "W", dtype=torch.float16), -1, torch.float32)),
        (F.gumbel_softmax, (shaped("H", "W"),)),
        (torch.float_power, (shaped("H"), 2)),
        (torch.special.expit, (shaped("H", dtype=INTEGERS),)),
        (torch.special.ndtr, (shaped("H"),)),
        (torch.polygamma, (1, shaped("H"))),
        (torch.isin, (shaped("H"), shaped("W"))),
        (torch.renorm, (shaped("H", "W"), 2, 0, 1.0)),
        (torch.Tensor.__eq__, (shaped("H"), "replicate")),
        (torch.Tensor.__ne__, (shaped("H"), shaped("W"))),
        (torch.bitwise_and, (shaped("H", dtype=INTEGERS), shaped("W", dtype=INTEGERS))),
    ],
    ids=label,
)
def test_several_operands(function: Any, arguments: tuple[Any, ...]) -> None:
    check(function, *arguments, sizes=SIZES)


def test_weight_norm() -> None:
    # from 1 on: torch 2.13 divides by zero where there is no row
    check(torch._weight_norm, shaped("H", 3, 2), shaped("H", 1, 1), 0, sizes={"H": range(1, 4)})


def test_every_operator_has_a_rule() -> None:
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift"):
        dunder = getattr(operator, f"__{name.rstrip('_')}__").__name__.strip("_")
        for form in (f"__{dunder}__", f"__r{dunder}__", f"__i{dunder}__"):
            method = getattr(torch.Tensor, form, None)
            assert method is None or function_rule(method) is not None, form
    for name in ("eq", "ne", "lt", "le", "gt", "ge"):
        assert function_rule(getattr(torch.Tensor, f"__{name}__")) is not None


class Watching(Path):
    """A path that remembers the accidents."""

    def __init__(self, domain: Domain) -> None:
        super().__init__(domain)
        self.accidents: list[Any] = []

    def accident(self, condition: bool | Condition, a: object, b: object) -> None:
        self.accidents.append(condition)


def test_an_accidental_one_is_noted() -> None:
    height = dim("H")
    with following(Watching(Domain.positive(["H"]))) as path:
        (size,) = broadcast((height // 2,), (height - height // 2,))
    assert [value for value in range(1, 9) if path.domain.contains({"H": value})] == [1, 2, 3, 4, 6, 8]
    assert [evaluate(size, {"H": value}) for value in (1, 2, 3, 4)] == [0, 1, 2, 2]
    assert isinstance(path, Watching)
    (accident,) = path.accidents
    valid = [value for value in range(1, 9) if path.domain.contains({"H": value})]
    assert [value for value in valid if accident.evaluate({"H": value})] == [1, 3]


def test_sizes_that_cannot_be_one_must_be_equal() -> None:
    height = dim("H")
    with following(Watching(Domain.positive(["H"]))) as path:
        assert broadcast((height + 1,), (7,)) == (7,)
    assert path.domain.contains({"H": 6})
    assert not path.domain.contains({"H": 5})
    assert isinstance(path, Watching)
    assert not path.accidents


def test_the_reason_names_the_sizes() -> None:
    with pytest.raises(SizeError, match="sizes 3 and 4 meet in dimension -1"):
        broadcast((2, 3), (2, 4))
