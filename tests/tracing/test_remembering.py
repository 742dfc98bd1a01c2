"""Calls that ask what was asked before are not made again; what they then give is what PyTorch would."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import shapelint
from shapelint.limits import Limits
from shapelint.ops.layout import placed_in
from shapelint.ops.placement import Layout
from shapelint.sizes import Domain
from shapelint.sizes.dim import dim
from shapelint.tracing.exploring import ExploringPath
from shapelint.tracing.loops.rounds import Plan, Round
from shapelint.tracing.remembering import Memory, Question, Remembered, ask, pattern_of
from shapelint.tracing.tensor import SymbolicTensor, symbolic_tensor
from shapelint.tracing.tracer import trace
from tests import oracle, part_grammar
from tests.test_random_loops import QUICK, load

SEEDS = (*range(40), 193, 1272, 6040)
"""Two of the last refuse in their last rounds, which begin otherwise than the first; one keeps what it hands on."""
PROGRAMS = [(seed, part_grammar.CALLS) for seed in SEEDS] + [(seed, part_grammar.LOOKS) for seed in range(20)]


@pytest.mark.parametrize(("seed", "calls"), PROGRAMS, ids=lambda v: str(v) if type(v) is int else str(len(v)))
def test_a_random_loop_over_parts_is_as_pytorch_has_it(
    seed: int, calls: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the parts are small, and all of their calls shall be remembered
    monkeypatch.setattr("shapelint.tracing.recalling.MANY_PARTS", 0)
    source = part_grammar.source(seed, calls)
    model = load(tmp_path / f"parts_{seed}_{len(calls)}.py", source).Model().eval()
    analysis = shapelint.analyze(model, ("N", "T", 4), limits=QUICK)
    if analysis.certainty != "proven":
        assert analysis.certainty_reasons
        return
    for n, t in [(2, t) for t in range(1, 17)] + [(3, t) for t in (1, 2, 5)]:
        result = oracle.run(model, (n, t, 4), device="cpu", fresh=True)
        assert oracle.compare(analysis, result, {"N": n, "T": t}) is None, source


CALLS: list[str] = []


class Part(nn.Module):
    """A part of many parts that notes its calls where nothing sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Conv1d(2, 2, 1) for _ in range(14)))

    def note(self) -> None:
        CALLS.append(type(self).__name__)


class Encoder(Part):
    def forward(self, x: Tensor) -> Tensor:
        self.note()
        return self.layers(x)


class Causal(Part):
    """Keeps its last two columns in its caller's list."""

    def forward(self, x: Tensor, cache: list[Any], at: list[int]) -> Tensor:
        self.note()
        before = cache[at[0]]
        cache[at[0]] = x[..., -2:]
        at[0] += 1
        return self.layers(x if before is None else torch.cat([before, x], -1))


class Tiled(nn.Module):
    """Works on tiles of four columns, and on what is left of them, in two loops one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(), Encoder()

    def forward(self, x: Tensor) -> Tensor:
        for part in (self.encoder, self.decoder):
            tiles = []
            for at in range(0, x.shape[-1], 4):
                tiles.append(part(x[..., at : at + 4]))
            x = torch.cat(tiles, -1)
        return x


class Chunked(nn.Module):
    """Works on chunks of two columns with what the chunk before has left, between layers that it needs once."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.causal = Encoder(), Causal()
        self.kept: list[Any] = []

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        self.kept = [None]
        out = None
        for t in range(x.shape[-1] // 2):
            y = self.causal(x[..., 2 * t : 2 * t + 2], self.kept, [0])
            out = y if out is None else torch.cat([out, y], -1)
        return x if out is None else self.encoder(x), self.kept[0] if out is None else out


@pytest.mark.parametrize(
    ("network", "most"), [(Tiled, {"Encoder": 3}), (Chunked, {"Encoder": 3, "Causal": 2})], ids=lambda v: str(v)[-20:]
)
def test_what_is_asked_again_is_not_walked_through_again(network: type[nn.Module], most: dict[str, int]) -> None:
    CALLS.clear()
    analysis = shapelint.analyze(network(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    assert {name: CALLS.count(name) for name in most} == most
    asked = oracle.Oracle(network, ("N", 2, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 24)])


def test_the_graph_holds_what_was_followed_before_the_last_start() -> None:
    analysis = shapelint.analyze(Tiled(), ("N", 2, "T"))
    trace = analysis.trace
    assert trace is not None
    layers = {call.layer for call in trace.calls if call.kind == "module"}
    assert {"encoder.layers.0", "decoder.layers.13"} <= layers
    made = {id(output) for call in trace.calls for output in call.outputs}
    inner = [call for call in trace.calls if call.layer == "encoder.layers.0"]
    assert all(id(call.arguments[1]) in made for call in inner)
    assert len({call.index for call in trace.calls}) == len(trace.calls)


class Refusing(Part):
    """Needs three columns."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(2, 2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(self.first(x))


class RefusingTiles(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.refusing = Refusing()

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(2):
            tiles = []
            for at in range(0, x.shape[-1], 6):
                tiles.append(self.refusing(x[..., at : at + 6]))
            x = torch.cat(tiles, -1)
        return x


def test_sizes_that_are_refused_again_are_told_again() -> None:
    analysis = shapelint.analyze(RefusingTiles(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(RefusingTiles, ("N", 2, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 40)])
    assert all(analysis.accepts(T=t) or analysis.why_not(T=t) is not None for t in range(1, 40))


class Kept(nn.Module):
    """Fills a list of its own, and branches later."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.new_zeros(1, 2, len(self.seen) + 3))
        if x.shape[-1] > 10:
            x = x[..., :10]
        return torch.cat([x, *self.seen], -1)


class Putting(nn.Module):
    """Puts what it gets into its model's list, in the place of what is there."""

    def __init__(self, box: list[Any]) -> None:
        super().__init__()
        self.box = box

    def forward(self, x: Tensor) -> Tensor:
        self.box[0] = x[..., 1:]
        return x + 1


class Replaced(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.box: list[Any] = [None]
        self.putting = Putting(self.box)

    def forward(self, x: Tensor) -> Tensor:
        self.box[0] = x
        y = self.putting(x)
        return torch.cat([y[..., :10], self.box[0]], -1) if x.shape[-1] > 10 else torch.cat([self.box[0], y], -1)


class PutByParts(nn.Module):
    """A part that branches leaves something in its model's dict."""

    def __init__(self) -> None:
        super().__init__()
        self.box: dict[str, Any] = {}
        self.inner = Filling(self.box)

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        return torch.cat([y, self.box["last"]], -1)


class Filling(nn.Module):
    def __init__(self, box: dict[str, Any]) -> None:
        super().__init__()
        self.box = box

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 10:
            self.box["last"] = x[..., 3:]
            return x * 2
        self.box["last"] = torch.cat([x, x], -1)
        return x + 2


class ChangedInput(nn.Module):
    """Changes the shape of its own input in place, before a loop that needs a second look."""

    def forward(self, x: Tensor) -> Tensor:
        x.unsqueeze_(0)
        x = x.sum(0)
        last = None
        for t in range(x.shape[-1]):
            y = x[..., t : t + 1]
            last = y if last is None else torch.cat([last, y], -1)
        return x if last is None else last


@pytest.mark.parametrize("network", [Kept, Replaced, PutByParts, ChangedInput], ids=lambda n: n.__name__)
def test_each_path_starts_from_what_the_model_held(network: type[nn.Module]) -> None:
    model = network()
    analysis = shapelint.analyze(model, ("N", 2, "T"), limits=QUICK)
    assert analysis.certainty == "proven", analysis.certainty_reasons
    for t in (1, 2, 3, 9, 10, 11, 12, 25):
        result = oracle.run(network(), (1, 2, t), device="cpu")
        assert oracle.compare(analysis, result, {"N": 1, "T": t}) is None, t


class Peeking(Part):
    """Keeps its last column and the whole of what it got, and looks in some way at what was kept before."""

    def __init__(self, peek: Callable[[Any, Tensor], int]) -> None:
        super().__init__()
        self.measuring, self.peek = Measuring(), peek

    def forward(self, x: Tensor, kept: dict[str, Tensor] | None) -> tuple[Tensor, dict[str, Tensor]]:
        self.note()
        y = self.layers(x)
        if kept is not None:
            columns = self.peek(self, kept["whole"])
            y = torch.cat([kept["last"], y, y.new_zeros(y.shape[0], y.shape[1], columns)], -1)
        return y, {"last": x[..., -1:] * 1, "whole": x}


class Measuring(Part):
    def forward(self, x: Tensor) -> Tensor:
        self.note()
        return self.layers(x)


class Chunks(nn.Module):
    """Chunks of two columns, the first of which has one more if their number is odd; as tensors that differ more.

    Attributes:
        made: what a chunk is made of its columns, if it is the first, and if it is a later one.
    """

    def __init__(self, peek: Callable[[Any, Tensor], int], *made: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.part, self.made = Peeking(peek), made

    def forward(self, x: Tensor) -> Tensor:
        rest, kept, outs = x.shape[-1] % 2, None, []
        for i in range(x.shape[-1] // 2):
            chunk = x[..., 2 * i + (0 if i == 0 else rest) : 2 * i + 2 + rest]
            y, new = self.part(chunk * 1, kept)
            kept = {**new, "whole": (self.made[0] if i == 0 else self.made[-1])(chunk)}
            outs.append(y)
        return torch.cat(outs, -1)


def _asked_before(part: Any, kept: Tensor) -> int:
    """By an inner call that has been made before."""
    return part.measuring(kept).shape[-1]


def _same(chunk: Tensor) -> Tensor:
    return chunk


def _wide(chunk: Tensor) -> Tensor:
    return torch.cat([chunk, chunk], -1)[..., :2]


def _dtype(part: Any, kept: Tensor) -> int:
    return 3 if kept.dtype is torch.float64 else 1


PEEKS: dict[str, tuple[Any, ...]] = {
    "not at all": (lambda part, kept: 1, _same),
    "shape": (lambda part, kept: kept.shape[-1], _same),
    "size": (lambda part, kept: kept.size(2), _same),
    "numel": (lambda part, kept: kept.numel() // kept.shape[0], _same),
    "rows": (lambda part, kept: len(kept[0, 0]), _same),
    "operation": (lambda part, kept: torch.relu(kept).shape[-1], _same),
    "dimensions": (lambda part, kept: kept.dim(), lambda chunk: chunk[None], _same),
    "dtype": (_dtype, lambda chunk: chunk[..., :2].double(), lambda chunk: chunk[..., :2].float()),
    "inner call": (_asked_before, _same),
    "strides": (lambda part, kept: kept.stride(1), _wide),
    "strides of a piece": (lambda part, kept: kept[..., 1:].stride(1), _wide),
    "in memory": (lambda part, kept: 3 if kept.is_contiguous() else 1, _wide, lambda chunk: chunk[..., :2] * 1),
}


@pytest.mark.parametrize("peek", PEEKS)
def test_what_a_call_looks_at_makes_it_another_one(peek: str) -> None:
    analysis = shapelint.analyze(Chunks(*PEEKS[peek]), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(lambda: Chunks(*PEEKS[peek]), ("N", 2, "T"), device="cpu")
    assert not oracle.same_answer(analysis, asked, [{"N": n, "T": t} for n in (1, 2) for t in range(1, 12)])


def test_what_a_call_does_not_look_at_makes_it_no_other() -> None:
    counts = {}
    for peek in ("not at all", "shape"):
        CALLS.clear()
        shapelint.analyze(Chunks(*PEEKS[peek]), ("N", 2, "T"))
        counts[peek] = CALLS.count("Peeking")
    assert counts == {"not at all": 2, "shape": 3}


class Returning(Part):
    """Gives back a piece of what it was given, and does not look how it lies."""

    def forward(self, x: Tensor) -> Tensor:
        return x[..., :1]


class AskedLater(nn.Module):
    """How what a call returns lies in memory is asked by its caller."""

    def __init__(self) -> None:
        super().__init__()
        self.returning = Returning()

    def forward(self, x: Tensor) -> Tensor:
        rest, outs = x.shape[-1] % 2, []
        for i in range(x.shape[-1] // 2):
            chunk = x[..., 2 * i + (0 if i == 0 else rest) : 2 * i + 2 + rest]
            piece = self.returning(torch.cat([chunk, chunk], -1)[..., :2])
            outs.append(x.new_zeros(x.shape[0], 2, piece.stride(1)))
        return torch.cat(outs, -1)


class AskedWithin(nn.Module):
    """A part asks its own part, which has been asked before, of what it does not look at itself."""

    def __init__(self) -> None:
        super().__init__()
        self.peeking = Peeking(_asked_before)

    def forward(self, x: Tensor) -> Tensor:
        rest, outs, kept = x.shape[-1] % 2, [], None
        for i in range(x.shape[-1] // 2):
            chunk = x[..., 2 * i + (0 if i == 0 else rest) : 2 * i + 2 + rest] * 1
            if kept is not None:
                self.peeking.measuring(kept["whole"])
            y, new = self.peeking(chunk, kept)
            kept = {**new, "whole": chunk}
            outs.append(y)
        return torch.cat(outs, -1)


@pytest.mark.parametrize("network", [AskedLater, AskedWithin], ids=lambda n: n.__name__)
def test_what_others_look_at_for_a_call_makes_it_another_one(network: type[nn.Module]) -> None:
    analysis = shapelint.analyze(network(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(network, ("N", 2, "T"), device="cpu")
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 12)])


class RefusedOnBothSides(nn.Module):
    """Branches on H, and on both sides asks a layer for the same columns, which it needs three of."""

    def __init__(self) -> None:
        super().__init__()
        self.refusing = Refusing()

    def forward(self, x: Tensor) -> Tensor:
        rows = None
        for t in range(x.shape[2]):
            row = x[:, :, t : t + 1]
            rows = row if rows is None else torch.cat([rows, row], 2)
        first = x[:, :, 0].contiguous()  # a view would tell of H by its strides
        if rows is not None and x.shape[2] > 8:
            return torch.cat([self.refusing(first), first], -1)
        return self.refusing(first)


def test_what_one_side_of_a_branch_refuses_the_other_refuses_too() -> None:
    analysis = shapelint.analyze(RefusedOnBothSides(), ("N", 2, "H", "W"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(RefusedOnBothSides, ("N", 2, "H", "W"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "H": h, "W": w} for h in (1, 8, 9) for w in range(1, 6)])


class ChangedLater(nn.Module):
    """Asks the same twice, and gives the first answer another shape in place."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()

    def forward(self, x: Tensor) -> Tensor:
        last = None
        for t in range(x.shape[-1]):
            last = x[..., t : t + 1] if last is None else torch.cat([last, x[..., t : t + 1]], -1)
        first = self.encoder(x)
        kept = first.unsqueeze_(0)
        second = self.encoder(x)
        third = self.encoder(x)
        third.unsqueeze_(-1)
        return torch.cat([kept, first], 0), second, third


def test_answers_to_the_same_question_are_tensors_of_their_own() -> None:
    analysis = shapelint.analyze(ChangedLater(), ("N", 2, "T"))
    assert analysis.certainty == "proven", analysis.certainty_reasons
    asked = oracle.Oracle(ChangedLater, ("N", 2, "T"))
    assert not oracle.same_answer(analysis, asked, [{"N": 1, "T": t} for t in range(1, 6)])


class FillingItsArgument(nn.Module):
    """Fills the list that it is given, and then needs a second look at a loop."""

    def forward(self, x: Tensor, kept: list[Tensor]) -> Tensor:
        kept.append(x)
        last = None
        for t in range(x.shape[-1]):
            last = x[..., t : t + 1] if last is None else torch.cat([last, x[..., t : t + 1]], -1)
        return torch.cat(kept, 1)


def test_the_lists_among_the_inputs_are_given_back_before_a_new_start() -> None:
    kept: list[Tensor] = []
    found = trace(FillingItsArgument(), [symbolic_tensor((1, 2, dim("T")), torch.float32), kept], {}, SIZES)
    assert [list(value.sizes)[:2] for _, value in found.outcomes] == [[1, 2]]


SIZES = Domain.positive(["T", "S"])


def _tensor(*sizes: Any) -> SymbolicTensor:
    return symbolic_tensor(sizes, torch.float32)


MODULE = nn.Identity()


def _key(*given: Any, around: Any = ()) -> Any:
    question = ask(MODULE, given, around)
    assert question is not None
    return question.key, question.seen(_everything(question))


def _everything(question: Question) -> tuple[tuple[int, bool], ...]:
    return tuple((at, True) for at in range(len(question.tensors)))


def test_equal_sizes_are_the_same_question() -> None:
    assert _key(_tensor(1, dim("T")), [None, 3], {"a": dim("T") + 1}) == _key(
        _tensor(1, dim("T")), [None, 3], {"a": dim("T") + 1}
    )


x, y = _tensor(1, dim("T")), _tensor(1, dim("T"))
a_list, another = [x], [x]
strided = _tensor(1, dim("T"))
strided.strided = placed_in(strided.sizes, (1, 0))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((x, x), (x, y)),
        (([x], [x]), ([x], [y])),
        ((a_list, a_list), (a_list, another)),
        ((x,), (strided,)),
        ((x,), (_tensor(1, dim("S")),)),
        ((x,), (symbolic_tensor((1, dim("T")), torch.float64),)),
        ((1,), (True,)),
        ((1,), (1.0,)),
        (([],), ((),)),
        (({"a": 1, "b": 2},), ({"b": 2, "a": 1},)),
        (({"a": None},), ({"b": None},)),
        ((nn.Parameter(torch.zeros(2)),), (nn.Parameter(torch.zeros(2)),)),
        ((nn.Identity(),), (nn.Identity(),)),
    ],
    ids=str,
)
def test_what_a_call_could_tell_apart_is_another_question(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    assert _key(*one) != _key(*other)
    assert _key(around=one) != _key(around=other)
    assert _key(*one) == _key(*one)


def test_whether_the_order_in_memory_is_known_beforehand_is_part_of_a_shape() -> None:
    # an operation that keeps to the order then asks no further
    questions = []
    for in_order in (True, False):
        tensor = _tensor(1, dim("T"))
        tensor.strided = Layout(lambda: None, in_order=in_order)
        questions.append(ask(MODULE, (tensor,), ()))
    one, other = (question.seen(((0, False),)) for question in questions if question is not None)
    assert one != other


def _with_contents() -> SymbolicTensor:
    tensor = symbolic_tensor((2,), torch.int64)
    tensor.value = [dim("T"), 3]
    return tensor


@pytest.mark.parametrize("unknown", [object(), _with_contents(), {1.5: 2}, iter([]), lambda: None])
def test_what_cannot_be_compared_is_never_the_same(unknown: Any) -> None:
    assert ask(MODULE, (unknown,), ()) is None
    assert ask(MODULE, ([unknown],), ()) is None
    assert ask(MODULE, (), ((0, "name", unknown),)) is None


def test_a_tensor_changed_in_place_is_seen() -> None:
    tensor = _tensor(1, dim("T"))
    question = ask(MODULE, ([tensor],), ())
    assert question is not None
    assert question.tensors_are_as_before()
    tensor.sizes = (1, 1, dim("T"))
    assert not question.tensors_are_as_before()


def test_what_a_call_has_changed_can_be_taken_back() -> None:
    tensor, items = _tensor(1, dim("T")), [3]
    question = ask(MODULE, (tensor, items), ())
    assert question is not None
    tensor.sizes, tensor.value = (1, 1, dim("T")), 7
    items.append(4)
    question.restore()
    assert tensor.sizes == (1, dim("T"))
    assert tensor.value is None
    assert items == [3]
    assert question.tensors_are_as_before()


def _remembered(question: Question, value: Any, rounds: tuple[Round, ...] = ()) -> Remembered:
    pattern = pattern_of(question, value)
    assert pattern is not None
    looks = tuple((at, known["strided"] is not None) for at, known in enumerate(question.known))
    symbols = question.symbols_of(looks)
    return Remembered(
        question, looks, symbols, SIZES, SIZES.project(symbols), None, *pattern, [], [], [], rounds, [], []
    )


def test_what_is_handed_out_is_in_terms_of_the_one_who_asks() -> None:
    first, cache, memory = _tensor(1, dim("T")), [None, 0], Memory()
    memory.start()
    before = ask(MODULE, (first, cache), ())
    assert before is not None
    made = _tensor(2, dim("T"))
    cache[:] = [made, first, cache, 7]
    call = _remembered(before, (made, first, cache, [made]))
    memory.keep(call)

    again, other = _tensor(1, dim("T")), [None, 0]
    question = ask(MODULE, (again, other), ())
    assert question is not None
    assert memory.find(question, SIZES) is call
    values = [made]
    for _ in range(2):
        other[:] = [None, 0]
        new, same, container, inner = memory.value_of(call, question)
        assert same is again
        assert container is other
        assert [type(item) for item in other] == [SymbolicTensor, SymbolicTensor, list, int]
        assert other[0] is new
        assert inner[0] is new
        assert other[1] is again
        assert other[2] is other
        assert new.sizes == made.sizes
        values.append(new)
    # whoever made the call goes on with what it returned
    assert len({id(value) for value in values}) == 3


def test_a_call_with_a_loop_holds_until_the_loop_has_another_plan() -> None:
    memory = Memory()
    memory.start()
    question = ask(MODULE, (_tensor(1, dim("T")),), ())
    assert question is not None
    site, elsewhere = (_tensor.__code__, 2, 0), (_tensor.__code__, 4, 0)
    frame = sys._getframe()
    current = Round(site, Plan(), ExploringPath(SIZES, Limits(), _nothing, _nothing), frame, "t#1", dim("T"), dim("T"))
    memory.keep(_remembered(question, None, (current,)))
    memory.start()
    memory.forget(elsewhere)
    assert memory.find(question, SIZES) is not None
    memory.forget(site)
    assert memory.find(question, SIZES) is None


def _nothing(*_: Any) -> None:
    return None


def test_what_was_told_since_is_told_again_after_going_back() -> None:
    memory = Memory()
    memory.start()
    first, second = ask(MODULE, (_tensor(1, dim("T")),), ()), ask(MODULE, (_tensor(2, dim("T")),), ())
    assert first is not None
    assert second is not None
    memory.keep(_remembered(first, _tensor(1)))
    told, handed_out = len(memory.told), len(memory.handed_out)
    later = _remembered(second, _tensor(2))
    memory.keep(later)
    assert memory.go_back(told, handed_out) == [later]
    assert [call.told_in == memory.run for call in (memory.told[0], later)] == [True, False]
    assert len(memory.handed_out) == handed_out
    assert memory.find(second, SIZES) is later


def test_other_sizes_that_are_possible_are_another_matter() -> None:
    memory = Memory()
    memory.start()
    question = ask(MODULE, (_tensor(1, dim("T")),), ())
    assert question is not None
    few = SIZES.restrict(dim("T") <= 5)
    call = _remembered(question, None)
    call.start, call.sizes = few, few.project(["T"])
    memory.keep(call)
    assert memory.find(question, SIZES) is None
    assert memory.find(question, SIZES.restrict(dim("T") <= 4).restrict(dim("S") <= 3)) is call
