"""Operations of a network: what a shape rule makes of each, and what is written down of it.

Every torch function that meets a symbolic tensor, and every layer that has a rule, comes through here. The sizes that a
rule refuses leave the path, and are written down with the line of the user's code that they are refused at.
"""

from __future__ import annotations

import functools
import itertools
import operator
import time
from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any, NoReturn

import islpy as isl
import torch
from torch import nn

from shapelint.limits import Limits
from shapelint.ops.dtypes import REQUIREMENTS, DtypeError, check_dtypes
from shapelint.ops.layout import is_followed, layout_after, placed_in
from shapelint.ops.normalized import layer_class
from shapelint.ops.registry import DependsOnContents, Runs, Spec, Unsupported, function_rule, name_of, operator_rule
from shapelint.sizes import Condition, Dim, Domain, SizeError, TooComplex, Undecided, require
from shapelint.sizes import dim as dims
from shapelint.sizes import expr as ex
from shapelint.sizes.path import implied
from shapelint.sizes.settling import Settling
from shapelint.tracing import eager, handlers, places
from shapelint.tracing.contents import is_in_place, note_contents, note_number, note_unknown_change
from shapelint.tracing.exploring import ExploringPath, Handled
from shapelint.tracing.looking import look_at
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.loops.rounds import JOINING, Plan, Site, at_beginning, joined_in
from shapelint.tracing.loops.symbols import names_in
from shapelint.tracing.patches import is_symbolic
from shapelint.tracing.probe import probe
from shapelint.tracing.record import Accident, Call, Failure
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor, tensor_with
from shapelint.tracing.values import (
    MAY_BE_OF_NUMBERS,
    SIZES,
    Numbers,
    kind_of,
    known_result,
    learn_kind,
    only_numbers,
    plain_numbers,
)

_ABOVE = 4
"""So many frames up at least is the model's own code where an operation is written down: dispatch is between."""

_RAISES_RUNTIME_ERROR = frozenset(
    {
        *("view", "view_as", "reshape", "reshape_as", "unflatten", "expand", "expand_as", "split", "narrow", "where"),
        *("cat", "concat", "concatenate", "stack", "add", "sub", "mul", "div", "matmul", "bmm", "mm", "linear"),
        *(f"__{kind}{name}__" for kind in ("", "r", "i") for name in ("add", "sub", "mul", "truediv", "matmul")),
        *(f"{name}{axes}d" for name in ("conv", "max_pool", "avg_pool") for axes in (1, 2, 3)),
        *("pixel_shuffle", "pixel_unshuffle"),
    }
)
"""Functions that raise a ``RuntimeError`` for sizes that they refuse, and nothing else."""

_DELIBERATE = (ValueError, AssertionError, RuntimeError, IndexError)


class Operations:
    """Applies rules to what a model calls.

    Attributes:
        path: the sizes that reach the present operation.
        layers: names of the modules whose forward runs, the innermost last.
        current: the operation whose rule runs.
        calls, failures, suspects, accidents, probes: what has been written down.
        in_rounds: calls made by rounds of loops that stand for many.
        changes: how many attributes and tensors have been given another value so far.
    """

    def __init__(
        self, domain: Domain, limits: Limits, deadline: float, plans: dict[Site, Plan], beginning: CodeType
    ) -> None:
        """Begin with these sizes.

        Args:
            deadline: when to give up, on the monotonic clock.
            plans: how each loop over sizes is followed.
            beginning: the function below which all frames are the model's.
        """
        self.limits = limits
        self.deadline = deadline
        self.beginning = beginning
        self.path = ExploringPath(domain, limits, self._record_failing, self._record_accident)
        self.path.plans = plans
        self.layers: list[str] = [""]
        self.current: Call | None = None
        self.indices = itertools.count()
        self.calls: list[Call] = []
        self.failures: list[Failure] = []
        self.suspects: list[Failure] = []
        self.accidents: list[Accident] = []
        self.probes: list[str] = []
        self.in_rounds: list[Call] = []
        self.changes = 0

    # --- functions -------------------------------------------------------------------------------

    def dispatch(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A torch function's call."""
        rule = function_rule(func)
        if func in JOINING:
            items = joined_in(self.path, args[0] if args else kwargs.get("tensors"))
            if items is not None:
                return self._join_repeated(rule, func, items, args[1:], kwargs)
        if not (args and type(args[0]) is SymbolicTensor) and not has_symbolic(args, kwargs):
            if rule is None or not eager.only_sizes_matter(func, args, kwargs):
                return eager.call_real(func, args, kwargs)
            return self._apply(rule, "function", func, self.layers[-1], args, kwargs, eager.call_real)
        if rule is not None and "out" not in kwargs:
            return self.step(rule, "function", func, self.layers[-1], args, kwargs)
        return self._otherwise(rule, func, args, kwargs)

    def _otherwise(self, rule: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function without a rule, or whose result may be meant for another tensor."""
        out = kwargs.get("out")
        if type(out) is SymbolicTensor and rule is not None:
            return self._written_into(out, rule, func, args, kwargs)
        if isinstance(out, torch.Tensor):
            raise Undecided(
                f"{name_of(func)}: a result of the input's size is written into a tensor made without it (out=)"
            )
        if rule is not None:
            return self.step(rule, "function", func, self.layers[-1], args, kwargs)
        if getattr(func, "__name__", "") == "__get__":
            return eager.read_property(func, args[0])
        if getattr(func, "__name__", "") == "__set__" and eager.can_set(func, args[0], args[1]):
            self.path.forget_steps()
            return eager.set_property(func, args[0], args[1])
        if isinstance(func, torch.jit.ScriptFunction):
            plain = getattr(func, "_torchdynamo_inline", None)
            if plain is not None:
                return plain(*args, **kwargs)
        return self._of_package(func, args, kwargs)

    def _of_package(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A function that is none of torch's: another package's operator may have a rule by its name."""
        rule = operator_rule(func)
        if rule is not None:
            return self.step(rule, "function", func, self.layers[-1], args, kwargs)
        return self._probe(func, args, kwargs, f"{name_of(func)} has no shape rule")

    def _written_into(
        self, out: SymbolicTensor, rule: Any, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """``torch.add(x, y, out=z)``: the result takes the place of what ``z`` was, which is resized if it must be."""
        others = {name: value for name, value in kwargs.items() if name != "out"}
        made = self._apply(rule, "function", func, self.layers[-1], args, others)
        if type(made) is not SymbolicTensor or made.call is None:
            return self._probe(func, args, kwargs, f"{name_of(func)}: the out= argument is not followed")
        self.path.forget_steps()
        self.path.counts.changed(out, made.call.index)
        out.sizes, out.call, out.value, out.strided = made.sizes, made.call, None, None
        out.ramp, out.extent, out.recipe = made.ramp, made.extent, made.recipe
        made.call.outputs = (out,)
        return out

    def step(self, rule: Any, kind: str, target: Any, layer: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """An operation's result: the one it had on an earlier path, up to where this one leaves that."""
        if not self.path.frames:
            return self._apply(rule, kind, target, layer, args, kwargs)
        frame = self.path.frames[-1]
        if frame.known_steps:
            known = frame.known_step(target)
            if known is not None:
                self.path.domain = known[2]
                return known[1]
        branches = len(frame.taken)
        try:
            numbers = only_numbers(target, args) if target in MAY_BE_OF_NUMBERS and not kwargs else None
            result = None if numbers is None or self.path.over else self._of_numbers(numbers, target, layer, args)
            if result is None:
                result = self._apply(rule, kind, target, layer, args, kwargs)
                if numbers is not None:
                    learn_kind(numbers, result)
        except Exception:
            frame.steps.append(None)  # the model may catch it, and call the same function again
            raise
        # a rule that branches asks again
        once = type(result) is SymbolicTensor and len(frame.taken) == branches
        frame.steps.append((target, result, self.path.domain) if once else None)
        return result

    def _of_numbers(self, numbers: Numbers, target: Any, layer: str, args: tuple[Any, ...]) -> SymbolicTensor | None:
        """A function of known numbers alone, ``None`` if it is not known yet what dtype its result has."""
        kind = kind_of(numbers)
        if kind is None:
            return None
        if time.monotonic() > self.deadline:
            self._take_too_long()
        meaning, known, _ = numbers
        call = Call(next(self.indices), "function", target, layer, args, {}, places.caller(_ABOVE), self.path.sizes)
        if self.path.rounds:
            self.in_rounds.append(call)
        self.calls.append(call)
        number = meaning(*known)
        tensor = symbolic_tensor((), kind, call, number)
        if type(number) in SIZES:
            note_number(tensor)
        else:
            note_contents(call, tensor, args[0], args, {})
        call.outputs = (tensor,)
        return tensor

    def _note_sizes(self, tensor: SymbolicTensor, after: Sequence[Any]) -> None:
        """A tensor gets another shape in place: the next path starts from the one it had."""
        if self.path.frames and not (len(after) == len(tensor.sizes) and all(map(operator.is_, after, tensor.sizes))):
            self.changes += 1
            self.path.frames[-1].written.setdefault((tensor, "sizes"), tensor.sizes)

    def _apply(
        self,
        rule: Any,
        kind: str,
        target: Any,
        layer: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        otherwise: Callable[..., Any] | None = None,
    ) -> Any:
        if kind == "function":
            args = plain_numbers(target, args)
        if self.path.over:
            self.path.check_names(names_in(args, kwargs))
        self.path.counts.asked = 0
        call = Call(next(self.indices), kind, target, layer, args, kwargs, places.caller(_ABOVE), self.path.sizes)
        if self.path.rounds:
            self.in_rounds.append(call)
        before, self.current = self.current, call
        isl.DEFAULT_CONTEXT.reset_operations()
        if time.monotonic() > self.deadline:
            self._take_too_long()
        try:
            result, args, kwargs = self._ruled(rule, call, args, kwargs)
        except Unsupported as reason:
            if otherwise is not None:
                return otherwise(target, args, kwargs)
            if isinstance(reason, DependsOnContents):
                raise Undecided(f"{name_of(target)}: {reason}") from reason
            return self._probe(target, args, kwargs, f"{name_of(target)}: {reason}")
        except SizeError as error:
            self.note_error(error)
            raise
        finally:
            self.current = before
        first = args[1] if kind == "module" and len(args) > 1 else args[0] if args else None
        made = self._finish(call, result, first)
        if kind == "function" or made is None or "inplace" in target.__dict__:
            self._note_change(call, made, first, args, kwargs)
        if type(first) is SymbolicTensor and not call.in_place and is_followed(rule, first, kwargs):
            rest, name = args[2:] if kind == "module" else args[1:], _short_name(target)
            for output in call.outputs:
                output.strided = layout_after(rule, name, first, rest, kwargs, output)
        return made

    def _note_change(self, call: Call, made: Any, first: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """What is known of the numbers in the result, and what an operation has written into its first operand."""
        if call.kind == "module":
            options = call.target.__dict__
            inplace = "inplace" in options and options["inplace"]
            changes = made is None or bool(inplace)
            if inplace:
                note_unknown_change(first)
        else:
            note_contents(call, made, first, args, kwargs)
            if made is None:  # `x[i] = y`
                self.path.forget_steps()
            changes = made is None or ("inplace" in kwargs and bool(kwargs["inplace"])) or is_in_place(call.target)
        if changes:
            self.path.counts.changed(first, call.index)

    def _ruled(
        self, rule: Any, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
        """What a rule says, and of which arguments: their sizes may have to be settled, case by case."""
        target = layer_class(call.target) if call.kind == "module" else call.target
        if target in REQUIREMENTS:
            given = args[1:] if call.kind == "module" else args
            dtype = given[0].kind if given and type(given[0]) is SymbolicTensor else None
            check_dtypes(call.target, REQUIREMENTS[target], dtype, given, kwargs)
        try:
            return rule(*args, **kwargs), args, kwargs
        except TooComplex as reason:
            limit = TooComplex(f"{name_of(call.target)}: {reason}")
            if call.kind == "function" and is_in_place(call.target):
                raise Undecided(str(limit)) from reason  # the tensor keeps its sizes on other paths
        return self.path.by_cases(limit, functools.partial(_ruled_settled, rule, args, kwargs))

    def _join_repeated(
        self, rule: Any, func: Any, items: Repeated, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """``stack`` and ``cat`` of a list whose items stand for many: each counts as often as it is repeated."""
        kwargs = {name: value for name, value in kwargs.items() if name != "tensors"}
        require(items.total >= 1, "{} of an empty list", name_of(func))
        axis = args[0] if args else kwargs.get("dim", kwargs.get("axis", 0))
        if JOINING[func]:
            items = self.path.counts.totals(items, axis)
        items = _present(items, axis, JOINING[func])
        result = self._apply(rule, "function", func, self.layers[-1], ([item for item, _ in items.runs], *args), kwargs)
        sizes = list(result.sizes)
        for item, times in items.runs:
            sizes[axis] = sizes[axis] + (times - 1) * (item.shape[axis] if JOINING[func] else 1)
        result.sizes, result.value = tuple(sizes), None
        return result

    def _finish(self, call: Call, result: Any, first: Any) -> Any:
        self.calls.append(call)
        if type(result) is Spec:
            # by the names of functions: a layer gives a tensor of its own, or says `inplace`
            if type(first) is SymbolicTensor and call.kind == "function" and is_in_place(call.target):
                if first.sizes is not result.shape:
                    first.strided = None
                    self._note_sizes(first, result.shape)
                first.sizes, first.call, first.value = result.shape, call, None
                call.in_place = True
                call.outputs = (first,)
                self.path.forget_steps()
                return first
            dtype = result.dtype or (first.dtype if isinstance(first, torch.Tensor) else _any_dtype(call))
            value = result.value
            if value is None and call.kind == "function" and (not result.shape or _is_list_of_sizes(first)):
                value = known_result(call.target, call.arguments, call.keywords)
            tensor = symbolic_tensor(result.shape, dtype, call, value)
            if result.order is not None:
                tensor.strided = placed_in(result.shape, result.order)
            call.outputs = (tensor,)
            return tensor
        outputs: list[SymbolicTensor] = []
        value = self._wrap(result, call, first, outputs)
        call.outputs = tuple(outputs)
        return value

    def _wrap(self, result: Any, call: Call, first: Any, outputs: list[SymbolicTensor]) -> Any:
        if type(result) is Spec:
            dtype = result.dtype or (first.dtype if isinstance(first, torch.Tensor) else _any_dtype(call))
            outputs.append(symbolic_tensor(result.shape, dtype, call, result.value))
            if result.order is not None:
                outputs[-1].strided = placed_in(result.shape, result.order)
            return outputs[-1]
        if type(result) is Runs:
            specs, times = zip(*result.pieces, strict=True)
            return Repeated([self._wrap(spec, call, first, outputs) for spec in specs], times)
        if isinstance(result, tuple) and hasattr(result, "_fields"):
            return type(result)(*(self._wrap(r, call, first, outputs) for r in result))
        if isinstance(result, (list, tuple)) and type(result).__name__ != "SymbolicShape":
            # torch.return_types are made from one sequence, as lists and tuples are
            return type(result)([self._wrap(r, call, first, outputs) for r in result])
        return result

    def _probe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], why: str) -> Any:
        if self.path.counts.made and any(map(ex.is_count, names_in(args, kwargs))):
            raise Undecided(f"{why}, and the contents of the tensors decide the sizes it is given")
        if args and is_in_place(func) and type(args[0]) is not SymbolicTensor:
            raise Undecided(f"{why}, and a tensor made without the input's sizes is changed in place")
        place, layer = places.caller(), self.layers[-1]
        call = Call(next(self.indices), "function", func, layer, args, kwargs, place, self.path.sizes, probed=True)
        result = probe(func, args, kwargs, self.path.domain, why)
        if why not in self.probes:
            self.probes.append(why)
        if args and is_in_place(func):
            note_unknown_change(args[0])
        return self._finish(call, result, args[0] if args else None)

    # --- what is written down -----------------------------------------------------------------------

    def _record_failing(self, condition: bool | Condition, reason: str, arguments: tuple[object, ...]) -> None:
        call = self.current
        # The sizes that fail go on in a handler, if there is one: they must not be taken as refused.
        if isinstance(condition, Condition):
            self.refuse_handlers("{} is required", condition, branching=call)
        else:
            self.refuse_handlers("{}: this happens", reason.format(*arguments))
        self.failures.append(
            Failure(
                self.path.sizes.without_counts(),
                condition if isinstance(condition, Condition) else None,
                reason,
                arguments,
                call,
                call.layer if call else self.layers[-1],
                call.place if call else places.caller(),
            )
        )

    def refuse_handlers(self, what: str, *arguments: object, branching: Call | None = None) -> None:
        """Give up where the user's own code catches an exception that only some of the sizes on the path raise.

        Args:
            what: a format string for ``arguments``: a condition takes long to write out, and nearly nobody handles it.
            branching: the operation that is about to raise it, which may be a branch.

        Raises:
            Handled: it is one, as nothing but the exception's class decides how the sizes that fail go on.
        """
        place = handlers.caught_above(self.beginning)
        if place is None:
            return
        if branching is not None and not self.path.rounds and not self.path.counts.limits:
            is_known = getattr(branching.target, "__name__", "") in _RAISES_RUNTIME_ERROR
            if handlers.leads_on(self.beginning, RuntimeError if is_known else None):
                raise Handled
        raise Undecided(
            f"{what.format(*arguments)} inside a `try` or `with`, which catches the sizes that fail"
            f" (line {place.location().line})"
        )

    def _record_accident(self, condition: bool | Condition, a: object, b: object) -> None:
        rounds = self.path.rounds
        counts = self.path.counts.limits
        if counts and isinstance(condition, Condition) and any(map(ex.is_count, condition.support())):
            return  # sizes that contents decide are no one layer's choice
        if rounds and isinstance(condition, Condition):
            numbers = {each.number for each in rounds}
            if not numbers.isdisjoint(condition.support()):
                return  # sizes that meet in some rounds of a loop only are no one layer's choice
        self.accidents.append(
            Accident(self.path.sizes.without_counts(), condition, at_beginning((a, b), rounds), self.current)
        )

    def _take_too_long(self) -> NoReturn:
        raise Undecided(f"exploring all sizes takes more than {self.limits.seconds:g} s")

    def note_error(self, error: Exception) -> None:
        """Write down which sizes an exception stands for, where it first passes a module's end."""
        if "shapelint_failures" in error.__dict__:
            return
        place, raised = places.origin(error)
        is_size_error = isinstance(error, SizeError)
        failure = Failure(
            self.path.sizes.without_counts(),
            None,
            places.first_line(error),
            (),
            self.current if is_size_error else None,
            (self.current.layer if is_size_error and self.current else "") or self.layers[-1],
            (self.current.place if is_size_error and self.current else None) or place,
            None if is_size_error else error,
            isinstance(error, DtypeError),
        )
        error.__dict__["shapelint_failures"] = [failure]
        if not is_size_error and not (raised and isinstance(error, _DELIBERATE)):
            # Not a deliberate raise: it may be this tool's own limit, so PyTorch is asked at one size later.
            error.__dict__["shapelint_suspect"] = True


_NEVER_SYMBOLIC = frozenset({torch.Tensor, nn.Parameter, type(None), bool, int, float, str, torch.dtype, torch.device})
"""What functions of real tensors are given nearly always."""


def has_symbolic(args: Any, kwargs: dict[str, Any]) -> bool:
    """Whether a call's arguments hold a symbolic tensor or size."""
    if args and type(args[0]) is SymbolicTensor:
        return True
    if not kwargs and _NEVER_SYMBOLIC.issuperset(map(type, args)):
        return False
    return any(is_symbolic(a) for a in args) or (bool(kwargs) and any(is_symbolic(v) for v in kwargs.values()))


def _ruled_settled(
    rule: Any, args: tuple[Any, ...], kwargs: dict[str, Any], settling: Settling
) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    settled, named = _settled(args, settling), _settled(kwargs, settling)
    return rule(*settled, **named), settled, named


def _settled(value: Any, settling: Settling) -> Any:
    """An argument with the sizes in it as they read for the sizes on the path."""
    if type(value) is SymbolicTensor:
        sizes = _settled(value.sizes, settling)
        same = all(map(operator.is_, sizes, value.sizes))
        return value if same else tensor_with({**look_at(value), "sizes": sizes})
    if isinstance(value, Dim):
        return dims.of(settling.size(value.expr))
    if type(value) in (list, tuple):
        return type(value)(_settled(v, settling) for v in value)
    return {name: _settled(v, settling) for name, v in value.items()} if type(value) is dict else value


def _short_name(target: Any) -> str:
    return type(target).__name__ if isinstance(target, nn.Module) else getattr(target, "__name__", "")


def _present(items: Repeated, axis: Any, is_along: bool) -> Repeated:
    """The items of which there are any; for some sizes there may be none of an item that changes nothing then."""
    runs = items.runs
    certain = [item for item, times in runs if implied(times >= 1)]
    if len(certain) == len(runs):
        return items
    return items.without(lambda item, times: not _is_alike(item, certain, axis, is_along) and times < 1)


def _is_alike(item: Any, others: list[Any], axis: Any, is_along: bool) -> bool:
    """Whether a tensor asks nothing of those it is joined with that others among them do not ask as well."""
    if any(item is other for other in others):
        return True
    if type(item) is not SymbolicTensor or type(axis) is not int or not others or type(others[0]) is not SymbolicTensor:
        return False
    sizes, other = list(item.sizes), list(others[0].sizes)
    if len(sizes) != len(other) or item.kind != others[0].kind or not -len(sizes) <= axis < len(sizes):
        return False
    if is_along:
        sizes[axis] = other[axis] = 1
    return all(a is b or implied(a == b) for a, b in zip(sizes, other, strict=True))


def _is_list_of_sizes(first: Any) -> bool:
    """Whether an operation's first argument is a tensor of known contents, or a list with one (``torch.stack``)."""
    if type(first) in (list, tuple):
        return bool(first) and _is_list_of_sizes(first[0])
    return type(first) is SymbolicTensor and first.value is not None


def _any_dtype(call: Call) -> torch.dtype:
    for value in itertools.chain(call.arguments, call.keywords.values()):
        if isinstance(value, torch.Tensor):
            return value.dtype
        if isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, torch.Tensor):
                    return item.dtype
    dtype = call.keywords.get("dtype")
    return dtype if isinstance(dtype, torch.dtype) else torch.get_default_dtype()
