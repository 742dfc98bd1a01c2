"""What the SL9xx codes mean: the analysis could not be made, or could not be proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class AnalysisCode:
    """The documentation of one code, with the same attributes as a lint rule's."""

    code: str
    name: str
    summary: str
    documentation: str
    default: bool = True


ANALYSIS_CODES: Final = (
    AnalysisCode(
        "SL901",
        "cannot-import",
        "the file cannot be read or imported",
        """## What it means
The file could not be read, is not valid Python, or raised an exception while it was imported. Nothing in it was
analysed.

## What to do
- A package is missing: run shapelint in the environment that the model runs in.
- The package that is missing is optional, and the file is not to be checked here: write `# noqa: SL901` behind the
  import, or name the file in the setting `exclude`, or with this code in `per-file-ignores`. The exit status is
  then that of the other files.
- The file does its work while it is imported (reads arguments, trains, exits): put that under
  `if __name__ == "__main__":`.
- The file belongs to a package: give the packages' directories their `__init__.py`, or run shapelint from the
  directory you would run Python in.
""",
    ),
    AnalysisCode(
        "SL902",
        "cannot-construct",
        "the model cannot be constructed",
        """## What it means
The class or function raised an exception when it was called, or needs arguments whose values cannot be guessed from
their names and annotations. Models are constructed without weights, on PyTorch's meta device where possible.

## What to do
Say how to construct it, on the command line or in the file:

    shapelint check unet.py --model 'UNet(n_channels=3, n_classes=2)'

    # shapelint: UNet(n_channels=3, n_classes=2)

A model that downloads or loads weights in its constructor is refused: construct it without (`weights=None`).
""",
    ),
    AnalysisCode(
        "SL903",
        "unused-suppression",
        "a comment suppresses a finding that is not there",
        """## What it means
A comment `# noqa: SL101` or `# shapelint: ignore[SL101]` stands at a line or class that has no such finding (any more),
or names a code that does not exist. It would hide the next finding there, and it tells readers of a problem that the
model does not have. A bare `# noqa` is never reported: it may speak to another linter.

## What to do
Remove the comment, or the code from its list. Only codes that were checked in this run are judged.
""",
    ),
    AnalysisCode(
        "SL904",
        "cannot-trace",
        "the model's forward cannot be followed",
        """## What it means
The model was constructed, and following its `forward` failed for a reason that has nothing to do with sizes, often
because the inputs are not what `forward` takes.

## What to do
Declare the inputs: `--input N,3,H,W` for one, `--input x=N,3,H,W --input t=N` for several, or in the file:

    # shapelint: UNet(3, 2) input=(N, 3, H, W)
""",
    ),
    AnalysisCode(
        "SL905",
        "not-proven",
        "the answer holds for the sizes that were tried, and is not proven for all",
        """## What it means
The network uses an operation whose effect on sizes is not known as a formula. It was run on sample sizes instead
(*probed*), or the whole model was run at each size of a range (*enumerated*).

## What to do
Nothing, if that is enough for you. `--explain-certainty` names the operation; a shape rule for it makes the answer
proven: `@shapelint.shape_rule(my_function)`.
""",
    ),
    AnalysisCode(
        "SL906",
        "bad-input",
        "what was asked for does not exist or is not understood",
        """## What it means
A path, a name in a file, a shape, a size or a `# shapelint:` comment is missing or not understood.

## What to do
The message names it and, where there is one, the nearest that exists. Forms that are understood:

    shapelint check unet.py src/ unet.py:UNet package.module:UNet
    --model 'UNet(3, 2)'   --input N,3,H,W   --size 512x512
    # shapelint: UNet(3, 2) input=(N, 3, H, W) size=512x512
""",
    ),
    AnalysisCode(
        "SL907",
        "did-not-finish",
        "a file took too long, took too much memory, or crashed",
        """## What it means
Every file is linted in a process of its own. This one had to be ended after `--timeout` seconds or at the memory limit,
or it crashed. Where it was at that moment is told where that is known. Other files are not concerned.

## What to do
- The file does its work while it is imported (trains, downloads, waits for input): put that under
  `if __name__ == "__main__":`.
- The network is large: give it more with `--timeout 300` or `--memory 16000`, or name a smaller configuration of it
  with `--model`.
""",
    ),
)
