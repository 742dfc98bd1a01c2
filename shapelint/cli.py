"""The command line. It imports torch only once a file turns out to hold a model."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import click

from shapelint import __version__
from shapelint.formula_commands import formula
from shapelint.report import Style, format_names, render

if TYPE_CHECKING:
    from shapelint.loading.codes import AnalysisCode
    from shapelint.rules import RuleInfo

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
CANNOT = 2
INTERRUPTED = 130


@click.group(context_settings=_CONTEXT)
@click.version_option(__version__, "-V", "--version", prog_name="shapelint")
def main() -> None:
    """Find out, before any training, for which input sizes a PyTorch network runs and what it gives back.

    shapelint reads a model's code and says for exactly which sizes it fails, where a decoder does not undo its
    encoder, and what to change. No weights are loaded and no data is needed; the files are imported.

    \b
    Examples:
      shapelint check unet.py                      every model in a file
      shapelint check src/                         every model below a directory
      shapelint check unet.py --model 'UNet(3, 2)' this model, with these arguments
      shapelint check unet.py --size 512x512       does it run at 512 x 512?
      shapelint show unet.py:UNet                  the size after every layer
      shapelint explain SL101                      what a code means
      shapelint formula conv -w 100 -k 3 -s 2      sizes at a terminal

    Exit status: 0 nothing found, 1 errors or warnings found, 2 shapelint could not do what was asked.
    """


@main.command()
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--model", metavar="EXPR", help="The model, as an expression in the file: 'UNet(3, 2)'.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SHAPE",
    help="The input's shape: 'N,3,H,W'. Letters are any size, equal letters equal sizes. Repeat it for further "
    "inputs, or name them: 'x=N,3,H,W'. Inferred from the layers if left out.",
)
@click.option(
    "--size",
    "sizes",
    multiple=True,
    metavar="SIZES",
    help="The sizes you will use: 512x512, H=512, or 'H%32==0, W%32==0'. Repeat it for alternatives. If left out, "
    "the multiples of the network's total stride are expected to work.",
)
@click.option(
    "--select", multiple=True, metavar="CODES", help="Look for these alone: SL101, SL1, lossy-round-trip, ALL."
)
@click.option(
    "--extend-select", multiple=True, metavar="CODES", help="Look for these as well (some are off by default)."
)
@click.option("--ignore", multiple=True, metavar="CODES", help="Do not report these.")
@click.option(
    "--output-format",
    type=click.Choice(format_names()),
    default="text",
    show_default=True,
    metavar="FORMAT",
    help="text, concise or json.",
)
@click.option(
    "--explain-certainty", is_flag=True, help="Say why an answer is not proven: which operations were probed."
)
@click.option("--verbose", "-v", is_flag=True, help="List the classes that are not analysed by themselves, and why.")
@click.option("--exit-zero", is_flag=True, help="Exit with status 0 even if something is found.")
@click.option(
    "--jobs", "-j", type=click.IntRange(min=1), metavar="N", help="Files at once. If left out, one for each core."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="The longest that one file may take (60).",
)
@click.option(
    "--memory",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    metavar="MB",
    help="The most memory that one file may take.",
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["network", "process", "write"]),
    help="Let the files' code do this while it is imported and built: open network connections, start processes, "
    "write outside temporary folders. Refused if left out; a guard rail, no sandbox.",
)
def check(
    paths: Sequence[str],
    model: str | None,
    inputs: Sequence[str],
    sizes: Sequence[str],
    select: Sequence[str],
    extend_select: Sequence[str],
    ignore: Sequence[str],
    output_format: str,
    explain_certainty: bool,
    verbose: bool,
    exit_zero: bool,
    jobs: int | None,
    timeout: float | None,
    memory: int,
    allow: Sequence[str],
) -> None:
    """Lint the models in files, directories, FILE:NAME or package.module:NAME.

    Without a PATH, the working directory. Files are first read without being imported; only those that hold a model
    are imported (which runs them: only lint code that you would run). Models that need arguments get usual ones,
    which are printed; --model gives others, and so does a comment in the file:

    \b
      # shapelint: UNet(in_channels=1, base=32) input=(N, 1, H, W) size=512x512

    \b
    Examples:
      shapelint check unet.py
      shapelint check unet.py --model 'UNet(3, 2)' --input N,3,H,W --size 512x512
      shapelint check 'monai.networks.nets:UNet' --size 'H%16==0, W%16==0'
      shapelint check src --select SL1,SL2 --output-format concise
    """
    from shapelint.isolation.checking import Checker
    from shapelint.isolation.jobs import Permission
    from shapelint.linting import lint_detailed, skipped_lines
    from shapelint.loading.errors import LoadError
    from shapelint.selection import split_selectors

    try:
        result = lint_detailed(
            paths or ["."],
            model=model,
            inputs=inputs,
            sizes=sizes,
            select=split_selectors(select),
            extend_select=split_selectors(extend_select),
            ignore=split_selectors(ignore),
            check_all=Checker(jobs, timeout, memory, frozenset(map(Permission, allow))),
        )
    except LoadError as error:
        _fail(error.message)
    except KeyboardInterrupt:
        click.echo("shapelint: interrupted", err=True)
        sys.exit(INTERRUPTED)
    style = Style(wants_color(), explain_certainty, terminal_width())
    click.echo(render(output_format, result, style), nl=False, color=style.color)
    if verbose:
        for line in skipped_lines(result):
            click.echo(line, err=True)
    sys.exit(0 if exit_zero and result.exit_status == 1 else result.exit_status)


@main.command()
@click.argument("target", metavar="FILE[:NAME]")
@click.option("--model", metavar="EXPR", help="The model, as an expression in the file: 'UNet(3, 2)'.")
@click.option("--input", "inputs", multiple=True, metavar="SHAPE", help="The input's shape: 'N,3,H,W'.")
def show(target: str, model: str | None, inputs: Sequence[str]) -> None:
    """Show the size after every layer, as a formula of the input's size.

    \b
    Examples:
      shapelint show unet.py
      shapelint show unet.py:UNet --input N,3,H,W
      shapelint show unet.py --model 'UNet(3, 2)'
    """
    from shapelint.loading.errors import LoadError
    from shapelint.showing import show_models

    try:
        text = show_models(target, model=model, inputs=tuple(inputs), color=wants_color())
    except LoadError as error:
        _fail(str(error))
    click.echo(text, color=wants_color())


@main.command()
@click.argument("code", metavar="CODE")
def explain(code: str) -> None:
    """Say what a code means, why it matters and what to do: SL101, or lossy-round-trip."""
    import difflib

    rules = _documented()
    found = next((rule for rule in rules if code.upper() == rule.code or code.lower() == rule.name), None)
    if found is None:
        near = difflib.get_close_matches(code.upper(), [rule.code for rule in rules], n=1)
        _fail(f"there is no rule {code}" + (f"; did you mean {near[0]}?" if near else "; `shapelint rules` lists them"))
    heading = f"{found.code} {found.name}"
    if sys.stdout.isatty() and wants_color():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(f"# {heading}\n\n{found.documentation}"))
    else:
        click.echo(f"# {heading}\n\n{found.documentation.strip()}")


@main.command()
def rules() -> None:
    """List every code, its name and what it finds."""
    documented = _documented()
    width = max(len(rule.name) for rule in documented)
    for rule in documented:
        opt_in = "" if rule.default else " (off by default: --extend-select)"
        click.echo(f"{rule.code}  {rule.name.ljust(width)}  {rule.summary}{opt_in}")


main.add_command(formula)


def wants_color() -> bool:
    """NO_COLOR first (no-color.org), then FORCE_COLOR, then whether a person is looking."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def terminal_width() -> int | None:
    """The columns of the terminal that a person is looking at, if one is."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _documented() -> tuple[RuleInfo | AnalysisCode, ...]:
    """The lint rules and what SL9xx codes mean, by code."""
    from shapelint.loading.codes import ANALYSIS_CODES
    from shapelint.rules import all_rules

    lint_rules = tuple(all_rules())
    known = {rule.code for rule in lint_rules}
    return tuple(
        sorted([*lint_rules, *(code for code in ANALYSIS_CODES if code.code not in known)], key=lambda rule: rule.code)
    )


def _fail(message: str) -> NoReturn:
    click.echo(f"shapelint: {message}", err=True)
    sys.exit(CANNOT)
