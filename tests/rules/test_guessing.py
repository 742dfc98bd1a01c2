"""A verdict that follows from inputs nobody declared is none."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

import shapelint
from shapelint.diagnostics import Severity
from shapelint.limits import Limits
from shapelint.rules.context import Fault
from shapelint.rules.guessing import _counts_sizes
from shapelint.sizes import SizeSet, TooComplex


class Concatenating(nn.Module):
    """Made for a skip of twice the size, with channels of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.conv = nn.Conv2d(24, 16, 3, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.conv(torch.cat([self.up(x), skip], 1))


class Adding(nn.Module):
    """Made for a skip of twice the size; one of a single row and column is broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(16, 16, 2, stride=2)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.up(x) + skip


class Conditioned(nn.Module):
    """Made for tensors of different channels."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, 1)
        self.second = nn.Conv2d(3, 8, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        return self.first(x) + self.second(condition)


class Mixed(nn.Module):
    """Wrong whatever it is given: what comes out of one layer does not go into the next."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.b = nn.Conv2d(16, 8, 3)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.b(self.a(x)) + self.b(self.a(y))


class Uneven(nn.Module):
    """Wrong at every size but the smallest, where it broadcasts, whatever the other tensor is."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 4, stride=2)
        self.pad = nn.ZeroPad2d(1)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.down(x) + self.down(self.pad(x)), y


class Merging(nn.Module):
    """Wrong at every size but one that is rare, whatever the other tensor is."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.up = nn.ConvTranspose2d(8, 3, 3, stride=2, padding=1)

    def forward(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.cat([x, self.up(self.down(x)).flip(1)], 1), y


class Timed(nn.Module):
    """Wrong, and its second input is no feature map."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 8, 3)
        self.b = nn.Conv2d(16, 8, 3)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return self.b(self.a(x)) * t[:, None, None, None]


@pytest.mark.parametrize("model", [Concatenating(), Adding(), Conditioned()], ids=lambda m: type(m).__name__)
def test_what_other_inputs_would_cure_is_a_remark(model: nn.Module) -> None:
    found = shapelint.analyze(model).diagnostics
    assert {finding.severity for finding in found} == {Severity.NOTE}
    (remark,) = (finding for finding in found if "assumed inputs: say with --input" in finding.message)
    assert remark.fixes == ()


def test_what_is_declared_is_judged() -> None:
    found = shapelint.analyze(Conditioned(), [("N", "C", "H", "W"), ("N", "C", "H", "W")]).diagnostics
    assert {(finding.code, finding.severity) for finding in found} == {("SL402", Severity.ERROR)}
    right = [("N", 16, "H", "W"), ("N", 16, "2*H", "2*W")]
    assert shapelint.analyze(Adding(), right).diagnostics == ()


@pytest.mark.parametrize(
    ("model", "code"),
    [(Mixed(), "SL402"), (Uneven(), "SL202"), (Merging(), "SL101"), (Timed(), "SL402")],
    ids=lambda value: type(value).__name__,
)
def test_what_no_inputs_would_cure_stands(model: nn.Module, code: str) -> None:
    found = shapelint.analyze(model).diagnostics
    assert code in [finding.code for finding in found if finding.severity is not Severity.NOTE]


def test_what_the_model_is_to_blame_for_is_not_put_down_to_its_inputs_too() -> None:
    # Timed mixes up 8 and 16 channels, whatever it is given
    assert [finding.code for finding in shapelint.analyze(Timed()).diagnostics] == ["SL402"]


@pytest.mark.parametrize(("arrives", "doubtful"), [("N*C", True), (16, False)])
def test_channels_that_an_assumed_size_counts_say_nothing(arrives: object, doubtful: bool) -> None:
    failure = SimpleNamespace(reason="the input has {} channels, the layer expects {}", arguments=(arrives, 8))
    fault = Fault("channels", sizes=None, example={}, failures=(failure,))  # type: ignore[arg-type]
    assert _counts_sizes(fault) is doubtful


class Positions(nn.Module):
    """Tokens of 32 features each; at a batch of one, or of as many as there are tokens, a plain matrix is broadcast."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(16, 32)
        self.head = nn.Linear(32, 32)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x + self.table(torch.arange(x.shape[1])).unsqueeze(0))


def test_inputs_whose_batch_meets_another_size_are_not_taken_where_others_run() -> None:
    analysis = shapelint.analyze(Positions())
    assert len(analysis.input_shape) == 3
    assert all(finding.severity is Severity.NOTE for finding in analysis.diagnostics)


def test_where_nothing_ran_and_nothing_could_be_followed_the_inputs_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shapelint.enumerating.REACH", 4)  # there is time for so many sizes

    class Reading(nn.Module):
        def forward(self, x: Tensor, names: list[str]) -> Tensor:
            return x[: int(x.sum())] + names.index("a")

    analysis = shapelint.analyze(Reading())
    assert analysis.certainty == "enumerated"
    (finding,) = analysis.diagnostics
    assert (finding.code, finding.severity, finding.assumed) == ("SL904", Severity.NOTE, True)
    assert "with the inputs that were assumed: (N, C, H, W), (N, C, H, W)" in finding.message
    assert finding.why.startswith("a run of it raised TypeError: Tensor.index() missing 1 required positional argument")
    assert analysis.summary().startswith(
        "Reading: not judged, it does not run with the inputs that were assumed: (N, C"
    )
    hurried = shapelint.analyze(Reading(), limits=Limits(enumeration_seconds=1e-9))
    (finding,) = hurried.diagnostics
    assert finding.message.startswith("Reading was not seen to run in the time there was, with the inputs that were ")
    assert hurried.summary().startswith("Reading: not judged, it was not seen to run in the time there was, with the ")


def test_sizes_that_are_too_complex_to_be_judged_cost_the_verdict_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_complex(context: object) -> None:
        raise TooComplex("a set of sizes became too complex")

    monkeypatch.setattr("shapelint.rules.context.expected_sizes", lambda *_: too_complex(None))
    monkeypatch.setattr(SizeSet, "__str__", too_complex)
    analysis = shapelint.analyze(nn.Conv2d(3, 4, 3, stride=2))
    (finding,) = analysis.diagnostics
    assert (finding.code, finding.severity) == ("SL905", Severity.NOTE)
    assert finding.message == "Conv2d is not judged: a set of sizes became too complex"
    assert analysis.summary() == "Conv2d: the sizes that run are too complex for a sentence; proven"
    assert analysis.accepts(H=5, W=5)


class Projected(nn.Module):
    """Takes four tokens of 16 features; of a single token it would make four."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4, 8, 16))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bvd,vcd->bvc", x[:, :4], self.weight)


def test_a_broadcast_at_some_numbers_of_channels_is_no_matter_of_the_size() -> None:
    analysis = shapelint.analyze(Projected())
    assert analysis.accepts(C=1, T=16)
    assert analysis.accepts(C=9, T=16)
    assert [finding.code for finding in analysis.diagnostics] == ["SL303"]


class Joining(nn.Module):
    """A decoder block, made for a skip of twice the size: of one of its own size it takes 1 x 1 alone."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(3, 3, 3, stride=2, padding=1)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return torch.cat([self.up(x), skip], 1)


def test_that_a_guess_leaves_few_sizes_is_told_as_one() -> None:
    (finding,) = shapelint.analyze(Joining()).diagnostics
    assert (finding.code, finding.assumed) == ("SL303", True)
    assert finding.message.endswith("(with assumed inputs: say with --input what they are)")
    (declared,) = shapelint.analyze(Joining(), [("N", 3, "H", "W"), ("N", 3, "H", "W")]).diagnostics
    assert (declared.code, declared.assumed) == ("SL303", False)


def test_channels_that_are_refused_are_no_mismatch_of_what_is_broadcast() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(3))

        def forward(self, x: Tensor) -> Tensor:
            assert x.dim() == 4
            assert x.shape[1] % 32 == 0
            return x * self.scale.view(1, -1, 1, 1)

    (finding,) = shapelint.analyze(Scaled()).diagnostics
    assert (finding.code, finding.severity) == ("SL904", Severity.NOTE)


class Disagreeing(nn.Module):
    """A U-Net whose decoder expects half the channels that it gets: with a single image, rows would be joined."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 8, 3, padding=1)
        self.up = nn.Sequential(nn.MaxPool2d(2), nn.ConvTranspose2d(8, 8, 2, stride=2))
        self.join = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)
        return self.join(torch.cat([self.up(y), y], 1))


class OfColours(Disagreeing):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.float() if x.shape[1] == 3 else x)


class AtTimes(Disagreeing):
    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        return super().forward(x) * t[:, None, None, None]


@pytest.mark.parametrize(
    ("model", "summary"),
    [
        (Disagreeing, "Disagreeing: no sizes run; proven"),
        (OfColours, "OfColours: no sizes run; proven"),
        (AtTimes, "AtTimes: no sizes run (SL402), with the inputs that were assumed: (N, C, H, W), (N,)"),
    ],
)
def test_layers_at_odds_are_no_reason_to_assume_a_single_image(model: type[nn.Module], summary: str) -> None:
    analysis = shapelint.analyze(model())
    assert [d.message for d in analysis.diagnostics if d.code == "SL402"] == ["`join` gets 16 channels, and expects 8"]
    assert analysis.summary() == summary
