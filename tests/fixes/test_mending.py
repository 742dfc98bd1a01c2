"""Fixes are tried on the model before they are offered, leave it as it was, and do what they say."""

from __future__ import annotations

import copy
import pickle
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from torch import nn

import shapelint
from shapelint.diagnostics import Applicability, Diagnostic, Severity
from shapelint.fixes import ProposedFix
from shapelint.linting import lint

SIZES = range(1, 70)


class AutoEncoder(nn.Module):
    """Two strided convolutions and their transposed twins."""

    def __init__(self, kernel_size: int = 3, stride: int = 2, padding: int = 1, output_padding: int = 0) -> None:
        super().__init__()
        self.down1 = nn.Conv2d(1, 1, kernel_size, stride, padding)
        self.down2 = nn.Conv2d(1, 1, kernel_size, stride, padding)
        self.up2 = nn.ConvTranspose2d(1, 1, kernel_size, stride, padding, output_padding)
        self.up1 = nn.ConvTranspose2d(1, 1, kernel_size, stride, padding, output_padding)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.down1(x)
        x = self.down2(x)
        x = self.up2(x)
        return self.up1(x)


def findings(model: nn.Module, sizes: Any = None, inputs: Any = ("N", 1, "H", "W")) -> tuple[Diagnostic, ...]:
    return tuple(d for d in shapelint.analyze(model, inputs, sizes).diagnostics if d.severity.value != "note")


def returned(model: nn.Module, size: int) -> int | None:
    try:
        with torch.no_grad():
            return int(model(torch.zeros(1, 1, size, size)).shape[-1])
    except RuntimeError:
        return None


def test_both_fixes_output_padding_first() -> None:
    first, second = findings(AutoEncoder())
    for finding in (first, second):
        parameter, size = finding.fixes
        assert parameter.description.startswith("output_padding=1")
        assert parameter.applicability is Applicability.UNSAFE
        assert size.description.startswith("output_size=skip.shape[-2:]")
        assert size.applicability is Applicability.SAFE
        assert parameter.verified
        assert size.verified
    assert "together with the same for `up1`" in first.fixes[0].description
    assert "multiples of 4 come back as they were (1 more than a multiple of 4" in first.fixes[0].description
    assert "every size serves" in first.fixes[1].description


def test_declared_sizes_make_output_padding_safe() -> None:
    (first, *_) = findings(AutoEncoder(), "64x64")
    assert first.fixes[0].applicability is Applicability.SAFE


def test_the_model_is_left_as_it_was() -> None:
    model = AutoEncoder()
    before = repr(model)
    children = dict(model.named_modules())
    findings(model)
    assert repr(model) == before
    assert dict(model.named_modules()) == children


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(3, 2, 1), (5, 2, 2), (4, 3, 1), (3, 3, 0), (7, 2, 3), (5, 3, 1), (2, 2, 0)]
)
def test_what_a_fix_promises_is_what_torch_does(kernel: int, stride: int, padding: int) -> None:
    model = AutoEncoder(kernel, stride, padding)
    for finding in findings(model):
        for fix in finding.fixes:
            assert isinstance(fix, ProposedFix)
            if any(amendment.value is None for amendment in fix.amendments):
                continue
            mended = copy.deepcopy(model)
            for amendment in fix.amendments:
                setattr(mended.get_submodule(amendment.layer), amendment.attribute, amendment.value)
            right = {size for size in SIZES if returned(mended, size) == size}
            expected = [size for size in SIZES if size % stride**2 == 0 and returned(model, size) is not None]
            assert set(expected) <= right


def test_fixes_are_plain_data() -> None:
    found = findings(AutoEncoder())
    assert pickle.loads(pickle.dumps(found)) == found
    size = found[0].fixes[1]
    assert isinstance(size, ProposedFix)
    assert [(a.layer, a.attribute, a.value, a.like) for a in size.amendments] == [
        ("up2", "output_size", None, "down2"), ("up1", "output_size", None, "down1"),
    ]  # fmt: skip


def test_padding_where_no_output_padding_serves() -> None:
    class Unpadded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(1, 1, 5, stride=2)
            self.up = nn.ConvTranspose2d(1, 1, 2, stride=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.up(self.down(x))], 1)

    (finding,) = findings(Unpadded())
    assert finding.code == "SL101"
    assert finding.fixes[0].description.startswith("padding=2 for `down`")
    assert not any("output_size" in fix.description for fix in finding.fixes)


def test_one_axis_only() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.MaxPool2d(2)
            self.up = nn.ConvTranspose2d(1, 1, 2, stride=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.up(self.pool(x))], 1)

    (finding,) = findings(Pooled(), "64x65")
    assert finding.axis == "W"
    assert finding.fixes[0].description.startswith("output_padding=(0, 1)")


def test_upsampling_takes_the_skips_size() -> None:
    class Resized(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.MaxPool2d(2)
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.up(self.pool(x))], 1)

    (finding,) = findings(Resized(), "65x65")
    (fix,) = finding.fixes
    assert "F.interpolate(…, size=skip.shape[-2:])" in fix.description
    assert "every size" not in fix.description
    assert "at least 2 come back" in fix.description or "run" in fix.description


def test_a_function_takes_the_skips_size() -> None:
    class Resized(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = functional.max_pool2d(functional.max_pool2d(x, 2), 2)
            for skip in (functional.max_pool2d(x, 2), x):
                y = torch.cat([skip, functional.interpolate(y, scale_factor=2)], 1)[:, :1]
            return y

    found = findings(Resized(), "65x67")
    assert [d.code for d in found] == ["SL101"]
    (fix,) = found[0].fixes
    assert fix.applicability is Applicability.SAFE


def test_a_step_alone() -> None:
    class Beside(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(1, 1, 3, stride=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([functional.max_pool2d(x, 2), self.down(x)], 1)

    (finding,) = findings(Beside())
    assert finding.code == "SL502"
    assert finding.fixes[0].description.startswith("padding=1")


def test_an_even_kernel_is_padded_as_torch_does_it() -> None:
    class Even(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 1, 4, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.conv(x)], 1)

    (finding,) = findings(Even())
    assert finding.code == "SL501"
    assert "is odd" in finding.why
    (fix,) = finding.fixes
    assert fix.description == 'padding="same": every size serves'
    assert fix.applicability is Applicability.SAFE


def test_resizing_before_a_merge() -> None:
    class Views(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = functional.max_pool2d(x, 2)
            return torch.cat([y, x[..., 1::2, 2::2]], 1)

    (finding,) = findings(Views(), "64x64")
    assert finding.code == "SL201"
    resize, crop = finding.fixes
    assert resize.description.startswith("resize what")
    assert crop.description.startswith("crop what")
    assert {fix.applicability for fix in finding.fixes} == {Applicability.UNSAFE}


def test_an_output_padding_that_torch_takes() -> None:
    (finding,) = findings(nn.Sequential(nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, output_padding=2)))
    assert finding.code == "SL102"
    assert finding.fixes[0].description.startswith("output_padding=0")


def test_the_odd_column_is_padded_by_hand_where_a_sequential_calls_the_layer(tmp_path: Path) -> None:
    (finding,) = linted(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 4, (4, 3), stride=(1, 2), padding=1))

            def forward(self, x):
                return torch.cat([x[..., ::2], self.body(x)], 1)
        """,
        "N,1,H,W",
    )
    assert finding.code == "SL501"
    by_hand = finding.fixes[0]
    assert by_hand.applicability is Applicability.MANUAL
    assert "F.pad(x, (0, 0, 0, 1)) before `body.1`" in by_hand.description
    assert "not written by --fix: an nn.Sequential calls the layer" in by_hand.description


def test_a_line_that_builds_layers_of_several_kernels_cannot_have_one_padding(tmp_path: Path) -> None:
    (finding,) = linted(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.convs = nn.ModuleList(nn.Conv2d(3, 3, k) for k in (3, 5))
                self.last = nn.Conv2d(3, 3, 1)

            def forward(self, x):
                return torch.cat([self.last(x), self.convs[1](self.convs[0](x))], 1)
        """,
    )
    padding = finding.fixes[0]
    assert padding.applicability is Applicability.MANUAL
    assert padding.description.startswith("padding=1 for `convs.0` and padding=2 for `convs.1`: every size serves")
    assert "need different values of padding" in padding.description


def test_what_no_number_of_channels_mends_is_said(tmp_path: Path) -> None:
    (finding,) = linted(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Conv2d(3, 9, 1)
                self.b = nn.Conv2d(8, 8, 3, groups=4)

            def forward(self, x):
                return self.b(self.a(x))
        """,
    )
    assert finding.code == "SL402"
    assert finding.fixes == ()
    assert finding.why.endswith("; no fix: 9 channels do not split into 4 groups")


def test_a_parameter_of_a_fixed_size_is_named(tmp_path: Path) -> None:
    (finding,) = linted(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.patches = nn.Conv2d(3, 8, 8, stride=8)
                self.positions = nn.Parameter(torch.zeros(1, 8, 64))

            def forward(self, x):
                return self.patches(x).flatten(2) + self.positions
        """,
        sizes="80x80",
    )
    assert finding.code == "SL305"
    assert finding.why.endswith("no fix: a parameter has a fixed size there: make the model for the size that you use")


def test_operands_do_not_change_places(tmp_path: Path) -> None:
    """A feature map calculated in the merge gets a name before it, unless it is of the same list as one before it."""
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Conv2d(3, 4, 3, padding=1)
                self.up = nn.Sequential(nn.Upsample(scale_factor=2), nn.ReLU())

            def forward(self, x):
                maps = [self.first(x)]
                maps.append(self.up(nn.functional.max_pool2d(maps[0], 2)))
                return torch.cat([MERGED], 1)
        """
    (one,) = linted(tmp_path, source.replace("MERGED", "maps.pop(0), maps.pop()"), sizes="65x65")
    (other,) = linted(tmp_path, source.replace("MERGED", "maps.pop(), maps.pop()"), sizes="65x65")
    resized = [fix for finding in (one, other) for fix in finding.fixes if fix.description.startswith("resize")]
    assert [fix.applicability for fix in resized] == [Applicability.UNSAFE, Applicability.MANUAL]
    assert "other = maps.pop(0)" in "".join(edit.text for edit in resized[0].edits)
    assert "has no name at the call" in resized[1].description


def test_in_features_need_a_declared_size(tmp_path: Path) -> None:
    source = """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.a = nn.Conv2d(3, 6, 3)
                self.b = nn.Linear(401, 3)

            def forward(self, x):
                return self.b(self.a(x).flatten(1))
        """
    (finding,) = linted(tmp_path, source, "N,3,H,W")
    assert finding.code == "SL302"
    assert finding.why.endswith("depends on the size of the input: declare yours (--size 224x224)")
    (declared,) = linted(tmp_path, source, "N,3,H,W", "32x32")
    (fix,) = declared.fixes
    assert fix.description.startswith("in_features=5400 for `b`: then 32 × 32 runs; `b.weight` then is 3 × 5400")
    assert fix.description.endswith("checkpoints saved before no longer load")
    assert fix.reshapes


def test_an_output_of_another_size_is_cropped(tmp_path: Path) -> None:
    found = linted(
        tmp_path,
        """
        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(4, 4, 3, padding=1)

            def forward(self, x):
                x = x[..., : x.shape[-2] // 4 * 4, : x.shape[-1] // 4 * 4]
                y = nn.functional.avg_pool2d(x, 4)
                return nn.functional.interpolate(self.conv(y), scale_factor=4) * x
        """,
        "N,4,H,W",
        "66x66",
    )
    (finding,) = found
    assert finding.code in ("SL301", "SL101")
    fix = finding.fixes[-1]
    assert fix.description.startswith("pad the input with zeros to the next size that is right today (multiples of 4)")
    assert fix.applicability is Applicability.UNSAFE
    assert fix.edits


def test_two_models_that_share_a_helper_for_padding(tmp_path: Path) -> None:
    found = linted(
        tmp_path,
        """
        class One(nn.Module):
            def __init__(self):
                super().__init__()
                self.body = nn.Conv2d(4, 4, 3, padding=1)

            def forward(self, x):
                return nn.functional.pixel_shuffle(self.body(nn.functional.pixel_unshuffle(x, 2)), 2)


        class Two(One):
            pass
        """,
        sizes="65x65",
    )
    assert {finding.model for finding in found} == {"One", "Two"}
    assert {fix.edits for finding in found for fix in finding.fixes} == {found[0].fixes[0].edits}


def linted(folder: Path, source: str, inputs: str | None = None, sizes: str | None = None) -> list[Diagnostic]:
    """The findings in a file of this text."""
    file = folder / "net.py"
    file.write_text("import torch\nfrom torch import nn\n\n\n" + textwrap.dedent(source).lstrip("\n"))
    found = lint([file], inputs=inputs, sizes=sizes)
    return [finding for finding in found if finding.severity is not Severity.NOTE]


@pytest.mark.parametrize("levels", [2, 3, 5])
def test_every_level_of_a_decoder_is_mended_though_none_but_the_first_is_reached(levels: int) -> None:
    class Joining(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.ModuleList(nn.Conv2d(1, 1, 3, stride=2, padding=1) for _ in range(levels))
            self.up = nn.ModuleList(nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1) for _ in range(levels))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            skips = []
            for down in self.down:
                skips.append(x)
                x = down(x)
            for up in self.up:
                x = torch.cat([up(x), skips.pop()], 1)[:, :1]
            return x

    (finding, *more) = findings(Joining(), {"H": 64, "W": 96})
    assert (finding.code, more) == ("SL101", [])
    parameter, size = finding.fixes
    assert isinstance(parameter, ProposedFix)
    assert isinstance(size, ProposedFix)
    assert [a.value for a in parameter.amendments] == [(1, 1)] * levels
    assert [a.like for a in size.amendments] == [f"down.{i}" for i in reversed(range(levels))]
    assert "every size serves" in size.description


def test_a_layer_used_at_two_scales_is_told_both_sizes() -> None:
    class Shared(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(1, 1, 3, stride=2, padding=1)
            self.up = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            half = self.down(x)
            y = torch.cat([self.up(self.down(half)), half], 1)[:, :1]
            return torch.cat([self.up(y), x], 1)

    (finding,) = findings(Shared())
    assert any("output_size" in fix.description and "every size serves" in fix.description for fix in finding.fixes)


def test_derived_layers_that_call_the_function_are_told_apart() -> None:
    class Up(nn.ConvTranspose2d):
        def forward(self, x: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
            return super().forward(x, output_size).relu()

    class Derived(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down1 = nn.Conv2d(1, 1, 3, stride=2, padding=1)
            self.down2 = nn.Conv2d(1, 1, 5, stride=3, padding=2)
            self.up2 = Up(1, 1, 5, stride=3, padding=2)
            self.up1 = Up(1, 1, 3, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.up1(self.up2(self.down2(self.down1(x))))

    model = Derived()
    fix = findings(model)[0].fixes[0]
    assert isinstance(fix, ProposedFix)
    assert {a.layer: a.value for a in fix.amendments} == {"up2": (2, 2), "up1": (1, 1)}
    for amendment in fix.amendments:
        setattr(model.get_submodule(amendment.layer), amendment.attribute, amendment.value)
    assert [returned(model, size) for size in (6, 12, 18)] == [6, 12, 18]


def test_every_output_padding_that_torch_refuses_is_mended_at_once() -> None:
    layers = [nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, output_padding=2) for _ in range(3)]
    (finding,) = findings(nn.Sequential(*layers))
    assert finding.code == "SL102"
    assert finding.fixes[0].description.startswith("output_padding=0 for `0`, `1` and `2`: then all sizes run")


def test_what_runs_no_longer_is_told() -> None:
    class Joined(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(1, 1, 3, stride=2, padding=1)
            self.up = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.up(self.down(x))], 1)

    (finding,) = findings(Joined())
    assert (
        "then even sizes come back as they were (odd sizes, right today, then do not run)"
        in finding.fixes[0].description
    )


def test_a_stride_that_hangs_on_the_input_has_no_output_padding_to_offer() -> None:
    class Growing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1, 1, 3, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.conv_transpose2d(x, self.weight, stride=(x.shape[1] + 1, 2), output_padding=9)

    (finding,) = (d for d in shapelint.analyze(Growing(), ("N", 1, "H", "W")).diagnostics if d.code == "SL102")
    assert finding.fixes[0].description.startswith("output_padding=0")

    class Hanging(Growing):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return functional.conv_transpose2d(x, self.weight, stride=(2, x.shape[2]), output_padding=(9, 0))

    for finding in shapelint.analyze(Hanging(), ("N", 1, "H", "W")).diagnostics:
        assert not any("output_padding" in fix.description for fix in finding.fixes)
