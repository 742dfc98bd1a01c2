"""The zoo as a command: ``python -m tests.zoo.run [--only REGEX] [--sample N] [--jobs 2] [--limit-seconds S]``.

Judges the networks that were measured (``SHAPELINT_ZOO``, or ``shared/zoo`` beside the repository); where there are no
measurements, or with ``--on-the-spot``, those of ``tests/zoo/published.py``, which are measured when their turn comes.

Prints one line a network as it ends and a summary: how many are proven, how many answers are wrong, and
how long the analysis of all sizes takes against one eager forward on the meta device.

Exit status: 0 if every answer agrees and enough is proven (``--require-proven``); 1 if an answer is wrong, a process
died or too little is proven; 2 if there was nothing to judge. A network without an answer within the time limit is told
and counts as not proven, which is no failure by itself.
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
from tests.zoo.measured import FILE, Measured, directory, load
from tests.zoo.published import published

Result = Outcome[Measured, Verdict | Missing]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    chosen = _sampled([entry for entry in _networks(options) if re.search(options.only, entry.id)], options.sample)
    if not chosen:
        click.echo("no network matches", err=True)
        return NOTHING
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
    return status(outcomes, options.require_proven)


def _networks(options: argparse.Namespace) -> list[Measured]:
    """What is to be judged; said aloud, since a run that quietly judges less proves nothing."""
    measured = load(options.measurements)
    source = options.measurements or directory() / FILE
    if measured and not options.on_the_spot:
        click.echo(f"{len(measured)} networks, measured in {source}")
        return measured
    here = published()
    absent = "" if measured else f"no measurements in {source} (SHAPELINT_ZOO names another folder): "
    click.echo(f"{absent}{len(here)} networks of tests/zoo/published.py, measured on the spot")
    return [*measured, *here]


def _sampled(networks: list[Measured], count: int | None) -> list[Measured]:
    """So many of them, spread evenly, the same ones each time."""
    if count is None or count >= len(networks):
        return networks
    return [networks[place * len(networks) // count] for place in range(count)]


def status(outcomes: Sequence[Result], require_proven: float) -> int:
    """The exit status."""
    judged = [outcome for outcome in outcomes if not isinstance(outcome.result, Missing)]
    if not judged:
        return NOTHING
    return int(not all(map(_agrees, judged)) or share_proven(judged) < require_proven)


def share_proven(judged: Sequence[Result]) -> float:
    """Of those that were judged; one without an answer is not proven."""
    proven = sum(isinstance(outcome.result, Verdict) and outcome.result.certainty == "proven" for outcome in judged)
    return proven / len(judged)


NOTHING = 2
_HEADER = (
    f"{'id':38} {'certainty':11} {'sizes':>6} {'wrong':>6} {'first ms':>9} {'best ms':>9} {'eager ms':>9} {'ratio':>6}"
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.zoo.run", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="REGEX", help="networks whose id matches")
    parser.add_argument("--sample", type=int, metavar="N", help="so many of them, spread evenly")
    parser.add_argument("--on-the-spot", action="store_true", help="also the networks of tests/zoo/published.py")
    parser.add_argument(
        "--require-proven", type=float, default=0.0, metavar="SHARE", help="fail if a smaller share is proven: 0.95"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument("--limit-seconds", type=float, default=120.0, help="per network")
    parser.add_argument("--device", choices=("meta", "cpu"), help="where networks are built (meta, else CPU)")
    parser.add_argument("--examples", type=int, default=3, help="disagreements shown per network")
    parser.add_argument("--measurements", type=Path, help="another sizes.jsonl")
    parser.add_argument("--json", type=Path, help="also write the results here")
    return parser


def _agrees(outcome: Result) -> bool:
    """Is there no wrong answer, and no crash? That there was no time for an answer is neither."""
    if isinstance(outcome.result, Verdict):
        return not outcome.result.disagreements
    return outcome.late


def _lines(outcome: Result, examples: int) -> list[str]:
    verdict = outcome.result
    if isinstance(verdict, Missing):
        return [f"{outcome.job.id:38} not judged: {verdict.reason}"]
    if outcome.late:
        return [f"{outcome.job.id:38} {outcome.failure}"]
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
    judged = [outcome for outcome in outcomes if not isinstance(outcome.result, Missing)]
    late = [outcome.job.id for outcome in outcomes if outcome.late]
    failed = [outcome.job.id for outcome in outcomes if outcome.result is None and not outcome.late]
    certainty = Counter(verdict.certainty for verdict in verdicts)
    wrong = [verdict.id for verdict in verdicts if verdict.disagreements]
    lines = [
        "",
        f"{len(outcomes)} networks, {sum(verdict.sizes for verdict in verdicts)} sizes compared",
        f"certainty: {', '.join(f'{count} {name}' for name, count in certainty.most_common())}",
        f"proven: {100 * share_proven(judged) if judged else 0:.1f} % of {len(judged)}",
        f"disagreements: {sum(verdict.disagreements for verdict in verdicts)} in {len(wrong)}: {', '.join(wrong)}",
        f"answers with sizes that depend on contents: {_listed_unknown(verdicts)}",
        f"no answer within the time limit (counted as not proven): {len(late)}: {', '.join(late)}",
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


def _listed_unknown(verdicts: Sequence[Verdict]) -> str:
    return ", ".join(f"{verdict.unknown} of {verdict.id}" for verdict in verdicts if verdict.unknown) or "0"


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
