"""The zoo as a command: ``python -m tests.zoo.run [--only REGEX] [--jobs 2] [--limit-seconds S]``.

Prints one line a network as it ends and a summary: how many are proven, how many answers are wrong, and
how long the analysis of all sizes takes against one eager forward on the meta device.
Exit status 0 if every answer agrees, 1 if not.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import math
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from tests.guarded import Outcome, run_guarded
from tests.zoo import building
from tests.zoo.examining import Missing, Verdict, examine
from tests.zoo.measured import Measured, load

Result = Outcome[Measured, Verdict | Missing]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    chosen = [entry for entry in load(options.measurements) if re.search(options.only, entry.id)]
    if not chosen:
        click.echo("no measured network matches; is SHAPELINT_ZOO set?", err=True)
        return 2
    for package in dict.fromkeys(entry.package for entry in chosen):
        # Once, before the processes are forked off.
        building.import_package(package)
    outcomes = []
    work = functools.partial(examine, device=options.device)
    click.echo(_HEADER)
    for outcome in run_guarded(work, chosen, at_once=options.jobs, limit_seconds=options.limit_seconds):
        outcomes.append(outcome)
        click.echo("\n".join(_lines(outcome, options.examples)))
    click.echo(summary(outcomes))
    if options.json:
        _write_json(options.json, outcomes)
    return int(not all(_agrees(outcome) for outcome in outcomes))


_HEADER = (
    f"{'id':38} {'certainty':11} {'sizes':>6} {'wrong':>6} {'first ms':>9} {'best ms':>9} {'eager ms':>9} {'ratio':>6}"
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo.run", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="REGEX", help="networks whose id matches")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--limit-seconds", type=float, default=120.0, help="per network")
    parser.add_argument("--device", choices=("meta", "cpu"), help="where networks are built (meta, else CPU)")
    parser.add_argument("--examples", type=int, default=3, help="disagreements shown per network")
    parser.add_argument("--measurements", type=Path, help="another sizes.jsonl")
    parser.add_argument("--json", type=Path, help="also write the results here")
    return parser


def _agrees(outcome: Result) -> bool:
    if isinstance(outcome.result, Missing):
        return True
    return outcome.result is not None and not outcome.result.disagreements


def _lines(outcome: Result, examples: int) -> list[str]:
    verdict = outcome.result
    if isinstance(verdict, Missing):
        return [f"{outcome.job.id:38} not judged: {verdict.reason}"]
    if verdict is None:
        failure = (outcome.failure or "").strip().splitlines()
        return [f"{outcome.job.id:38} FAILED after {outcome.seconds:.1f} s", *(f"    {line}" for line in failure[-6:])]
    row = (
        f"{verdict.id:38} {verdict.certainty:11} {verdict.sizes:6} {verdict.disagreements:6} "
        f"{verdict.first_ms:9.1f} {verdict.best_ms:9.1f} {verdict.eager_ms:9.1f} {verdict.ratio:6.2f}"
    )
    reasons = [f"    because {reason}" for reason in verdict.reasons[:3]]
    return [row, *reasons, *(f"    {example}" for example in verdict.examples[:examples])]


def summary(outcomes: Sequence[Result]) -> str:
    """The figures that matter, in a few lines."""
    verdicts = [outcome.result for outcome in outcomes if isinstance(outcome.result, Verdict)]
    missing = [outcome.job.id for outcome in outcomes if isinstance(outcome.result, Missing)]
    judged = max(1, len(outcomes) - len(missing))
    failed = [outcome.job.id for outcome in outcomes if outcome.result is None]
    certainty = Counter(verdict.certainty for verdict in verdicts)
    wrong = [verdict.id for verdict in verdicts if verdict.disagreements]
    lines = [
        "",
        f"{len(outcomes)} networks, {sum(verdict.sizes for verdict in verdicts)} sizes compared",
        f"certainty: {', '.join(f'{count} {name}' for name, count in certainty.most_common())}",
        f"proven: {100 * certainty['proven'] / judged:.1f} % of {judged}",
        f"disagreements: {sum(verdict.disagreements for verdict in verdicts)} in {len(wrong)}: {', '.join(wrong)}",
        f"failed: {len(failed)}: {', '.join(failed)}",
        f"not judged: {len(missing)}: {', '.join(missing)}",
    ]
    if verdicts:
        worst = max(verdicts, key=lambda verdict: verdict.ratio)
        lines.append(
            f"time / one eager forward: geometric mean {geometric_mean(verdict.ratio for verdict in verdicts):.3f}, "
            f"worst {worst.ratio:.2f} ({worst.id}); first analysis "
            f"{geometric_mean(verdict.first_ms / verdict.eager_ms for verdict in verdicts):.3f}"
        )
    return "\n".join(lines)


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms))


def _write_json(path: Path, outcomes: Iterable[Result]) -> None:
    rows = [
        {
            "id": outcome.job.id,
            "failure": outcome.failure,
            **(dataclasses.asdict(outcome.result) if outcome.result is not None else {}),
        }
        for outcome in outcomes
    ]
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
