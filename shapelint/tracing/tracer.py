"""The tracer: runs a model's real ``forward`` on symbolic tensors and records what happens to the sizes.

The way a value takes::

    trace(model, inputs)
      └─ root module's call ── explore: run its forward; again for every branch on a size; join
           ├─ module with a shape rule (Conv2d, …) ── the rule's requirements narrow the path, its sizes go on
           ├─ module without one ── explore (as above), its own branches join at its end
           └─ torch function ── dispatch: its rule; or, without symbolic arguments, the real function;
                                or, without a rule, probed on concrete sizes
"""

from __future__ import annotations

import functools
import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import islpy as isl
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from shapelint.limits import Limits
from shapelint.sizes import Domain, TooComplex, Undecided
from shapelint.sizes import expr as ex
from shapelint.sizes import path as paths
from shapelint.sizes.domain import UnknownSymbol
from shapelint.sizes.region import limited
from shapelint.tracing import exploring, joining, state
from shapelint.tracing.calls import Calls
from shapelint.tracing.exploring import Outcome
from shapelint.tracing.functions import Explored, Regroup
from shapelint.tracing.joining import flatten
from shapelint.tracing.keys import Unwatched
from shapelint.tracing.looking import known_of
from shapelint.tracing.loops.rounds import Plan, Replan, Site
from shapelint.tracing.loops.symbols import names_in, with_numbers
from shapelint.tracing.patches import Patches, eagerly, left_out, unexchanged
from shapelint.tracing.record import Call, Trace
from shapelint.tracing.remembering import Memory
from shapelint.tracing.room import with_room
from shapelint.tracing.tensor import SymbolicTensor, use_dispatch
from shapelint.tracing.wording import DECIDES

# What is patched while a model is traced is patched for every thread.
_turn = threading.RLock()

MOST_TABLES = 8
"""So many dicts that are no part of the model may be looked into by texts with sizes in them."""


class _Mode(TorchFunctionMode):
    """Brings factories (``torch.zeros(b, c, h, w)``) and every other torch function to the tracer."""

    def __init__(self, dispatch: Callable[..., Any]) -> None:
        super().__init__()
        self.dispatch = dispatch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.dispatch(func, args, kwargs or {})


class Tracer(Calls):
    """One analysis of one model. Use :func:`trace`."""

    def __init__(
        self,
        model: nn.Module,
        domain: Domain,
        limits: Limits,
        deadline: float,
        plans: dict[Site, Plan],
        functions: Explored,
        memory: Memory,
        tables: list[dict[Any, Any]],
        modules: dict[str, nn.Module],
        further: list[dict[str, Any]],
    ) -> None:
        super().__init__(modules, functions, domain, limits, deadline, plans, Tracer.run.__code__, memory, tables)
        self.model = model
        self.classes = {type(m) for m in modules.values()}
        self.further = further

    # --- running ---------------------------------------------------------------------------------

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Trace:
        """Trace the model's call with these arguments."""
        symbols, domain = self.path.domain.symbols, self.path.domain
        before = paths.active()
        written: state.Written = {}
        groups: list[exploring.Group] = []
        Undecided.last = None
        with self._patched(), limited(self.limits.set_complexity):
            paths.activate(self.path)
            try:
                saved = exploring.snapshot((*args, *kwargs.values()))
                groups = self._explore_all(self.model, args, kwargs, written, saved)
                if Undecided.last is not None:
                    raise Undecided.last  # the model's own code caught it and went on
            except (TooComplex, isl.Error) as reason:
                raise Undecided(f"the sets of sizes became too complex ({reason})") from reason
            except Exception as error:
                if Undecided.last is not None:
                    raise Undecided.last from error  # PyTorch's own code caught it, and raises something else
                # The whole model refuses: its failures are final.
                self.note_error(error)
                self._accept(error)
            finally:
                paths.activate(before)
                state.roll_back({key: old for key, old in written.items() if isinstance(key[0], nn.Module)})
                self.containers.restore(self.at_first)
                Undecided.last = None  # it would keep the model alive
        outcomes = self._joined(groups)
        for general in self.owed:
            assert general.told is not None
            general.told.fill()
        self._settle_rounds(outcomes)
        self._settle_counts()
        self._settle_products()
        return Trace(
            symbols,
            domain,
            outcomes,
            self.calls,
            self.failures,
            self.accidents,
            [*self.probes, *self.path.doubts],
            self.suspects,
            self.runs,
        )

    def _joined(self, groups: list[exploring.Group]) -> list[tuple[Domain, Any]]:
        """What the model returns, for each structure, and for which sizes."""
        try:
            groups = self._alike(groups)
            with paths.following(self.path) if self.path.counts.limits else nullcontext():
                joined = [exploring.join(members, self._join_tensors) for members in groups]
            self._check_contents(joined)
        except (TooComplex, isl.Error) as reason:
            raise Undecided(f"what the model returns differs too much from size to size ({reason})") from reason
        if self.path.by_products is not None:
            self._check_products(joined, self.path.by_products)
        return [(outcome.domain.without_products(), outcome.value) for outcome in joined]

    def _check_contents(self, joined: list[Outcome]) -> None:
        """Contents decide neither which sizes run nor which structure they return; sizes alone are left."""
        self.path.counts.check([outcome.domain for outcome in joined])
        for outcome in joined:
            outcome.domain = outcome.domain.without_counts()
        for one, other in itertools.combinations(joined, 2):
            if not one.domain.intersect(other.domain).is_empty():
                raise Undecided("what the model returns is decided by what tensors hold")

    def _alike(self, groups: list[exploring.Group]) -> list[exploring.Group]:
        """Where contents choose between a tensor made without the input's sizes and another one: both alike."""
        if len(groups) == 1 or all(self.path.counts.spans(group.domain()) for group in groups):
            return groups
        outcomes = [outcome for group in groups for outcome, _ in group.members]
        for outcome in outcomes:
            outcome.value = joining.all_symbolic(outcome.value)
        return exploring.group(outcomes)

    @staticmethod
    def _check_products(joined: list[Outcome], limit: TooComplex) -> None:
        """Both sides of each branch on a product have come to the same, so that no set has to tell them apart."""
        for outcome in joined:
            returned: list[Any] = []
            flatten(outcome.value, returned)
            if outcome.domain.restricted_products or any(name in ex.products for name in names_in(returned)):
                raise Undecided(str(limit)) from limit

    def _settle_rounds(self, outcomes: list[tuple[Domain, Any]]) -> None:
        """What is recorded of a round that stands for many is that of the first of them."""
        rounds = self.path.over
        if not rounds:
            return
        returned: list[Any] = []
        for _, value in outcomes:
            flatten(value, returned)
        self.path.check_names(names_in(returned))
        first = dict.fromkeys(rounds, 1)
        for call in self.in_rounds:
            call.arguments, call.keywords = with_numbers(call.arguments, first), with_numbers(call.keywords, first)
            for tensor in call.outputs:
                tensor.sizes = with_numbers(tensor.sizes, first)

    def _settle_counts(self) -> None:
        """What is recorded of an operation is that of all sizes that come to it, whatever contents decide."""
        if not self.path.counts.limits:
            return
        settled = {id(call.domain): call.domain.without_counts() for call in self.calls}
        for call in self.calls:
            call.domain = settled[id(call.domain)]

    def _settle_products(self) -> None:
        """What is recorded of one side of a branch on a product is that of all sizes that come to the branch."""
        if self.path.by_products is not None:
            # sizes that meet by accident on one side only are no set that could be told of
            self.accidents = [each for each in self.accidents if not each.domain.restricted_products]
            for call in self.calls:
                call.domain = call.domain.without_products()

    @contextmanager
    def _patched(self) -> Iterator[None]:
        patches = Patches()
        tracer = self

        def setattribute(module: nn.Module, name: str, value: Any) -> None:
            tracer.write_attribute(module, name, value)

        def deleteattribute(module: nn.Module, name: str) -> None:
            tracer.note_attribute(module, name)
            state.original_delattr(module, name)

        try:
            patches.exchange(nn.Module, "__call__", self.call_module)
            patches.exchange(nn.Module, "__delattr__", deleteattribute)
            patches.exchange(nn.Module, "__setattr__", setattribute)
            patches.apply_to(self.classes, self.further)
            for function in self.functions:
                patches.exchange_function(function, functools.partial(self.call_function, unexchanged(function)))
            use_dispatch(self.dispatch)
            with torch.no_grad(), eagerly(), _Mode(self.dispatch):
                yield
        finally:
            use_dispatch(None)
            patches.undo()


def trace(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    domain: Domain,
    limits: Limits | None = None,
    modules: dict[str, nn.Module] | None = None,
) -> Trace:
    """Trace ``model(*args, **kwargs)`` for all sizes of ``domain``.

    Args:
        modules: all of the model's, by their names, if they are known already.

    Raises:
        Undecided: some step is beyond what can be followed symbolically; the message says which.
    """
    limits = limits or Limits()
    modules = modules or state.modules_by_name(model)
    deadline = time.monotonic() + limits.seconds
    plans: dict[Site, Plan] = {}
    functions = Explored()
    memory = Memory()
    tables: list[dict[Any, Any]] = []
    further: list[dict[str, Any]] = []
    leaves: list[Any] = []
    flatten((tuple(args), kwargs), leaves)
    given = [(tensor, known_of(tensor).copy()) for tensor in leaves if isinstance(tensor, SymbolicTensor)]
    held = exploring.snapshot((*args, *kwargs.values()))
    with _turn, _without_collecting():
        while True:
            memory.start()
            tracer = Tracer(model, domain, limits, deadline, plans, functions, memory, tables, modules, further)
            try:
                return with_room(_run, tracer, tuple(args), kwargs, domain)
            except Replan as change:
                plans[change.site] = change.plan
                memory.forget(change.site)
                functions.add_around(change)
            except Regroup as more:
                functions.add(more.functions)
            except Unwatched as found:
                if len(tables) == MOST_TABLES:
                    raise Undecided(DECIDES) from None
                tables.append(found.table)
            except Undecided as stop:
                missed = left_out(stop, tracer.classes, further)
                if not missed:
                    raise
                further += missed
            exploring.restore(held)
            for tensor, known in given:
                vars(tensor).clear()
                vars(tensor).update(known)


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Thousands of small objects make the collector walk torch's whole heap, and none of them is garbage yet."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _run(tracer: Tracer, args: tuple[Any, ...], kwargs: dict[str, Any], domain: Domain) -> Trace:
    for position, value in enumerate((*args, *kwargs.values())):
        if isinstance(value, SymbolicTensor):
            name = f"input_{position}" if position < len(args) else list(kwargs)[position - len(args)]
            value.call = Call(next(tracer.indices), "input", name, "", (), {}, None, domain, (value,))
            tracer.calls.append(value.call)
    try:
        return tracer.run(args, kwargs)
    except UnknownSymbol as error:
        # it may be the number of a loop's round, after the loop
        tracer.path.check_names([error.name])
        raise
