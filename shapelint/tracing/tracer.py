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

import gc
import itertools
import operator
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, cast

import islpy as isl
import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin
from torch.overrides import TorchFunctionMode

from shapelint.limits import Limits
from shapelint.ops.dtypes import REQUIREMENTS, DtypeError, check_dtypes
from shapelint.ops.layout import is_followed, layout_after, placed_in
from shapelint.ops.layout import joined as joined_layout
from shapelint.ops.registry import DependsOnContents, Runs, Spec, Unsupported, function_rule, module_rule, name_of
from shapelint.sizes import Condition, Dim, Domain, Ratio, SizeError, TooComplex, Undecided, require
from shapelint.sizes import dim as dims
from shapelint.sizes import expr as ex
from shapelint.sizes import path as paths
from shapelint.sizes.dim import FloatProduct
from shapelint.sizes.domain import UnknownSymbol
from shapelint.sizes.region import limited
from shapelint.sizes.settling import Settling
from shapelint.tracing import eager, exploring, handlers, joining, places, state
from shapelint.tracing.contents import is_in_place, join_contents, note_contents, note_number, note_unknown_change
from shapelint.tracing.exploring import ExploringPath, Frame, Outcome
from shapelint.tracing.joining import flatten, join_sizes
from shapelint.tracing.loops.repeated import Repeated
from shapelint.tracing.loops.rounds import JOINING, Plan, Replan, Site, at_beginning, check_joined, joined_in
from shapelint.tracing.loops.symbols import names_in
from shapelint.tracing.patches import Patches, eagerly, is_symbolic, unexchanged
from shapelint.tracing.probe import probe
from shapelint.tracing.record import Accident, Call, Failure, Trace
from shapelint.tracing.remembering import Memory, Question, Remembered, ask, pattern_of, replaced
from shapelint.tracing.replaying import Alternatives, Played, played
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor, tensor_with, use_dispatch
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

MANY_PARTS = 12
"""Calls of modules with more parts than this are remembered: for smaller ones that takes as long as the call."""

_original_call: Any = unexchanged(nn.Module.__call__)

# What is patched while a model is traced is patched for every thread.
_turn = threading.RLock()
_DELIBERATE = (ValueError, AssertionError, RuntimeError, IndexError)
_SYMBOLIC_NUMBERS = (Dim, Ratio, FloatProduct)

State = tuple[int, state.Contents]
"""How many attributes have been set, and the contents of the lists and dicts that the model keeps."""


class _Mode(TorchFunctionMode):
    """Brings factories (``torch.zeros(b, c, h, w)``) and every other torch function to the tracer."""

    def __init__(self, dispatch: Callable[..., Any]) -> None:
        super().__init__()
        self.dispatch = dispatch

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.dispatch(func, args, kwargs or {})


class Marks(NamedTuple):
    """Where the analysis stands: the sizes on the path, the rounds of loops begun, how much has been written down."""

    domain: Domain
    changes: int
    rounds: int
    calls: int
    failures: int
    suspects: int
    accidents: int
    overwritten: dict[torch.dtype, int]


class Tracer:
    """One analysis of one model. Use :func:`trace`."""

    def __init__(
        self,
        model: nn.Module,
        domain: Domain,
        limits: Limits,
        deadline: float,
        plans: dict[Site, Plan],
        memory: Memory,
    ) -> None:
        self.model = model
        self.limits = limits
        self.deadline = deadline
        modules = state.modules_by_name(model)
        self.names = {id(m): name for name, m in modules.items()}
        self.classes = {type(m) for m in modules.values()}
        self.calls: list[Call] = []
        self.failures: list[Failure] = []
        self.suspects: list[Failure] = []
        self.accidents: list[Accident] = []
        self.probes: list[str] = []
        self.path = ExploringPath(domain, limits, self._record_failing, self._record_accident)
        self.path.plans = plans
        self.in_rounds: list[Call] = []
        self.memory = memory
        self.told: set[int] = set()
        self.large: dict[int, bool] = {}
        self.layers: list[str] = [""]
        self.current: Call | None = None
        self.runs = 0
        self.indices = itertools.count()
        self.changes = 0
        self.containers = state.Containers(modules.values())
        self.at_first = self.containers.now()

    # --- running ---------------------------------------------------------------------------------

    def run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Trace:
        """Trace the model's call with these arguments."""
        symbols, domain = self.path.domain.symbols, self.path.domain
        before = paths.active()
        written: state.Written = {}
        collecting = gc.isenabled()
        # Thousands of small objects make the collector walk torch's whole heap, and none of them is garbage yet.
        gc.disable()
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
                # The whole model refuses: its failures are final.
                self._note_error(error)
                self._accept(error)
            finally:
                paths.activate(before)
                state.roll_back({key: old for key, old in written.items() if isinstance(key[0], nn.Module)})
                self.containers.restore(self.at_first)
                Undecided.last = None  # it would keep the model alive
                if collecting:
                    gc.enable()
        outcomes = self._joined(groups)
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
        for call in self.in_rounds:
            call.arguments = at_beginning(call.arguments, rounds.values())
            call.keywords = at_beginning(call.keywords, rounds.values())
            for tensor in call.outputs:
                tensor.sizes = at_beginning(tensor.sizes, rounds.values())

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
            patches.apply_to(self.classes)
            use_dispatch(self.dispatch)
            with torch.no_grad(), eagerly(), _Mode(self.dispatch):
                yield
        finally:
            use_dispatch(None)
            patches.undo()

    # --- modules ---------------------------------------------------------------------------------

    def call_module(self, module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        """A module's call: its rule if it has one, else its forward, explored."""
        plain = _plain(module)
        rule = module_rule(module)
        if rule is not None and plain and _has_symbolic(args, kwargs):
            layer = self.names.get(id(module), self.layers[-1])
            return self._step(rule, "module", module, layer, (module, *args), kwargs)
        if not plain:
            self.changes += 1  # a hook may do anything
        if self.path.frames:
            is_given_sizes = bool(args) and type(args[0]) is SymbolicTensor
            if plain and not is_given_sizes and _has_only_real(args, kwargs) and not self.path.follows_loops:
                return self._run_within(module, args, kwargs)
            return self._explore_once(module, args, kwargs, plain)
        return self.explore(module, args, kwargs)

    def _run_within(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A module that is given no sizes, run as part of its caller: it has hardly anything of its own to branch on.

        Weights that are computed (weight norm, parametrizations) are a third of the runs of an audio codec's modules;
        this saves 4 % of its analysis.
        """
        depth = len(self.layers)
        self.layers.append(self.names.get(id(module), self.layers[-1]))
        try:
            return _original_call(module, *args, **kwargs)
        except Exception as error:
            self._note_error(error)
            raise
        finally:
            del self.layers[depth:]

    def _explore_once(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], plain: bool) -> Any:
        """Explored on the first path through the caller; on a later one, what it returned there."""
        frame = self.path.frames[-1]
        position = len(frame.calls)
        known = frame.known[position] if position < len(frame.known) else None
        if known is not None and known.module is module:
            frame.calls.append(known)
            call = known if isinstance(known, Played) else self._alternative(known)
            self.path.domain = call.domain
            return call.value()
        frame.calls.append(None)
        before: State = self.changes, self.containers.now()
        question = self._ask(module, args, kwargs) if plain and self.path.follows_loops else None
        known_call = None if question is None else self.memory.find(question, self.path.domain)
        if question is not None and known_call is not None:
            return self._recall(known_call, question)
        branches, marks = len(frame.taken), None if question is None else self._marks()
        result = self.explore(module, args, kwargs, before if plain else None)
        # a structure that was chosen is chosen again on the other paths
        if plain and len(frame.taken) == branches:
            # another run of a loop's round has a symbol of its own for the round's number
            if not self.path.rounds and self._is_as(before):
                frame.calls[position] = played(module, self.path.domain, (*args, *kwargs.values()), result)
            if question is not None and marks is not None:
                self._remember(question, marks, result)
        return result

    def _ask(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Question | None:
        if self.path.counts.made or not self._is_large(module):
            return None  # to read what it can look at takes nearly as long as to make the call
        around: list[Any] = self._altered()
        for owner, name in dict.fromkeys(attribute for frame in self.path.frames for attribute in frame.written):
            if isinstance(owner, nn.Module):
                value = state.read((owner, name))
                around.append((id(owner), name) if value is state.MISSING else (id(owner), name, value))
        return ask(module, (args, *kwargs.items()), around)

    def _is_large(self, module: nn.Module) -> bool:
        """Whether a module has many parts."""
        if id(module) not in self.large:
            self.large[id(module)] = len(state.modules_by_name(module)) > MANY_PARTS
        return self.large[id(module)]

    def _altered(self) -> list[Any]:
        """Lists and dicts of the model that hold something else than at the beginning."""
        return [container for container, _ in self.containers.changed(self.at_first)]

    def _marks(self) -> Marks:
        return Marks(
            self.path.domain,
            self.changes,
            self.path.begun,
            len(self.calls),
            len(self.failures),
            len(self.suspects),
            len(self.accidents),
            self.path.counts.changes(),
        )

    def _remember(self, question: Question, before: Marks, value: Any) -> None:
        """Keep what a call has done, if that is known: it has changed nothing but lists and dicts that it could see."""
        after, path = self._marks(), self.path
        same = (before.changes, before.suspects, before.accidents) == (after.changes, after.suspects, after.accidents)
        if not same or self.probes or path.doubts or path.by_products is not None or path.counts.made:
            return
        seen = set(map(id, question.containers))
        if not question.tensors_are_as_before() or any(id(altered) not in seen for altered in self._altered()):
            return
        pattern = pattern_of(question, value)
        if pattern is None:
            return
        rounds = {*(each.number for each in path.rounds), *path.over}
        of_rounds = before.rounds != after.rounds or not rounds.isdisjoint(question.symbols)
        refused = path.domain is not before.domain
        if refused and (of_rounds or path.domain.has_roots):
            return
        self.memory.keep(
            Remembered(
                question,
                before.domain,
                before.domain.project(question.symbols),
                path.domain if refused else None,
                *pattern,
                self.calls[before.calls :],
                self.failures[before.failures :],
                [kind for kind, many in after.overwritten.items() if before.overwritten.get(kind) != many],
                self.memory.run if of_rounds else None,
                self.memory.run,
            )
        )

    def _recall(self, known: Remembered, question: Question) -> Any:
        """A call as it went when the same was asked before."""
        path = self.path
        if path.over:
            path.check_names(question.symbols)
        if known.told_in != self.memory.run:
            self._tell_again(known, question)
        elif path.domain is not known.start:
            self._refuse_again(known)
        if known.end is not None:
            path.frames[-1].narrowed = True
            for failure in known.failures:
                self._refuse_handlers(
                    "{} is required", failure.reason if failure.condition is None else failure.condition
                )
        for kind in known.overwritten:
            path.counts.note_change(kind, next(self.indices))
        path.domain = known.left_of(path.domain)
        return self.memory.value_of(known, question)

    def _tell_again(self, known: Remembered, question: Question) -> None:
        """What an earlier run wrote down of a call, for this one: it was about that run's tensors."""
        now = {id(old): new for old, new in zip(known.question.tensors, question.tensors, strict=True)}
        for call in known.calls:
            if id(call) not in self.told:
                self.told.add(id(call))
                call.index = next(self.indices)
                call.arguments, call.keywords = replaced(call.arguments, now), replaced(call.keywords, now)
                self.calls.append(call)
        if self.path.domain is known.start:
            self.failures += known.failures
        else:
            self._refuse_again(known)
        known.told_in = self.memory.run

    def _refuse_again(self, known: Remembered) -> None:
        """The call refuses these sizes too."""
        for failure in known.failures:
            self.failures.append(replace(failure, domain=known.among(self.path.domain, failure.domain)))

    def _is_as(self, before: State) -> bool:
        """Whether a call did nothing but to return a value."""
        changes, contents = before
        return self.changes == changes and self.containers.are_as(contents)

    def explore(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], before: State | None = None
    ) -> Any:
        """Run a module's forward on every path through it and join them.

        Args:
            before: what there was before, if its class alone says what the call does.
        """
        self.layers.append(self.names.get(id(module), self.layers[-1]))
        written: state.Written = {}
        try:
            saved = exploring.snapshot((*args, *kwargs.values()))
            groups = self._explore_all(module, args, kwargs, written, saved, before)
            joined: list[Outcome] | None = None
            if len(groups) > 1 and before is not None and self._is_as(before) and not self.path.rounds:
                joined = self._alternatives(module, (*args, *kwargs.values()), groups)
            at = exploring.choose_structure(self.path, len(groups))
            outcome = joined[at] if joined else exploring.join(groups[at], self._join_tensors)
            if outcome.several:
                state.install(outcome.state)
                for (_, container, _), contents in zip(saved, outcome.containers, strict=True):
                    state.refill(container, contents)
        finally:
            self.layers.pop()
            if written and self.path.frames:
                # also when it raises: the caller's next path starts from the attributes this one started from
                _merge(written, self.path.frames[-1].written)
        self.path.domain = outcome.domain
        return outcome.value

    def _alternatives(
        self, module: nn.Module, given: tuple[Any, ...], groups: list[exploring.Group]
    ) -> list[Outcome] | None:
        """What a call returned for some sizes each, noted for the caller's paths that go on with another of these."""
        if not self.path.frames:
            return None
        outcomes = [exploring.join(group, self._join_tensors) for group in groups]
        calls = [played(module, outcome.domain, given, outcome.value) for outcome in outcomes]
        known = tuple(call for call in calls if call is not None)
        if len(known) == len(groups):
            self.path.frames[-1].calls[-1] = Alternatives(module, known)
        return outcomes

    def _alternative(self, known: Alternatives) -> Played:
        return known.calls[exploring.choose_structure(self.path, len(known.calls))]

    def _explore_all(
        self,
        module: nn.Module,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        written: state.Written,
        saved: exploring.Saved,
        at_start: State | None = None,
    ) -> list[exploring.Group]:
        start = self.path.domain
        frame = Frame()
        self.path.frames.append(frame)
        outcomes: list[Outcome] = []
        before = self.containers.now() if at_start is None else at_start[1]
        changed: dict[int, tuple[Any, Any]] = {}
        try:
            pending = [exploring.Pending()]
            while pending:
                frame.start(pending.pop())
                self.path.domain = start
                if outcomes:
                    exploring.restore(saved)
                outcome = self._run_once(module, args, kwargs)
                pending.extend(frame.pending)
                outcome.several = bool(pending or outcomes)
                if outcome.several:
                    changed |= self._take_kept(outcome, before, saved)
                self._describe(outcome, frame, saved)
                if frame.written:
                    _merge(frame.written, written)
                outcomes.append(outcome)
                if len(outcomes) > self.limits.paths_per_module:
                    raise Undecided(f"{self._here()} has more than {self.limits.paths_per_module} paths")
        finally:
            self.path.frames.pop()
            # also when the analysis gives up in the middle: the model must be left as it was
            _merge(frame.written, written)
        if len(outcomes) > 1 and written:
            for outcome in outcomes:
                # what a path left alone has the value from before, so that paths still join
                outcome.state = {key: outcome.state.get(key, old) for key, old in written.items()}
        if changed:
            exploring.add_kept(outcomes, changed, saved)
        if frame.narrowed and self.path.frames:
            self.path.frames[-1].narrowed = True
        if frame.refused:
            self._check_refused(frame, outcomes)
        if len(outcomes) == 1 and outcomes[0].error is None:
            return [exploring.Group(None, [(outcomes[0], [])])]
        return self._living(outcomes, None if frame.narrowed else start, saved)

    @staticmethod
    def _check_refused(frame: Frame, outcomes: list[Outcome]) -> None:
        """No size that one side of a branch on contents refuses is one that the other side takes."""
        taken = [outcome.domain.without_counts() for outcome in outcomes if outcome.error is None]
        for refused, why in frame.refused:
            if any(not refused.intersect(sizes).is_empty() for sizes in taken):
                raise Undecided(f"whether the model runs depends on the contents of the tensors: {why}")

    def _describe(self, outcome: Outcome, frame: Frame, saved: exploring.Saved) -> None:
        """How a path ended; what it changed is put back if there are other paths to run."""
        outcome.domain = self.path.domain
        outcome.on_data, outcome.taken = frame.on_data, tuple(frame.taken)
        outcome.state = {attribute: state.read(attribute) for attribute in frame.written}
        if outcome.several:
            outcome.containers = tuple(container.copy() for _, container, _ in saved)
            exploring.keep_shapes(outcome, frame.written, saved)
            state.roll_back(frame.written)

    def _take_kept(
        self, outcome: Outcome, before: state.Contents, saved: exploring.Saved
    ) -> dict[int, tuple[Any, Any]]:
        """What a path has changed of the model's own lists and dicts, which are put back for the other paths."""
        arguments = {id(container) for _, container, _ in saved}
        changed = {id(c): (c, held) for c, held in self.containers.changed(before) if id(c) not in arguments}
        for number, (container, held) in changed.items():
            outcome.kept[number] = container.copy()
            state.refill(container, held)
        return changed

    def _here(self) -> str:
        return f"`{self.layers[-1]}`" if self.layers[-1] else "the model's forward"

    def _run_once(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        self.runs += 1
        most = self.limits.paths_with_loops if self.path.follows_loops else self.limits.paths
        if self.runs > most:
            raise Undecided(f"the model has more than {most} runs of modules to explore")
        if time.monotonic() > self.deadline:
            self._take_too_long()
        depth, rounds, lists = len(self.layers), len(self.path.rounds), frozenset(self.path.comprehensions)
        try:
            value = _original_call(module, *args, **kwargs)
        except (TooComplex, isl.Error) as reason:
            raise Undecided(f"the sets of sizes became too complex ({reason})") from reason
        except Exception as error:
            self._note_error(error)
            if self.path.counts.limits:
                self.path.counts.raised(self._told(error))
            self.path.abandon(rounds)
            self.path.forget_lists(lists)
            return Outcome(self.path.domain, None, error)
        finally:
            del self.layers[depth:]
        if len(self.path.rounds) > rounds:
            self.path.rounds[-1].left()
        if self.path.comprehensions:
            check_joined(self.path, lists)
        return Outcome(self.path.domain, value)

    def _take_too_long(self) -> NoReturn:
        raise Undecided(f"exploring all sizes takes more than {self.limits.seconds:g} s")

    def _note_error(self, error: Exception) -> None:
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

    @staticmethod
    def _told(error: Exception) -> str:
        """An exception, with the line of the user's code that it comes from."""
        place = places.origin(error)[0]
        location = None if place is None else place.location()
        text = f"{type(error).__name__}: {places.first_line(error)}"
        return text if location is None else f"{text} (at {Path(location.path).name}:{location.line})"

    def _living(self, outcomes: list[Outcome], start: Domain | None, saved: exploring.Saved) -> list[exploring.Group]:
        """The outcomes that return, grouped; what the others refuse is final now."""
        alive = [o for o in outcomes if o.error is None]
        if not alive:
            found: list[Failure] = []
            for outcome in outcomes:
                assert outcome.error is not None
                found += exploring.failures_of(outcome.error)
            error = outcomes[0].error
            assert error is not None
            error.__dict__["shapelint_failures"] = found
            if any("shapelint_suspect" in o.error.__dict__ for o in outcomes if o.error is not None):
                error.__dict__["shapelint_suspect"] = True
            domain = outcomes[0].domain
            for outcome in outcomes[1:]:
                domain = domain.unite(outcome.domain)
            self.path.domain = domain
            raise error
        for outcome in outcomes:
            # A check of the contents ("if x.isnan().any(): raise") says nothing about sizes.
            if outcome.error is None:
                continue
            if not outcome.on_data:
                self._refuse_handlers("{!r} is raised", places.first_line(outcome.error))
                self._accept(outcome.error)
            elif self.path.counts.limits and not _is_deliberate(outcome.error):
                raise Undecided(
                    f"whether the model runs depends on the contents of the tensors: {self._told(outcome.error)}"
                )
        groups = exploring.group(alive, saved)
        if len(groups) == 1 and len(alive) == len(outcomes):
            groups[0].whole = start
        elif len(alive) < len(outcomes) and self.path.frames:
            self.path.frames[-1].narrowed = True
        return groups

    def _accept(self, error: BaseException) -> None:
        found = exploring.failures_of(error)
        self.failures += found
        if "shapelint_suspect" in error.__dict__:
            # what a rule refuses is no suspect
            self.suspects += [failure for failure in found if failure.error is not None]

    def write_attribute(self, module: nn.Module, name: str, value: Any) -> None:
        """A model that sets attributes in forward gets them back as they were."""
        self.note_attribute(module, name)
        state.write((module, name), value)
        self.containers.add(value)

    def note_attribute(self, module: nn.Module, name: str) -> None:
        """Write down an attribute's value before it changes."""
        self.changes += 1
        if self.path.frames:
            written = self.path.frames[-1].written
            if (module, name) not in written:
                written[module, name] = state.read((module, name))

    # --- functions -------------------------------------------------------------------------------

    def dispatch(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A torch function's call."""
        rule = function_rule(func)
        if func in JOINING:
            items = joined_in(self.path, args[0] if args else kwargs.get("tensors"))
            if items is not None:
                return self._join_repeated(rule, func, items, args[1:], kwargs)
        if not (args and type(args[0]) is SymbolicTensor) and not _has_symbolic(args, kwargs):
            if rule is None or not eager.only_sizes_matter(func, args, kwargs):
                return eager.call_real(func, args, kwargs)
            return self._apply(rule, "function", func, self.layers[-1], args, kwargs, eager.call_real)
        out = kwargs["out"] if "out" in kwargs else None  # noqa: SIM401 - a call for nothing, with every function
        if type(out) is SymbolicTensor and rule is not None:
            return self._written_into(out, rule, func, args, kwargs)
        if isinstance(out, torch.Tensor):
            raise Undecided(
                f"{name_of(func)}: a result of the input's size is written into a tensor made without it (out=)"
            )
        if rule is not None:
            return self._step(rule, "function", func, self.layers[-1], args, kwargs)
        if getattr(func, "__name__", "") == "__get__":
            return eager.read_property(func, args[0])
        if getattr(func, "__name__", "") == "__set__" and type(args[0]) is SymbolicTensor:
            self.path.forget_steps()
            return eager.set_property(func, args[0], args[1])
        if isinstance(func, torch.jit.ScriptFunction):
            plain = getattr(func, "_torchdynamo_inline", None)
            if plain is not None:
                return plain(*args, **kwargs)
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

    def _step(
        self, rule: Any, kind: str, target: Any, layer: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
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
        call = Call(next(self.indices), "function", target, layer, args, {}, places.caller(), self.path.sizes)
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
            self.path.check_names(names_in((args, kwargs)))
        self.path.counts.asked = 0
        call = Call(next(self.indices), kind, target, layer, args, kwargs, places.caller(), self.path.sizes)
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
            self._note_error(error)
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
        target = type(call.target) if call.kind == "module" else call.target
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

        def attempt(settling: Settling) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
            settled, named = _settled(args, settling), _settled(kwargs, settling)
            return rule(*settled, **named), settled, named

        return self.path.by_cases(limit, attempt)

    def _join_repeated(
        self, rule: Any, func: Any, items: Repeated, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """``stack`` and ``cat`` of a list whose items stand for many: each counts as often as it is repeated."""
        kwargs = {name: value for name, value in kwargs.items() if name != "tensors"}
        require(items.total >= 1, "{} of an empty list", name_of(func))
        axis = args[0] if args else kwargs.get("dim", kwargs.get("axis", 0))
        if JOINING[func]:
            items = self.path.counts.totals(items, axis)
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
        if self.path.counts.made and any(map(ex.is_count, names_in((args, kwargs)))):
            raise Undecided(f"{why}, and the contents of the tensors decide the sizes it is given")
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
            self._refuse_handlers("{} is required", condition)
        else:
            self._refuse_handlers("{}: this happens", reason.format(*arguments))
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

    def _refuse_handlers(self, what: str, *arguments: object) -> None:
        """Give up where the user's own code catches an exception that only some of the sizes on the path raise.

        Args:
            what: a format string for ``arguments``: a condition takes long to write out, and nearly nobody handles it.
        """
        place = handlers.caught_above(Tracer.run.__code__)
        if place is not None:
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

    def _join_tensors(self, cases: list[tuple[Domain, SymbolicTensor]]) -> SymbolicTensor:
        tensors = [tensor for _, tensor in cases]
        shape = tuple(
            join_sizes([(domain, tensor.sizes[axis]) for domain, tensor in cases])
            for axis in range(len(tensors[0].sizes))
        )
        call = Call(next(self.indices), "join", "join", self.layers[-1], tuple(tensors), {}, None, self.path.domain)
        joined = symbolic_tensor(shape, tensors[0].dtype, call)
        join_contents(joined, cases)
        joined.strided = joined_layout([(tensor.sizes, tensor.strided) for tensor in tensors], shape)
        call.outputs = (joined,)
        self.calls.append(call)
        return joined


def trace(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    domain: Domain,
    limits: Limits | None = None,
) -> Trace:
    """Trace ``model(*args, **kwargs)`` for all sizes of ``domain``.

    Raises:
        Undecided: some step is beyond what can be followed symbolically; the message says which.
    """
    limits = limits or Limits()
    deadline = time.monotonic() + limits.seconds
    plans: dict[Site, Plan] = {}
    memory = Memory()
    leaves: list[Any] = []
    flatten((tuple(args), kwargs), leaves)
    given = [(tensor, vars(tensor).copy()) for tensor in leaves if isinstance(tensor, SymbolicTensor)]
    held = exploring.snapshot((*args, *kwargs.values()))
    with _turn:
        while True:
            memory.start()
            tracer = Tracer(model, domain, limits, deadline, plans, memory)
            try:
                return _run(tracer, tuple(args), kwargs, domain)
            except Replan as change:
                plans[change.site] = change.plan
                exploring.restore(held)
                for tensor, known in given:
                    vars(tensor).clear()
                    vars(tensor).update(known)


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


# --- small things ------------------------------------------------------------------------------------------


def _is_deliberate(error: Exception) -> bool:
    """Whether it is the model's own ``raise`` or ``assert``."""
    return not isinstance(error, SizeError) and "shapelint_suspect" not in error.__dict__


def _merge(newer: state.Written, older: state.Written) -> None:
    """Add attributes that were set later; what was there before them stays what it was."""
    for attribute, old in newer.items():
        older.setdefault(attribute, old)


def _plain(module: nn.Module) -> bool:
    """Whether calling the module does what its class does: no hooks, no forward of its own."""
    attributes = module.__dict__
    if attributes["_forward_hooks"] or "forward" in attributes:
        return False
    return not attributes["_forward_pre_hooks"] or _only_initializes(module)


def _only_initializes(module: nn.Module) -> bool:
    """Whether its one hook is that of a lazy layer which has met no input: that would fix its channels, for good."""
    if not isinstance(module, LazyModuleMixin) or not module.has_uninitialized_params():
        return False
    return list(module._forward_pre_hooks) == [cast(Any, module)._initialize_hook.id]


_REAL = frozenset({torch.Tensor, nn.Parameter, type(None), bool, int, float, str})


def _has_only_real(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether arguments can hold nothing symbolic, and nothing that could be changed."""
    for argument in args:
        if type(argument) not in _REAL:
            return False
    return not kwargs or all(type(value) in _REAL for value in kwargs.values())


def _has_symbolic(args: Any, kwargs: dict[str, Any]) -> bool:
    if args and type(args[0]) is SymbolicTensor:
        return True
    return any(is_symbolic(a) for a in args) or (bool(kwargs) and any(is_symbolic(v) for v in kwargs.values()))


def _settled(value: Any, settling: Settling) -> Any:
    """An argument with the sizes in it as they read for the sizes on the path."""
    if type(value) is SymbolicTensor:
        sizes = _settled(value.sizes, settling)
        same = all(map(operator.is_, sizes, value.sizes))
        return value if same else tensor_with({**vars(value), "sizes": sizes})
    if isinstance(value, Dim):
        return dims.of(settling.size(value.expr))
    if type(value) in (list, tuple):
        return type(value)(_settled(v, settling) for v in value)
    return {name: _settled(v, settling) for name, v in value.items()} if type(value) is dict else value


def _short_name(target: Any) -> str:
    return type(target).__name__ if isinstance(target, nn.Module) else getattr(target, "__name__", "")


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
