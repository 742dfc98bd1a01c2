"""What Python itself must do differently while a model is traced, and only then.

``int(h / 2)``, ``range(h)``, ``len(x)``, ``min(h, w)`` must give symbolic sizes, and C code gives plain ints:
so, as torch.fx does with its autowrapped functions, the names are replaced in the modules the model's code
lives in. Cached, scripted and checkpointed functions are called as the plain functions they wrap.
"""

from __future__ import annotations

import builtins
import functools
import importlib.abc
import itertools
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from threading import get_ident
from types import BuiltinFunctionType, ClassMethodDescriptorType, CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import torch
import torch.utils.checkpoint
from torch import nn
from torch.nn import functional
from torch.nn.utils import rnn

from shapelint.sizes import Condition, Dim, Ratio, smax, smin
from shapelint.sizes import path as paths
from shapelint.sizes.expr import is_count
from shapelint.tracing import dtypes, floats, vmapping
from shapelint.tracing.floats import FRACTIONS, SYMBOLIC, OpaqueFloat
from shapelint.tracing.loops.iterables import SymbolicRange, backwards, numbered, side_by_side
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.loops.rounds import FOLDING, alike_in
from shapelint.tracing.tensor import SymbolicShape, SymbolicTensor

_FOREIGN = frozenset(
    {
        *sys.stdlib_module_names,
        *("torch", "numpy", "shapelint", "islpy", "networkx", "sympy"),
        # what libraries of networks load weights and configurations with: a fifth of the modules around a network
        *("huggingface_hub", "packaging", "safetensors", "filelock", "yaml", "requests", "httpx", "httpx2"),
    }
)
"""Packages whose code computes no sizes, or is not to be changed."""


class _Stand(type):
    """Makes a stand-in for a built-in class pass as the class itself."""

    original: type

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise TypeError

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.original)

    def __subclasscheck__(cls, other: type) -> bool:
        return issubclass(other, cls.original)

    def __eq__(cls, other: object) -> bool:
        return other is cls.original or other is cls

    def __hash__(cls) -> int:
        return hash(cls.original)

    def __getattr__(cls, name: str) -> Any:
        return getattr(cls.original, name)


class _IntStand(_Stand):
    original = int

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and type(args[0]) is SymbolicTensor:
            return cls(args[0].item())
        if args and (isinstance(args[0], SYMBOLIC) or issubclass(type(args[0]), OpaqueFloat)):
            return math.trunc(args[0])
        return int(*args, **kwargs)


def _stand_in(cls: type, function: Any) -> type:
    """A class that passes as ``cls``, and calls ``function`` instead."""

    class Stand(_Stand):
        original = cls

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    return Stand(cls.__name__, (), {})


class _FloatStand(_Stand):
    original = float

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if args and type(args[0]) is SymbolicTensor:
            return cls(args[0].item())
        if args and isinstance(args[0], Dim):
            return args[0] / 1
        if args and (isinstance(args[0], SYMBOLIC) or issubclass(type(args[0]), OpaqueFloat)):
            return args[0]
        return float(*args, **kwargs)


class symbolic_int(metaclass=_IntStand):  # noqa: N801 - stands in for int
    """``int`` that keeps symbolic sizes."""


class symbolic_float(metaclass=_FloatStand):  # noqa: N801 - stands in for float
    """``float`` that keeps symbolic sizes."""


class _TypeStand(_Stand):
    original = type

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if len(args) != 1 or kwargs:
            return type(*args, **kwargs)
        kind = type(args[0])
        if kind is int or issubclass(kind, Dim):
            return symbolic_int
        if kind is float or issubclass(kind, (*FRACTIONS, OpaqueFloat)):
            return symbolic_float
        return bool if issubclass(kind, Condition) else _PASSING.get(kind, kind)


class symbolic_type(metaclass=_TypeStand):  # noqa: N801 - stands in for type
    """``type`` that tells what a symbolic value passes for, in the words of the other stand-ins.

    ``type(size) is int`` is how some models tell one size from a pair; where they do, ``int`` is the stand-in.
    """


for _stand in (symbolic_int, symbolic_float, symbolic_type):
    _stand.__name__ = _stand.__qualname__ = type(_stand).original.__name__

_PASSING: dict[type, type] = {SymbolicTensor: torch.Tensor, SymbolicShape: torch.Size}


def _range(start: Any, stop: Any, step: Any) -> Iterator[Any]:
    if isinstance(step, Dim) or step > 0:
        while start < stop:
            yield start
            start = start + step
    else:
        yield from range(int(start), int(stop), int(step))


def symbolic_range(*args: Any) -> Any:
    """``range`` over symbolic bounds: each step asks whether it is still inside."""
    if not any(isinstance(a, Dim) for a in args):
        return range(*args)
    start, stop, step = (0, args[0], 1) if len(args) == 1 else (*args, 1)[:3]
    if isinstance(step, Dim) and paths.implied(step > 0):
        return _range(start, stop, step)
    span = stop - start
    if isinstance(span, Dim) and type(step) is int and step != 0:
        numbers = SymbolicRange(start, stop, step)
        # a loop of few rounds is walked through for each number of them, unless that multiplies with another's cases
        few = not paths.follows_loops() and paths.can_be_tried(span.expr)
        return _range(start, start + paths.concrete(span.expr), step) if few else numbers
    if type(span) is int and type(step) is int:
        return [start + offset for offset in range(0, span, step)]
    return _range(start, stop, step)


def symbolic_len(value: Any) -> Any:
    """``len`` that gives a tensor's symbolic first size."""
    if type(value) is SymbolicTensor and value.sizes:
        return value.sizes[0]
    if type(value) is Repeated:
        return value.total
    return len(value)


def _is_simple(value: Any) -> bool:
    """Whether it is a size over a number (``H / 2``)."""
    return isinstance(value, Ratio) and value.divisor.is_constant and value.divisor.const > 0


def _in_all_rounds(values: tuple[Any, ...], plain: Any) -> Any:
    """The one of two sizes that is the extreme in all rounds that one stands for (all but the last, say), if any is.

    ``min(start + window, n)`` is another formula there than in the last round, which is run by itself.
    """
    if len(values) != 2 or not paths.is_in_round():
        return None
    a, b = values if plain is min else reversed(values)
    return a if paths.implied(a <= b) else b if paths.implied(b <= a) else None


def _extreme(symbolic: Any, plain: Any) -> Any:
    def extreme(*args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and "key" not in kwargs:
            alike = alike_in(args[0])
            args = args if alike is None else (list.__iter__(alike),)
            kwargs = {} if alike else kwargs
        values = tuple(args[0]) if len(args) == 1 else args
        if not kwargs and any(isinstance(v, Dim) for v in values) and all(isinstance(v, (Dim, int)) for v in values):
            found = _in_all_rounds(values, plain)
            if found is None:
                found = symbolic(*values) if len(values) > 1 else values[0]
            # A window of min(h, w, 7) columns: later views need the number, and it can only be one of a few.
            by_size = plain is min and isinstance(found, Dim) and not any(map(is_count, found.symbols))
            few = by_size and not paths.follows_loops() and paths.few_values(found.expr)
            return paths.concrete(found.expr) if few else found
        if not kwargs and any(isinstance(v, FRACTIONS) for v in values) and len(values) > 1:
            if all(isinstance(v, (Dim, int)) or _is_simple(v) for v in values):
                denominator = math.lcm(*(v.divisor.const for v in values if isinstance(v, Ratio)))
                return symbolic(*(math.trunc(v * denominator) for v in values)) / denominator
            return OpaqueFloat(lambda: plain(floats.value_of(v) for v in values))
        return plain(values, **kwargs) if len(args) == 1 else plain(*args, **kwargs)

    return extreme


def _folding(plain: Any, of_alike: Callable[..., Any]) -> Any:
    """``sum`` and its like, of lists and generator expressions whose items stand for many as well."""

    def fold(values: Any, *args: Any, **kwargs: Any) -> Any:
        alike = alike_in(values)
        return plain(values, *args, **kwargs) if alike is None else of_alike(alike, *args, **kwargs)

    return fold


def _sum(values: Repeated, start: Any = 0) -> Any:
    for value, times in values.runs:
        start = start + value * times
    return start


def _any(values: Repeated) -> bool:
    return any(list.__iter__(values))


def _all(values: Repeated) -> bool:
    return all(list.__iter__(values))


_BUILTINS: dict[str, Any] = {
    "int": symbolic_int,
    "float": symbolic_float,
    "type": symbolic_type,
    "range": symbolic_range,
    "len": symbolic_len,
    "enumerate": _stand_in(enumerate, numbered),
    "zip": _stand_in(zip, side_by_side),
    "reversed": _stand_in(reversed, backwards),
    "min": _extreme(smin, min),
    "max": _extreme(smax, max),
    "sum": _folding(sum, _sum),
    "any": _folding(any, _any),
    "all": _folding(all, _all),
}
FOLDING.update(_BUILTINS[name] for name in ("min", "max", "sum", "any", "all"))


def _prod(values: Any, *, start: Any = 1) -> Any:
    result = start
    for value in values:
        result = result * value
    return result


_MATH: dict[str, Any] = {
    **floats.FUNCTIONS,
    "prod": _prod,
}


def _checkpoint(function: Any, *args: Any, use_reentrant: Any = None, **kwargs: Any) -> Any:
    for option in ("preserve_rng_state", "context_fn", "determinism_check", "debug", "early_stop"):
        kwargs.pop(option, None)
    return function(*args, **kwargs)


_original_attention: Any = functional.scaled_dot_product_attention


@functools.wraps(_original_attention)
def _scaled_dot_product_attention(*args: Any, is_causal: Any = False, **kwargs: Any) -> Any:
    # `is_causal=query.shape[2] > 1 and ...` is a condition here, which C code does not take for a bool;
    # whether attention is causal changes no shape.
    return _original_attention(*args, is_causal=is_causal if isinstance(is_causal, bool) else False, **kwargs)


def _as_it_is(module: nn.Module, *args: Any, **kwargs: Any) -> nn.Module:
    return module


def _new_tensor(cls: Any, *args: Any, **kwargs: Any) -> Any:
    """``torch.Tensor(x)``, ``torch.Tensor(h, w)``: constructing is no torch function that could be followed."""
    if cls is not torch.Tensor or kwargs or not is_symbolic(args):
        return torch._C.TensorBase.__new__(cls, *args, **kwargs)
    given = args[0]
    if isinstance(given, torch.Tensor):
        return given.to(torch.float32)
    if len(args) == 1 and isinstance(given, (list, tuple)) and not isinstance(given, torch.Size):
        return torch.tensor(given, dtype=torch.float32)
    return torch.empty(*args, dtype=torch.float32)


_original_packing: Any = rnn._packed_sequence_init_args


def _pack(data: Any, batch_sizes: Any = None, sorted_indices: Any = None, unsorted_indices: Any = None) -> Any:
    """What a packed sequence is made of, without asking whether its ``batch_sizes`` are on the CPU."""
    if type(batch_sizes) is not SymbolicTensor:
        return _original_packing(data, batch_sizes, sorted_indices, unsorted_indices)
    if unsorted_indices is None:
        unsorted_indices = rnn.invert_permutation(sorted_indices)
    return data, batch_sizes, sorted_indices, unsorted_indices


def _variable(cls: Any, *args: Any, **kwargs: Any) -> Any:
    """``Variable(x)``, as code from before PyTorch 0.4 says it: the tensor itself, under another name."""
    given = args[0] if args else kwargs.get("data")
    return given.detach() if type(given) is SymbolicTensor else type.__call__(cls, *args, **kwargs)


_original_broadcast_shapes: Any = torch.broadcast_shapes
_broadcast_tensors: Any = torch.broadcast_tensors


@functools.wraps(_original_broadcast_shapes)
def _broadcast_shapes(*shapes: Any) -> Any:
    if not is_symbolic(shapes):
        return _original_broadcast_shapes(*shapes)
    # no tensor comes with the sizes, so torch would compute with them itself
    return _broadcast_tensors(*map(torch.empty, shapes))[0].shape


def _as_on_cpu(function: Any) -> Any:
    """A function of autocast with "meta" answered as "cpu": autocast knows no meta device, and raises."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*map(_cpu_for_meta, args), **{name: _cpu_for_meta(v) for name, v in kwargs.items()})

    return call


def _cpu_for_meta(value: Any) -> Any:
    return "cpu" if type(value) is str and value == "meta" else value


class _AutogradContext:
    """What a custom autograd Function's forward may use of its context."""

    needs_input_grad: tuple[bool, ...] = (False,) * 64

    def save_for_backward(self, *tensors: Any) -> None:
        self.saved_tensors = tensors

    def mark_dirty(self, *tensors: Any) -> None:
        """Nothing to mark: no gradient is taken."""

    mark_non_differentiable = mark_dirty

    def set_materialize_grads(self, value: bool) -> None:
        """No gradients here."""


def _apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
    separate = "setup_context" in cls.__dict__
    return cls.forward(*args, **kwargs) if separate else cls.forward(_AutogradContext(), *args, **kwargs)


def _unwrapped(value: Any) -> Any | None:
    """A plain function for one that hides its Python code, ``None`` if it hides nothing."""
    if isinstance(value, functools._lru_cache_wrapper):
        return _uncached(value)
    if isinstance(value, torch.jit.ScriptFunction):
        return getattr(value, "_torchdynamo_inline", None) or getattr(value, "__wrapped__", None)
    return None


def _uncached(cached: Any) -> Any:
    @functools.wraps(cached.__wrapped__)
    def call(*args: Any, **kwargs: Any) -> Any:
        symbolic = is_symbolic(args) or is_symbolic(kwargs)
        return (cached.__wrapped__ if symbolic else cached)(*args, **kwargs)

    # A module that is first imported during a trace keeps this function, and may ask for its cache.
    for name in ("cache_info", "cache_clear", "cache_parameters"):
        setattr(call, name, getattr(cached, name))
    return call


def _lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:
    if callable(maxsize):
        return _uncached(_original_lru_cache(maxsize))
    return lambda function: _uncached(_original_lru_cache(maxsize, typed)(function))


_original_lru_cache: Any = functools.lru_cache


def is_symbolic(value: Any) -> bool:
    """Whether a value is or holds a symbolic tensor or size."""
    kind = type(value)
    if kind is SymbolicTensor or issubclass(kind, OpaqueFloat) or issubclass(kind, SYMBOLIC):
        return True
    if issubclass(kind, (tuple, list)):
        return any(is_symbolic(v) for v in value)
    if kind is slice:
        return is_symbolic(value.start) or is_symbolic(value.stop) or is_symbolic(value.step)
    return kind is dict and any(is_symbolic(v) for v in value.values())


Namespace = dict[str, Any]

_replacements: dict[str, tuple[Namespace, int, dict[str, Any]]] = {}


def _replacements_in(namespace: Namespace) -> dict[str, Any]:
    """Names to set in a module's globals, remembered while the module keeps its size."""
    known = _replacements.get(namespace["__name__"])
    if known is not None and known[0] is namespace and known[1] == len(namespace):
        return known[2]
    names = {name: value for name, value in _BUILTINS.items() if _is_builtin(namespace, name)}
    for name, value in namespace.items():
        plain = _unwrapped(value)
        if plain is not None:
            names[name] = plain
        elif value is _original_lru_cache or value is functools.cache:
            names[name] = _lru_cache
        elif value is torch.utils.checkpoint.checkpoint:
            names[name] = _checkpoint
        elif type(value) is BuiltinFunctionType and value.__module__ == "math" and value.__name__ in _MATH:
            names[name] = _MATH[value.__name__]
    _replacements[namespace["__name__"]] = (namespace, len(namespace), names)
    return names


def _is_builtin(namespace: dict[str, Any], name: str) -> bool:
    original = getattr(builtins, name)
    return namespace.get(name, original) is original


_cells: dict[str, tuple[Namespace, int, list[tuple[Any, Any]]]] = {}


def _cached_cells_in(namespace: Namespace) -> list[tuple[Any, Any]]:
    """Closure cells of a module's methods that hold a cached function (a decorator's own lru_cache)."""
    name = namespace["__name__"]
    known = _cells.get(name)
    if known is not None and known[0] is namespace and known[1] == len(namespace):
        return known[2]
    found: list[tuple[Any, Any]] = []
    for value in list(namespace.values()):
        own = isinstance(value, type) and value.__module__ == name
        for member in vars(value).values() if own else (value,):
            function = member.__func__ if isinstance(member, (staticmethod, classmethod)) else member
            cells = (function.__closure__ or ()) if isinstance(function, FunctionType) else ()
            found += [(cell, _uncached(cell.cell_contents)) for cell in cells if _is_cached(cell)]
    _cells[name] = (namespace, len(namespace), found)
    return found


def _is_cached(cell: Any) -> bool:
    try:
        return isinstance(cell.cell_contents, functools._lru_cache_wrapper)
    except ValueError:  # an empty cell, which is the only way to find out
        return False


@functools.lru_cache(maxsize=4096)
def _is_foreign(name: str | None) -> bool:
    return not name or name.partition(".")[0] in _FOREIGN


_neighbours: dict[str, tuple[Namespace, int, tuple[str, ...]]] = {}


def _related(namespace: Namespace) -> tuple[str, ...]:
    """Names of the modules whose functions this one's code calls."""
    known = _neighbours.get(namespace["__name__"])
    if known is not None and known[0] is namespace and known[1] == len(namespace):
        return known[2]
    found: dict[str, None] = {}
    packages = list(_imported_by_functions(namespace))
    for value in list(namespace.values()):
        if isinstance(value, ModuleType):
            packages.append(value)
        elif isinstance(value, (FunctionType, type)):
            _add_module(found, value.__module__)
    for package in packages:
        _add_module(found, package.__name__)
    for module in _defining(packages, namespace):
        _add_module(found, module)
    _neighbours[namespace["__name__"]] = (namespace, len(namespace), tuple(found))
    return tuple(found)


def _add_module(found: dict[str, None], name: str | None) -> None:
    if not _is_foreign(name) and name in sys.modules:
        found[str(name)] = None


def _defining(packages: Iterable[ModuleType], namespace: Namespace) -> Iterator[str]:
    """Where the functions are defined that code calls as ``package.function``."""
    own = [vars(package) for package in packages if not _is_foreign(package.__name__)]
    if not own:
        return
    for name in _names_used_in(namespace):
        for exported in own:
            value = exported.get(name)
            if isinstance(value, FunctionType):
                yield value.__module__


def _imported_by_functions(namespace: Namespace) -> Iterator[ModuleType]:
    """Modules of which a function says ``from package import function`` when it is called."""
    for name in _names_used_in(namespace):
        module = sys.modules.get(name)
        if module is not None and name not in namespace and not _is_foreign(name):
            yield module


def _names_used_in(namespace: Namespace) -> set[str]:
    """The global names, attributes and modules that a module's functions and methods speak of."""
    used: set[str] = set()
    for value in list(namespace.values()):
        if getattr(value, "__module__", None) != namespace["__name__"]:
            continue
        members = list(vars(value).values()) if isinstance(value, type) else [value]
        codes = [member.__code__ for member in members if isinstance(member, FunctionType)]
        while codes:
            code = codes.pop()
            used.update(code.co_names)
            codes += [part for part in code.co_consts if isinstance(part, CodeType)]
    return used


def namespaces_of(classes: Iterable[type[nn.Module]], further: Iterable[Namespace] = ()) -> list[Namespace]:
    """The globals of the code that a model with such layers may run (not torch's, not the standard library's).

    Args:
        classes: of its layers.
        further: globals of code that it was found to run besides.
    """
    found: dict[int, Namespace] = {id(namespace): namespace for namespace in further}
    for base in dict.fromkeys(itertools.chain.from_iterable(c.__mro__ for c in classes)):
        namespace = None if _is_foreign(base.__module__) else _globals_of(base)
        if namespace is not None:
            found[id(namespace)] = namespace
    for namespace in list(found.values()):
        for name in _related(namespace):
            if name in sys.modules:
                found.setdefault(id(vars(sys.modules[name])), vars(sys.modules[name]))
    return list(found.values())


def left_out(
    stop: BaseException, classes: Iterable[type[nn.Module]], further: Iterable[Namespace] = ()
) -> list[Namespace]:
    """The globals of code that ran where tracing stopped, and that no name was replaced in.

    A function three imports away from any layer may say ``float(size - 1)``, which needs a number.
    """
    known = {id(namespace) for namespace in namespaces_of(classes, further)}
    found: dict[int, Namespace] = {}
    step = stop.__traceback__
    while step is not None:
        namespace = step.tb_frame.f_globals
        if id(namespace) not in known and not _is_foreign(namespace.get("__name__")):
            found[id(namespace)] = namespace
        step = step.tb_next
    return list(found.values())


def _globals_of(cls: type) -> Namespace | None:
    """The globals of a class's methods: a module that was run from a file need not be among those of the system."""
    module = sys.modules.get(cls.__module__)
    if module is not None and vars(module).get(cls.__name__) is cls:
        return vars(module)
    for member in vars(cls).values():
        if isinstance(member, FunctionType) and not _is_foreign(member.__globals__.get("__name__")):
            return member.__globals__
    return None if module is None else vars(module)


def unexchanged(function: Any) -> Any:
    """A method as it is when :meth:`Patches.exchange` has replaced it."""
    if type(function) is not FunctionType:
        return function
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    return twin


def _handed_over(*args: Any, shapelint_handlers: tuple[Any, ...], **kwargs: Any) -> Any:
    # it runs among the globals of the function whose code it replaces
    this_thread, tracing_thread, handler, original = shapelint_handlers
    return (handler if this_thread() == tracing_thread else original)(*args, **kwargs)


def _by_thread(original: Any, handler: Callable[..., Any]) -> Any:
    """What stands in for a method of a class that is written in C, in this thread alone."""
    thread = get_ident()

    def handed_over(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if get_ident() == thread:
            return handler(cls, *args, **kwargs)
        return original.__get__(None, cls)(*args, **kwargs)

    return classmethod(handed_over)


def caller_of_exchanged() -> FrameType | None:
    """Who called the method for which the caller of this function stands in."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


class _UnpatchedImports(importlib.abc.MetaPathFinder):
    """Modules of torch that are first imported while a model is traced find torch as it is.

    ``torch._dynamo`` looks at every function of torch, and one that is not itself breaks its import, for good.
    """

    def __init__(self, lifted: Callable[[], AbstractContextManager[None]]) -> None:
        self._lifted = lifted
        self._thread = get_ident()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module's own spec, if it is one of torch's; the trace goes on meanwhile if another thread imports it."""
        if not fullname.startswith("torch.") or get_ident() != self._thread:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _UnpatchedLoader(self._lifted, spec.loader.name, spec.loader.path)
        return spec


class _UnpatchedLoader(SourceFileLoader):
    def __init__(self, lifted: Callable[[], AbstractContextManager[None]], name: str, path: str) -> None:
        super().__init__(name, path)
        self._lifted = lifted

    def exec_module(self, module: ModuleType) -> None:
        with self._lifted():
            super().exec_module(module)


def eagerly() -> AbstractContextManager[object]:
    """Compiled models and functions run as they were written, within the block."""
    stance: Any = getattr(torch.compiler, "set_stance", None)
    wanted = stance is not None and "torch._dynamo" in sys.modules
    made: AbstractContextManager[object] = stance("force_eager") if wanted else nullcontext()
    return made


def _put_back(changes: list[tuple[Any, str, Any, bool]]) -> None:
    for owner, name, value, own in reversed(changes):
        if own:
            setattr(owner, name, value)
        else:
            delattr(owner, name)


class Patches:
    """Replacements that last from ``apply`` to ``undo``."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any, bool]] = []
        self._exchanged: list[tuple[FunctionType, CodeType, Any]] = []
        self._cells: list[tuple[Any, Any]] = []
        self._globals: list[tuple[dict[str, Any], dict[str, Any], set[str]]] = []
        self._finder = _UnpatchedImports(self.lifted)

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Replace an attribute."""
        attributes = owner.__dict__
        own = name in attributes
        self._undo.append((owner, name, attributes[name] if own else None, own))
        setattr(owner, name, value)

    def set_functions(self, module: ModuleType, functions: dict[str, Any]) -> None:
        """Replace functions that a module has."""
        names = vars(module)
        self._undo += [(module, name, names[name], True) for name in functions]
        names.update(functions)

    def exchange(self, owner: type, name: str, value: Callable[..., Any]) -> None:
        """Replace a method of a class with very many subclasses.

        To set an attribute of ``nn.Module`` takes Python milliseconds where packages of networks are imported: it
        goes through all subclasses, and forgets where it found their attributes. So the method stays the function it
        is, and its code is exchanged. Other threads get what they always got.
        """
        function = getattr(vars(owner)[name], "__func__", vars(owner)[name])
        if type(function) is not FunctionType:
            # torch's own in C, or some other library's, who knows what
            of_class = type(function) is ClassMethodDescriptorType
            self.set(owner, name, _by_thread(function, value) if of_class else value)
            return
        self.exchange_function(function, value)

    def exchange_function(self, function: FunctionType, value: Callable[..., Any]) -> None:
        """Replace a function wherever it is known by any name."""
        self._exchanged.append((function, function.__code__, function.__kwdefaults__))
        handlers = (get_ident, get_ident(), value, unexchanged(function))
        # What the code needs is there before the code is: another thread may call the function at any time.
        function.__kwdefaults__ = {"shapelint_handlers": handlers}
        # a function with `super()` in it has a variable from around it, which its code must have as well
        function.__code__ = _handed_over.__code__.replace(co_freevars=function.__code__.co_freevars)

    def apply_to(self, classes: Iterable[type[nn.Module]], further: Iterable[Namespace] = ()) -> None:
        """The replacements that the code of a model with layers of these classes needs, and code besides."""
        for namespace in namespaces_of(classes, further):
            names = _replacements_in(namespace)
            present = {name: namespace[name] for name in names.keys() & namespace.keys()}
            self._globals.append((namespace, present, names.keys() - present.keys()))
            namespace.update(names)
            for cell, plain in _cached_cells_in(namespace):
                self._cells.append((cell, cell.cell_contents))
                cell.cell_contents = plain
        sys.meta_path.insert(0, self._finder)
        self.set_functions(math, _MATH)
        self.set(functools, "lru_cache", _lru_cache)
        self.set(functools, "cache", _lru_cache)
        self.set(torch.utils.checkpoint, "checkpoint", _checkpoint)
        self.set_functions(torch._functorch.vmap, vmapping.FUNCTIONS)
        self.set(torch._functorch.apis, "vmap_impl", vmapping.in_one_piece)
        self.set(functional, "scaled_dot_product_attention", _scaled_dot_product_attention)
        self.set_functions(torch, {**dtypes.FUNCTIONS, "broadcast_shapes": _broadcast_shapes})
        self.exchange(torch.autograd.Function, "apply", _apply)
        self.set(torch.Tensor, "__new__", staticmethod(_new_tensor))
        self.set(type(torch.autograd.Variable), "__call__", _variable)
        # self.layer.to(x.device) in forward would move the user's own weights to the meta device, and lose them
        self.exchange(nn.Module, "to", _as_it_is)
        self.exchange(nn.Module, "_apply", _as_it_is)
        self.set(rnn, "_packed_sequence_init_args", _pack)
        self.let_autocast_know_meta()
        self.let_classes_be_judged_at_once()

    def let_classes_be_judged_at_once(self) -> None:
        """torchvision goes through as many classes as there are where boxes are many; their number changes no size."""
        boxes = sys.modules.get("torchvision.ops.boxes")
        at_once = getattr(boxes, "_batched_nms_coordinate_trick", None)
        if at_once is not None and hasattr(boxes, "_batched_nms_vanilla"):
            self.set(boxes, "_batched_nms_vanilla", at_once)

    def let_autocast_know_meta(self) -> None:
        """``torch.autocast(x.device.type)`` as models write it, where ``x`` is on the meta device."""
        self.set(torch.autocast, "__init__", _as_on_cpu(torch.autocast.__init__))
        for name in ("is_autocast_enabled", "get_autocast_dtype"):
            self.set(torch, name, _as_on_cpu(getattr(torch, name)))

    @contextmanager
    def lifted(self) -> Iterator[None]:
        """torch, ``math`` and ``functools`` as they are, within the block."""
        changes, self._undo = self._undo, []
        ours = [(owner, name, vars(owner)[name]) for owner, name, _, _ in changes]
        _put_back(changes)
        try:
            yield
        finally:
            for owner, name, value in ours:
                setattr(owner, name, value)
            self._undo = changes

    def undo(self) -> None:
        """Put everything back, last change first."""
        if self._finder in sys.meta_path:
            sys.meta_path.remove(self._finder)
        _put_back(self._undo)
        self._undo.clear()
        for function, code, keyword_defaults in reversed(self._exchanged):
            function.__code__ = code
            function.__kwdefaults__ = keyword_defaults
        self._exchanged.clear()
        for cell, contents in self._cells:
            cell.cell_contents = contents
        self._cells.clear()
        for namespace, present, added in self._globals:
            namespace.update(present)
            for name in added:
                namespace.pop(name, None)
        self._globals.clear()
