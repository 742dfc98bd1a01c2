"""The command line. It imports torch only once a file turns out to hold a model."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click
from click.shell_completion import CompletionItem

from shapelint import __version__
from shapelint.diagnostics import Severity
from shapelint.formula_commands import formula
from shapelint.help import Sectioned
from shapelint.limits import NAMES as LIMITS
from shapelint.limits import LimitError, Pairs
from shapelint.limits import parse as parse_limit
from shapelint.report import Style, format_names, render
from shapelint.results import LintResult
from shapelint.words import plural

if TYPE_CHECKING:
    from shapelint.isolation.checking import Checker
    from shapelint.loading.paths import Request

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
CANNOT = 2
INTERRUPTED = 130


_CHECK_SECTIONS = {
    "What is analysed": ("model", "inputs", "sizes", "config", "shard", "stdin_filename", "as_project"),
    "What is reported": ("select", "extend_select", "ignore", "baseline", "write_baseline"),
    "The report": ("output_format", "output_file", "statistics", "explain_certainty", "verbose"),
    "Exit status": ("fail_on", "exit_zero"),
    "The run": ("jobs", "timeout", "memory", "limits", "allow", "no_cache", "watch"),
}


def _complete_codes(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """Codes and names of rules; the last one of a list."""
    from shapelint.documentation import documented

    before, comma, last = incomplete.rpartition(",")
    names = [name for rule in documented() for name in (rule.code, rule.name)]
    return [f"{before}{comma}{name}" for name in names if name.lower().startswith(last.lower())]


def _complete_paths(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files, by the shell's own means."""
    return [CompletionItem(incomplete, type="file")]


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

    \b
    Completion of commands, options and codes, for the shell's start-up file:
      eval "$(_SHAPELINT_COMPLETE=bash_source shapelint)"           bash
      eval "$(_SHAPELINT_COMPLETE=zsh_source shapelint)"            zsh
      _SHAPELINT_COMPLETE=fish_source shapelint | source            fish

    Exit status: 0 nothing found, 1 errors or warnings found, 2 shapelint could not do what was asked.
    """


@main.command(cls=Sectioned, sections=_CHECK_SECTIONS)
@click.argument("paths", nargs=-1, metavar="[PATH]...", shell_complete=_complete_paths)
@click.option("--model", metavar="EXPR", help="The model, as an expression in the file: 'UNet(3, 2)'.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="SHAPE",
    help="The input's shape: 'N,3,H,W'. Letters are any size, equal letters equal sizes. Repeat it for further "
    "inputs, or name them: 'x=N,3,H,W'. A dtype stands before: 'int64[N,T]'. Inferred from the layers if left out.",
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
    "--select",
    multiple=True,
    metavar="CODES",
    shell_complete=_complete_codes,
    help="Look for these alone: SL101, SL1, lossy-round-trip, ALL.",
)
@click.option(
    "--extend-select",
    multiple=True,
    metavar="CODES",
    shell_complete=_complete_codes,
    help="Look for these as well (some are off by default).",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="CODES",
    shell_complete=_complete_codes,
    help="Do not report these.",
)
@click.option(
    "--output-format",
    type=click.Choice(format_names()),
    default="text",
    show_default=True,
    metavar="FORMAT",
    help=f"One of {', '.join(format_names())}.",
)
@click.option(
    "--output-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the report to this file instead of standard output.",
)
@click.option("--fix", is_flag=True, help="Edit the files: make every safe fix that still proves itself afterwards.")
@click.option("--diff", is_flag=True, help="Show what --fix would change instead, as a patch; nothing is written.")
@click.option(
    "--unsafe-fixes", is_flag=True, help="With --fix or --diff: also fixes by which other sizes change than intended."
)
@click.option("--statistics", is_flag=True, help="Count each code instead of listing findings (text, concise, json).")
@click.option(
    "--config",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the settings from this file instead of the pyproject.toml or shapelint.toml nearest to each file.",
)
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Leave out the findings that this file has, as --write-baseline wrote it.",
)
@click.option(
    "--write-baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write all findings to this file instead of reporting them, and exit with status 0.",
)
@click.option(
    "--explain-certainty", is_flag=True, help="Say why an answer is not proven: which operations were probed."
)
@click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Tell one by one what the report sums up, and list the classes that are not analysed by themselves, and why.",
)
@click.option("--exit-zero", is_flag=True, help="Exit with status 0 even if something is found.")
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    help="The least severity that makes the exit status 1 (warning).",
)
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
    help="The most memory that one file may take (held to on Linux only).",
)
@click.option(
    "--limit",
    "limits",
    multiple=True,
    metavar="NAME=NUMBER",
    help="A bound on the effort of one analysis, such as seconds=10; where it is hit, the model is run at the sizes of "
    f"a range instead. NAME is one of {', '.join(LIMITS)}.",
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["network", "process", "write"]),
    help="Let the files' code do this while it is imported and built: open network connections, start processes, "
    "write outside temporary folders. Refused if left out; a guard rail, no sandbox.",
)
@click.option(
    "--stdin-filename",
    metavar="FILE",
    help="What the file on standard input is called, where PATH is -; it need not exist.",
)
@click.option(
    "--as-project",
    is_flag=True,
    help="Treat FILEs as if met in a directory: honour `exclude`, and do not insist on models that need arguments. "
    "For tools that name files, such as pre-commit.",
)
@click.option("--no-cache", is_flag=True, help="Neither use nor keep results of earlier runs.")
@click.option("--watch", is_flag=True, help="Lint again whenever a file changes, until Ctrl-C.")
@click.option("--shard", metavar="K/N", help="Only the K-th of N parts of the files: 3/8. See `shapelint merge`.")
def check(
    paths: Sequence[str],
    model: str | None,
    inputs: Sequence[str],
    sizes: Sequence[str],
    select: Sequence[str],
    extend_select: Sequence[str],
    ignore: Sequence[str],
    output_format: str,
    output_file: Path | None,
    fix: bool,
    diff: bool,
    unsafe_fixes: bool,
    statistics: bool,
    config: Path | None,
    baseline: Path | None,
    write_baseline: Path | None,
    explain_certainty: bool,
    verbose: bool,
    exit_zero: bool,
    fail_on: str | None,
    jobs: int | None,
    timeout: float | None,
    memory: int,
    limits: Sequence[str],
    allow: Sequence[str],
    stdin_filename: str | None,
    as_project: bool,
    no_cache: bool,
    watch: bool,
    shard: str | None,
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
      shapelint check unet.py --size 512x512 --diff
      shapelint check unet.py --size 512x512 --fix
      cat unet.py | shapelint check - --stdin-filename src/unet.py
      shapelint check src --output-format sarif --output-file shapelint.sarif
      shapelint check src --write-baseline shapelint-baseline.json
      shapelint check src --baseline shapelint-baseline.json

    Settings are read from [tool.shapelint] in pyproject.toml or from shapelint.toml, nearest to each file; what is
    said here wins. A finding is suppressed by a comment on its line or at the heading of its class: # noqa: SL101, or
    # shapelint: ignore[SL101].

    Exit status: 0 nothing found, 1 something found that is as severe as --fail-on, 2 shapelint could not do what was
    asked. The report alone goes to standard output; everything else to standard error.
    """
    from shapelint.baseline import write_whole
    from shapelint.caching import Cache, cache_folder
    from shapelint.distributing import parse_shard
    from shapelint.isolation.checking import Checker
    from shapelint.isolation.jobs import Permission
    from shapelint.linting import lint_detailed
    from shapelint.loading.errors import LoadError
    from shapelint.progress import Progress
    from shapelint.report.statistics import FORMATS
    from shapelint.report.statistics import statistics as count_codes
    from shapelint.selection import split_selectors

    if statistics and output_format not in FORMATS:
        raise click.UsageError(f"--statistics counts in {', '.join(FORMATS)}, not in {output_format}")
    _judge_fixing(fix or diff, unsafe_fixes, watch or "-" in paths)
    bounds = _bounds(limits)

    def once() -> int:
        cache = None if no_cache else Cache(cache_folder(), time.time())
        checker = partial(Checker, jobs, timeout, memory, frozenset(map(Permission, allow)), cache)
        try:
            with Progress() as progress:
                lint = partial(
                    lint_detailed,
                    paths or ["."],
                    model=model,
                    inputs=inputs,
                    sizes=sizes,
                    select=split_selectors(select),
                    extend_select=split_selectors(extend_select),
                    ignore=split_selectors(ignore),
                    config=config,
                    baseline=baseline if write_baseline is None else None,
                    shard=parse_shard(shard) if shard else None,
                    standard_input=_standard_input(stdin_filename) if "-" in paths else None,
                    as_project=as_project,
                    limits=bounds,
                )
                check_all = checker(on_progress=progress)
                result = _linted(lint, check_all, fix=fix, diff=diff, unsafe=unsafe_fixes)
            if diff:
                return _status(result, exit_zero)
            if write_baseline is not None:
                _write_baseline(write_baseline, result)
            if fail_on is not None:
                result = dataclasses.replace(result, fail_on=Severity(fail_on))
            color = output_file is None and wants_color()
            style = Style(color, explain_certainty, None if output_file else terminal_width(), verbose)
            report = count_codes(result, output_format) if statistics else render(output_format, result, style)
            if output_file is not None:
                write_whole(output_file, report)
            else:
                click.echo(report, nl=False, color=color)
        except LoadError as error:
            _fail(error.told)
        except KeyboardInterrupt:
            click.echo("shapelint: interrupted", err=True)
            sys.exit(INTERRUPTED)
        _tell_remarks(result, verbose)
        return _status(result, exit_zero)

    if watch:
        _watch(once, paths)
    sys.exit(once())


def _bounds(texts: Sequence[str]) -> Pairs:
    try:
        return tuple(map(parse_limit, texts))
    except LimitError as error:
        raise click.BadParameter(str(error), param_hint="--limit") from error


def _judge_fixing(fixing: bool, unsafe: bool, endless: bool) -> None:
    if unsafe and not fixing:
        raise click.UsageError("--unsafe-fixes goes with --fix or --diff")
    if fixing and endless:
        raise click.UsageError("--fix and --diff are for files, once: neither for standard input nor with --watch")


def _tell_remarks(result: LintResult, verbose: bool) -> None:
    from shapelint.linting import skipped_lines

    for remark in result.remarks:
        click.echo(f"shapelint: {remark}", err=True)
    if verbose:
        from shapelint.isolation.memory import limits_memory

        for line in skipped_lines(result):
            click.echo(line, err=True)
        if not limits_memory():
            click.echo("memory is not limited: this system does not say how much a process holds", err=True)


def _status(result: LintResult, exit_zero: bool) -> int:
    return 0 if exit_zero and result.exit_status == 1 else result.exit_status


def _linted(lint: Callable[..., LintResult], checker: Checker, *, fix: bool, diff: bool, unsafe: bool) -> LintResult:
    """What is to be reported: after the files were edited, what is left; if a patch is shown, what they hold."""
    if not fix and not diff:
        return lint(check_all=checker)
    from shapelint.fixes.files import ChangedMeanwhileError
    from shapelint.fixes.repairing import repair

    repair_made = repair(lambda check_all: lint(check_all=check_all), checker, unsafe=unsafe)
    try:
        if diff:
            click.echo(repair_made.diff(), nl=False)
        else:
            repair_made.write()
    except (ChangedMeanwhileError, OSError) as error:
        _fail(f"nothing was written: {error}")
    for remark in (*repair_made.undone, repair_made.summary(written=not diff)):
        click.echo(f"shapelint: {remark}", err=True)
    return repair_made.before if diff else repair_made.after


@main.command()
@click.argument("reports", nargs=-1, required=True, metavar="REPORT...", type=click.Path(path_type=Path))
@click.option(
    "--output-format",
    type=click.Choice(format_names()),
    default="text",
    show_default=True,
    metavar="FORMAT",
    help="As for check.",
)
@click.option("--explain-certainty", is_flag=True, help="As for check.")
@click.option("--verbose", "-v", is_flag=True, help="As for check.")
@click.option("--exit-zero", is_flag=True, help="Exit with status 0 even if something is found.")
def merge(reports: Sequence[Path], output_format: str, explain_certainty: bool, verbose: bool, exit_zero: bool) -> None:
    """Join the reports of several runs, such as those of a CI matrix, into one.

    Complete reports have everything, and the joined one says what a single run would say; those in the json format
    have the findings alone.

    \b
    Examples:
      shapelint check src --shard 3/8 --output-format complete --exit-zero > shard-3.json
      shapelint merge shard-*.json
    """
    from shapelint.loading.errors import LoadError
    from shapelint.merging import merge as merged

    try:
        result = merged(reports)
    except LoadError as error:
        _fail(error.message)
    style = Style(wants_color(), explain_certainty, terminal_width(), verbose)
    click.echo(render(output_format, result, style), nl=False, color=style.color)
    _tell_remarks(result, verbose)
    sys.exit(0 if exit_zero and result.exit_status == 1 else result.exit_status)


@main.command()
@click.argument("target", metavar="FILE[:NAME]", shell_complete=_complete_paths)
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
    from shapelint.isolation.checking import isolated
    from shapelint.loading.errors import LoadError
    from shapelint.loading.paths import resolve
    from shapelint.showing import show_models

    work = partial(show_models, target, model=model, inputs=tuple(inputs), color=wants_color())
    try:
        requests = resolve(target)
        text = isolated(work, requests[0].path if requests else Path(target))
    except LoadError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    click.echo(text, color=wants_color())


@main.command()
@click.argument("code", metavar="CODE", shell_complete=_complete_codes)
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def explain(code: str, output_format: str) -> None:
    """Say what a code means, why it matters and what to do: SL101, or lossy-round-trip.

    \b
    Examples:
      shapelint explain SL101
      shapelint explain lossy-round-trip --output-format json
    """
    import difflib

    from shapelint.documentation import documented, page, rule_data

    found = next((rule for rule in documented() if code.upper() == rule.code or code.lower() == rule.name), None)
    if found is None:
        names = [name for rule in documented() for name in (rule.code, rule.name)]
        near = difflib.get_close_matches(code.upper(), names, n=1) or difflib.get_close_matches(
            code.lower(), names, n=1
        )
        _fail(f"there is no rule {code}" + (f"; did you mean {near[0]}?" if near else "; `shapelint rules` lists them"))
    if output_format == "json":
        click.echo(json.dumps(rule_data(found), indent=2, ensure_ascii=False))
    elif sys.stdout.isatty() and wants_color():
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(page(found)))
    else:
        click.echo(page(found), nl=False)


@main.command()
@click.option("--output-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def rules(output_format: str) -> None:
    """List every code, its name and what it finds.

    \b
    Examples:
      shapelint rules
      shapelint rules --output-format json | jq -r '.[].code'
    """
    from shapelint.documentation import documented, off_by_default, rule_data

    if output_format == "json":
        click.echo(json.dumps([rule_data(rule) for rule in documented()], indent=2, ensure_ascii=False))
        return
    width = max(len(rule.name) for rule in documented())
    for rule in documented():
        click.echo(f"{rule.code}  {rule.name.ljust(width)}  {rule.summary}{off_by_default(rule)}")


@main.group(name="cache")
def cache_group() -> None:
    """The results of earlier runs, kept in .shapelint_cache."""


@cache_group.command()
def clean() -> None:
    """Delete the results of earlier runs.

    They are used again only where the file, everything it imports, the settings, shapelint, torch and Python are the
    same, so there is no need to do this, except for the space.
    """
    from shapelint import caching

    folder = caching.cache_folder()
    click.echo(f"Deleted {folder}" if caching.clean(folder) else f"There is no cache in {folder.parent}")


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


def _write_baseline(file: Path, result: LintResult) -> NoReturn:
    from shapelint.baseline import write_baseline
    from shapelint.loading.errors import BAD_INPUT

    count = write_baseline(file, result.diagnostics)
    click.echo(f"shapelint: wrote {plural(count, 'finding')} to {file}", err=True)
    missing = [finding for finding in result.diagnostics if finding.code == BAD_INPUT]
    for finding in missing:
        click.echo(f"shapelint: {finding}", err=True)
    sys.exit(CANNOT if missing else 0)


def _watch(once: Callable[[], int], paths: Sequence[str]) -> NoReturn:
    from shapelint import watching

    try:
        watching.watch(once, paths, lambda line: click.echo(f"shapelint: {line}", err=True))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _standard_input(name: str | None) -> Request:
    """What is piped in, under the name that it has in its editor."""
    from shapelint.loading.paths import Request

    text = sys.stdin.buffer.read().decode("utf-8", errors="replace")
    return Request(Path(name or "stdin.py"), text=text)


def _fail(message: str) -> NoReturn:
    click.echo(f"shapelint: {message}", err=True)
    sys.exit(CANNOT)
