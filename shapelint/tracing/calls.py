"""What a call of a module, or of a function of the model's own code, comes to.

A layer that has a rule is told by that. Anything else is explored: its forward is run on every path through it, and the
paths are joined where it ends; unless it is known already what the call does, from another path, another round of a
loop, another start, or other sizes.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, cast

import islpy as isl
import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from shapelint.limits import Limits
from shapelint.ops.layout import joined as joined_layout
from shapelint.ops.registry import module_rule
from shapelint.sizes import Dim, Domain, SizeError, TooComplex, Undecided
from shapelint.tracing import exploring, handlers, places, state
from shapelint.tracing.anysize import AnySize
from shapelint.tracing.contents import join_contents
from shapelint.tracing.eager import is_certain
from shapelint.tracing.exploring import Frame, Outcome
from shapelint.tracing.functions import Explored, Regroup, functions_above, is_plain_call
from shapelint.tracing.joining import join_sizes
from shapelint.tracing.looking import Watch
from shapelint.tracing.loops.rounds import Plan, Replan, Site, check_joined
from shapelint.tracing.operations import has_symbolic
from shapelint.tracing.patches import unexchanged
from shapelint.tracing.record import Call, Failure
from shapelint.tracing.remembering import Memory, Question
from shapelint.tracing.replaying import Alternatives, Callee, Played, own_call, played
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor

_original_call: Any = unexchanged(nn.Module.__call__)

State = tuple[int, state.Contents]
"""How many attributes have been set, and the contents of the lists and dicts that the model keeps."""


class Calls(AnySize):
    """Follows the calls of a model's parts.

    Attributes:
        names: of the model's modules, by their ids.
        functions: of the model's own code that are explored like modules.
        runs: how many paths through a module or function have been run.
        has_loops: ids of what goes through a loop over tiles, with calls in it.
    """

    def __init__(
        self,
        modules: dict[str, nn.Module],
        functions: Explored,
        domain: Domain,
        limits: Limits,
        deadline: float,
        plans: dict[Site, Plan],
        beginning: CodeType,
        memory: Memory,
        tables: list[dict[Any, Any]],
    ) -> None:
        super().__init__(modules, domain, limits, deadline, plans, beginning, memory, tables)
        self.names = {id(m): name for name, m in modules.items()}
        self.functions = functions
        self.path.on_many_branches = self._look_for_functions
        self.runs = 0
        self.has_loops: set[int] = set()

    def call_module(self, module: nn.Module, /, *args: Any, **kwargs: Any) -> Any:
        """A module's call: its rule if it has one, else its forward, explored."""
        plain = _plain(module)
        rule = module_rule(module)
        if rule is not None and plain and has_symbolic(args, kwargs):
            layer = self.names.get(id(module), self.layers[-1])
            return self.step(rule, "module", module, layer, (module, *args), kwargs)
        if not plain:
            self.changes += 1  # a hook may do anything
        if self.path.frames:
            is_given_sizes = bool(args) and type(args[0]) is SymbolicTensor
            if plain and not is_given_sizes and _has_only_real(args, kwargs) and not self.path.follows_loops:
                return self._run_within(module, args, kwargs)
            return self._explore_once(module, args, kwargs, plain)
        return self.explore(module, args, kwargs)

    def call_function(self, function: FunctionType, /, *args: Any, **kwargs: Any) -> Any:
        """A function that is explored like a module, where nothing else can tell it from one that is run."""
        if not self.path.frames or not is_plain_call(args, kwargs) or not has_symbolic(args, kwargs):
            return function(*args, **kwargs)
        if handlers.caught_above(self.beginning) is not None:
            return function(*args, **kwargs)  # what it raises is dealt with on the path that raises it
        return self._explore_once(function, args, kwargs, plain=True)

    def _look_for_functions(self) -> None:
        """Start again where the branches that follow one another are those of functions."""
        found = [function for function in functions_above() if function not in self.functions]
        if found:
            raise Regroup(found)

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
            self.note_error(error)
            raise
        finally:
            del self.layers[depth:]

    def _explore_once(self, callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any], plain: bool) -> Any:
        """Explored on the first path through the caller; on a later one, what it returned there."""
        frame = self.path.frames[-1]
        position = len(frame.calls)
        known = frame.known[position] if position < len(frame.known) else None
        if known is not None and known.callee is callee:
            frame.calls.append(known)
            call = known if isinstance(known, Played) else self._alternative(known)
            self.path.domain = call.domain
            return call.value()
        frame.calls.append(None)
        before: State = self.changes, self.containers.now()
        question = self.ask(callee, args, kwargs) if plain and self.path.follows_loops else None
        known_call = None if question is None else self.memory.find(question, self.path.domain)
        if question is not None and known_call is not None:
            return self.recall(known_call, question)
        if question is not None and question.is_told:
            known_value = self._recall_for_any(callee, args, kwargs, question)
            if known_value is not None:
                return known_value[0]
        branches = len(frame.taken)
        if question is None:
            result = self.explore(callee, args, kwargs, before if plain else None)
        else:
            result = self._explore_watched(callee, args, kwargs, before, question)
        # a structure that was chosen is chosen again on the other paths
        is_one = plain and len(frame.taken) == branches
        # another run of a loop's round has a symbol of its own for the round's number
        if is_one and not self.path.rounds and self._is_as(before):
            frame.calls[position] = played(callee, self.path.domain, (*args, *kwargs.values()), result)
        return result

    def _explore_watched(
        self, callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any], before: State, question: Question
    ) -> Any:
        """Explored, and remembered with what it looks at."""
        branches, marks, asked, watch = len(self.path.frames[-1].taken), self.marks(), self.asked, Watch()
        watch.begin(question.tensors, question.known)
        try:
            result = self.explore(callee, args, kwargs, before, question)
            if len(self.path.frames[-1].taken) == branches:
                self.remember(question, watch, marks, result)
                if marks.rounds != len(self.path.followed) and asked != self.asked:
                    self.has_loops.add(id(callee))
        finally:
            watch.end(question.tensors, question.known)
        return result

    def _recall_for_any(
        self, callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any], question: Question
    ) -> tuple[Any] | None:
        """What a call does that was made for other sizes before, and followed for whatever sizes."""

        def explore(given: tuple[Any, ...], named: dict[str, Any], asked: Question) -> Any:
            return self.explore(callee, given, named, (self.changes, self.containers.now()), asked)

        value = self.recall_another(question)
        # a loop over tiles has more cases whatever the sizes than it has here
        if value is not None or id(callee) in self.has_loops:
            return value
        if not self.memory.has_kept(question) and not self._is_of_round(question):
            return None
        found = self.general_of(callee, args, kwargs, explore, question)
        return None if found is None else self.recall_general(*found, question)

    def _is_of_round(self, question: Question) -> bool:
        """Whether the round of a loop makes a call for sizes of its own: begun again, it has other symbols for them."""
        numbers = {each.number for each in self.path.rounds}
        sizes = (size for known in question.known for size in known["sizes"] if isinstance(size, Dim))
        return bool(numbers) and any(not numbers.isdisjoint(size.symbols) for size in sizes)

    def _is_as(self, before: State) -> bool:
        """Whether a call did nothing but to return a value."""
        changes, contents = before
        return self.changes == changes and self.containers.are_as(contents)

    def explore(
        self,
        callee: Callee,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        before: State | None = None,
        question: Question | None = None,
    ) -> Any:
        """Run a module's forward, or a function, on every path through it and join them.

        Args:
            before: what there was before, if its code alone says what the call does.
            question: what the call can look at, if that is known.
        """
        self.layers.append(self.names.get(id(callee), self.layers[-1]))
        written: state.Written = {}
        try:
            saved = exploring.snapshot((*args, *kwargs.values()))
            groups = self._explore_again(callee, args, kwargs, written, saved, before, question)
            joined: list[Outcome] | None = None
            if len(groups) > 1 and before is not None and self._is_as(before) and not self.path.rounds:
                joined = self._alternatives(callee, (*args, *kwargs.values()), groups)
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
        self, callee: Callee, given: tuple[Any, ...], groups: list[exploring.Group]
    ) -> list[Outcome] | None:
        """What a call returned for some sizes each, noted for the caller's paths that go on with another of these."""
        if not self.path.frames:
            return None
        outcomes = [exploring.join(group, self._join_tensors) for group in groups]
        calls = [played(callee, outcome.domain, given, outcome.value) for outcome in outcomes]
        known = tuple(call for call in calls if call is not None)
        if len(known) == len(groups):
            self.path.frames[-1].calls[-1] = Alternatives(callee, known)
        return outcomes

    def _alternative(self, known: Alternatives) -> Played:
        return known.calls[exploring.choose_structure(self.path, len(known.calls))]

    def _explore_again(
        self,
        callee: Callee,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        written: state.Written,
        saved: exploring.Saved,
        before: State | None,
        question: Question | None,
    ) -> list[exploring.Group]:
        """All paths, from the beginning again whenever a loop among them needs another plan."""
        if question is None or before is None:
            return self._explore_all(callee, args, kwargs, written, saved, before)
        standing = self.standing(question, before[1])
        while True:
            try:
                return self._explore_all(callee, args, kwargs, written, saved, before)
            except Replan as change:
                if not self.go_back(change, standing):
                    raise
                exploring.restore(saved)

    def _explore_all(
        self,
        callee: Callee,
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
                outcome = self._run_once(callee, args, kwargs)
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

    def _calling(self, callee: Callee) -> Any:
        """What runs a callee: PyTorch's own call of a module, or the model's, where its class has another.

        Within the model, such a call is its caller's own code, and comes here by the module's call that it makes.
        """
        if type(callee) is FunctionType:
            return callee
        assert isinstance(callee, nn.Module)
        own = own_call(callee) if len(self.path.frames) == 1 else None
        return functools.partial(own or _original_call, callee)

    def _run_once(self, callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Outcome:
        self.runs += 1
        most = self.limits.paths_with_loops if self.path.follows_loops else self.limits.paths
        if self.runs > most:
            raise Undecided(f"the model has more than {most} runs of modules to explore")
        if time.monotonic() > self.deadline:
            self._take_too_long()
        depth, rounds, lists = len(self.layers), len(self.path.rounds), frozenset(self.path.comprehensions)
        try:
            value = self._calling(callee)(*args, **kwargs)
        except (TooComplex, isl.Error) as reason:
            raise Undecided(f"the sets of sizes became too complex ({reason})") from reason
        except Exception as error:
            self.note_error(error)
            if self.path.counts.limits:
                self.path.counts.raised(_told(error))
            self.path.check_certain(rounds, error)
            self.path.abandon(rounds)
            self.path.forget_lists(lists)
            return Outcome(self.path.domain, None, error)
        finally:
            del self.layers[depth:]
        if len(self.path.rounds) > rounds:
            self.path.rounds[-1].left()
        if self.path.comprehensions:
            check_joined(self.path, lists)
        if self.path.keys.kept:
            self.path.keys.check()
        return Outcome(self.path.domain, value)

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
                self.refuse_handlers("{!r} is raised", places.first_line(outcome.error))
                self._accept(outcome.error)
            elif self.path.counts.limits and not _is_deliberate(outcome.error):
                raise Undecided(
                    f"whether the model runs depends on the contents of the tensors: {_told(outcome.error)}"
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
            # what a rule refuses is no suspect, nor is what torch says of plain numbers
            errors = ((failure, failure.error) for failure in found)
            self.suspects += [failure for failure, error in errors if error is not None and not is_certain(error)]

    def write_attribute(self, module: nn.Module, name: str, value: Any) -> None:
        """A model that sets attributes in forward gets them back as they were."""
        self.note_attribute(module, name)
        if type(value) is dict:
            self.path.keys.note_table(value)
        state.write((module, name), value)
        self.containers.add(value)

    def note_attribute(self, module: nn.Module, name: str) -> None:
        """Write down an attribute's value before it changes."""
        self.changes += 1
        held = state.read((module, name))
        self.overwritten.append(((module, name), held))
        if self.path.frames:
            self.path.frames[-1].written.setdefault((module, name), held)

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


# --- small things ------------------------------------------------------------------------------------------


def _told(error: Exception) -> str:
    """An exception, with the line of the user's code that it comes from."""
    place = places.origin(error)[0]
    location = None if place is None else place.location()
    text = f"{type(error).__name__}: {places.first_line(error)}"
    return text if location is None else f"{text} (at {Path(location.path).name}:{location.line})"


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
