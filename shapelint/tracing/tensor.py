"""The tensor that carries symbolic sizes through a model's real ``forward``.

To Python it is a ``torch.Tensor`` (on the meta device, holding nothing); its shape is symbolic, and every
torch function that meets it comes to the tracer. Its sizes are ints to Python and SymInts to torch's C code,
so that argument parsers let them through.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch

from shapelint.ops.layout import CHANNELS_LAST, placement_of
from shapelint.ops.placement import contiguous, is_row_by_row
from shapelint.ops.recipes import fixed_contents
from shapelint.sizes import Condition, Dim, Ratio, Size, Undecided, product
from shapelint.sizes.dim import FloatProduct, use_classes
from shapelint.sizes.path import active, concrete
from shapelint.tracing import places, texts
from shapelint.tracing.looking import look_at, taken_off
from shapelint.tracing.wording import DECIDES, is_told, require_told

if TYPE_CHECKING:
    from shapelint.ops.extents import Extent
    from shapelint.ops.placement import Layout
    from shapelint.ops.ramps import Ramp
    from shapelint.sizes import Path
    from shapelint.tracing.record import Call

Dispatch = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


def _worded(word: Callable[..., str]) -> Callable[..., str]:
    """A text of a size, for code that only tells it or that looks something up by it."""

    def worded(self: Any, *spec: str) -> str:
        path = active()
        if path is None:
            return word(self, *spec)
        frame = sys._getframe(1)
        return word(self, *spec) if _is_told(frame, path) else _in_key(self, spec, frame, path)

    return worded


def _is_told(frame: FrameType, path: Path) -> bool:
    """Whether what a frame words is for people, and may have formulas in it."""
    return is_told(frame) and not (path.keys is not None and path.keys.reading)


def _in_key(size: Any, spec: tuple[str, ...], frame: FrameType, path: Path) -> str:
    """What stands for a size in a text that something is looked up by."""
    if path.keys is not None and isinstance(size, Dim) and spec in _PLAINLY:
        number: str | None = path.keys.word(size, frame)
        if number is not None:
            return number
    raise Undecided(DECIDES)


_PLAINLY = ((), ("",), ("d",))
"""Ways to ask for a size's plain digits."""


class SymbolicSize(Dim, torch.SymInt):
    """A ``Dim`` that torch's C argument parsers accept as an int."""

    __slots__ = ()

    # SymInt defines its own; the Dim ones are meant.
    __hash__ = Dim.__hash__

    @property
    def node(self) -> Any:
        """What PyTorch's C code asks a size for that it computes with itself (``torch.FloatTensor(h, w)``)."""
        text = places.expression(sys._getframe(1))
        what = "PyTorch" if text is None else f"`{text}`"
        raise Undecided(f"{what} needs a plain number where the size is {self.expr}")

    def __int__(self) -> int:
        if texts.is_formatted():
            require_told(sys._getframe(1))
            return texts.number_for(str(self))
        return Dim.__int__(self)

    __repr__ = __str__ = _worded(Dim.__repr__)
    __format__ = _worded(Dim.__format__)


class SymbolicRatio(Ratio, torch.SymFloat):
    """A ``Ratio`` that torch's C argument parsers accept as a float."""

    __slots__ = ()

    __hash__ = Ratio.__hash__

    def __float__(self) -> float:
        if texts.is_formatted():
            require_told(sys._getframe(1))
            return float(texts.number_for(str(self)))
        return Ratio.__float__(self)

    __repr__ = _worded(Ratio.__repr__)
    __format__ = _worded(Ratio.__format__)


class SymbolicFloatProduct(FloatProduct, torch.SymFloat):
    """A ``FloatProduct`` that torch's C argument parsers accept as a float."""

    __slots__ = ()

    __hash__ = FloatProduct.__hash__


use_classes(SymbolicSize, SymbolicRatio, SymbolicFloatProduct)

_META = torch.device("meta")
_prototypes: dict[tuple[torch.dtype, bool], torch.Tensor] = {}
"""Empty tensors and single numbers: argument parsers take the latter where they want a number."""
_dispatch: Dispatch | None = None


def use_dispatch(dispatch: Dispatch | None) -> None:
    """Send every torch function on symbolic tensors to ``dispatch``."""
    global _dispatch
    _dispatch = dispatch


class SymbolicTensor(torch.Tensor):
    """A tensor of which only the shape, the dtype and its origin are known.

    Attributes:
        sizes: its shape.
        call: the recorded call that made it, ``None`` for an input.
        value: nested lists of sizes where the contents are known.
        strided: how it lies in memory, ``None`` if that is row by row.
        ramp: the numbers in it, if it is known to hold positions.
        extent: between which numbers they lie, where they are no ramp.
        recipe: how its contents come from sizes alone, ``None`` if they do not.
        base: the tensor with such contents of which it is a view.
        sharing: all tensors with such contents that share its elements.
        counted: when its elements other than 0 were counted, and how many there are.
    """

    # libraries for several frameworks (opt_einsum) tell by a class's module whose tensors they were given
    __module__ = "torch"

    sizes: tuple[Size, ...] = taken_off("sizes")
    kind: torch.dtype = taken_off("kind")
    call: Call | None = taken_off("call")
    value: Any = None
    strided: Layout | None = taken_off("strided")
    ramp: Ramp | None = None
    extent: Extent | None = None
    recipe: Any = None
    base: SymbolicTensor | None = None
    sharing: Any = ()
    counted: tuple[int, Dim] | None = None

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if _dispatch is None:
            if getattr(func, "__name__", "") == "__get__":
                with torch._C.DisableTorchFunctionSubclass():
                    return func(*args)
            raise Undecided(f"{func} was called on a symbolic tensor outside of an analysis")
        return _dispatch(func, args, kwargs or {})

    @property
    def shape(self) -> Any:  # type: ignore[override]
        sizes = self.sizes
        return sizes if type(sizes) is SymbolicShape else SymbolicShape(sizes)

    @property
    def ndim(self) -> int:  # type: ignore[override]
        return len(self.sizes)

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        return self.kind

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return _META

    def dim(self) -> int:
        return len(self.sizes)

    ndimension = dim

    def size(self, dim: int | None = None) -> Any:
        return SymbolicShape(self.sizes) if dim is None else self.sizes[dim]

    def numel(self) -> Any:
        return product(self.sizes)

    nelement = numel

    def stride(self, dim: int | None = None) -> Any:
        placement = placement_of(self)
        if placement is None or not placement.known:
            placement = contiguous(self.sizes)
        return placement.strides if dim is None else placement.strides[dim]

    def is_contiguous(self, memory_format: torch.memory_format = torch.contiguous_format) -> bool:
        placement = placement_of(self)
        if memory_format is not torch.contiguous_format:
            return placement is not None and placement.order == CHANNELS_LAST.get(len(self.sizes))
        if placement is not None and not placement.known:
            path = active()
            return path is None or path.data_branch("whether a tensor lies row by row is another for other sizes")
        return placement is None or bool(is_row_by_row(self.sizes, placement))

    def as_subclass(self, cls: type[torch.Tensor]) -> SymbolicTensor:  # type: ignore[override]
        return self

    def storage_offset(self) -> int:
        return 0

    def get_device(self) -> int:
        return -1  # as on the CPU

    def __copy__(self) -> SymbolicTensor:
        return tensor_with(look_at(self))

    def __len__(self) -> int:
        if not self.sizes:
            raise TypeError("len() of a 0-d tensor")
        return int(self.sizes[0])

    def __iter__(self) -> Iterator[Any]:
        if not self.sizes:
            raise TypeError("iteration over a 0-d tensor")
        return _rows(self)

    def _known(self, what: str) -> Any:
        if isinstance(self.value, (list, tuple, int, float, Ratio, FloatProduct, Condition)):
            return self.value
        found = fixed_contents(self.recipe)
        if found is None:
            raise Undecided(f"{what} needs the values in a tensor, which depend on the data")
        return found

    def item(self) -> Any:
        if self.value is None:
            if self.kind is torch.bool:
                return bool(self)
            path = active()
            number = None if path is None else path.number_in(self)
            if number is not None:
                return number
            single = all(type(size) is int and size == 1 for size in self.sizes)
            if single and self.kind.is_floating_point and path is not None and fixed_contents(self.recipe) is None:
                return _unknown_float(lambda: self._known("item()"))
        value = self._known("item()")
        while isinstance(value, (list, tuple)):
            (value,) = value
        return value

    def tolist(self) -> Any:
        return self._known("tolist()")

    def numpy(self, *args: Any, **kwargs: Any) -> Any:
        return self._known("numpy()")

    def __bool__(self) -> bool:
        path = active()
        if self.value is None and path is not None:
            return path.branch_on(self, "a branch on a tensor needs its values, which depend on the data")
        return bool(self.item())

    def __contains__(self, element: Any) -> bool:
        # as torch has it, and so a branch on what the tensor holds
        return bool((self == element).any())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self, **kwargs: Any) -> str:  # type: ignore[override]
        return f"SymbolicTensor({list(self.sizes)}, {self.dtype})"

    def __format__(self, spec: str) -> str:
        path = active()
        if path is None or self.sizes or self.value is not None or is_told(sys._getframe(1)):
            return repr(self)
        number = path.number_in(self)
        if number is None:
            raise Undecided("what the model does may depend on a text with a number in it that the data decide")
        return format(concrete(number.expr) if isinstance(number, Dim) else number, spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> SymbolicTensor:
        return self


def _rows_by_number(tensor: SymbolicTensor) -> Iterator[Any]:
    return iter([tensor[i] for i in range(int(tensor.sizes[0]))])


_rows: Callable[[SymbolicTensor], Iterator[Any]] = _rows_by_number


def _as_it_is(compute: Callable[[], float]) -> Any:
    return compute()


_unknown_float: Callable[[Callable[[], float]], Any] = _as_it_is


def use_unknown_floats(make: Callable[[Callable[[], float]], Any]) -> None:
    """Make what ``make`` gives stand for a float that data decide: as a scale or a bound it changes no shape."""
    global _unknown_float
    _unknown_float = make


def use_rows(make: Callable[[SymbolicTensor], Iterator[Any]]) -> None:
    """Make ``make`` what goes through a tensor's rows."""
    global _rows
    _rows = make


class SymbolicShape(tuple[Any, ...]):
    """What ``shape`` gives. torch.Size cannot be subclassed, and its own ``numel`` needs plain ints."""

    __slots__ = ()

    # isinstance(shape, torch.Size) holds, as it does for every tensor's shape.
    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return torch.Size

    def __repr__(self) -> str:
        path, frame = active(), sys._getframe(1)
        if path is None or _is_told(frame, path):
            return tuple.__repr__(self)
        words = (_in_key(size, (), frame, path) if isinstance(size, Dim) else repr(size) for size in self)
        return f"torch.Size([{', '.join(words)}])"

    def numel(self) -> Any:
        return product(self)

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return SymbolicShape(found) if type(index) is slice else found

    def __add__(self, other: Any) -> Any:
        return SymbolicShape(tuple.__add__(self, tuple(other)))

    def __radd__(self, other: Any) -> Any:
        return SymbolicShape((*other, *self))

    def __mul__(self, times: Any) -> Any:
        return SymbolicShape(tuple.__mul__(self, times))


def symbolic_tensor(
    sizes: tuple[Size, ...], dtype: torch.dtype, call: Call | None = None, value: Any = None
) -> SymbolicTensor:
    """A symbolic tensor of this shape and dtype."""
    prototype = _prototypes.get((dtype, bool(sizes)))
    if prototype is None:
        with torch._C.DisableTorchFunction():
            prototype = torch.empty(0 if sizes else (), dtype=dtype, device="meta")
        _prototypes[dtype, bool(sizes)] = prototype
    tensor: SymbolicTensor = _make_subclass(SymbolicTensor, prototype)
    tensor.sizes = sizes
    tensor.kind = dtype
    tensor.call = call
    tensor.strided = None
    if value is not None:
        tensor.value = value
    return tensor


def tensor_with(known: dict[str, Any]) -> SymbolicTensor:
    """A tensor of which this is known: the attributes that another one had."""
    tensor = symbolic_tensor(known["sizes"], known["kind"])
    vars(tensor).update(known)
    return tensor


_make_subclass: Any = torch.Tensor._make_subclass
