"""Many random networks: ``python -m tests.fuzz --count 20000 --seed 0 --jobs 2``.

Every network is judged at every size 1 ... 96. A disagreement is told with the smallest description that still
shows it; ``--replay FILE`` (or ``-`` for standard input) judges one description again.
Exit status 0 if every answer agrees, 1 if not.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click
import torch

from tests.grammar import Description, describe, smaller
from tests.guarded import run_guarded
from tests.judging import LIMIT, judge

BATCH = 25
"""Networks for one process: enough to pay for its start, few enough that a hang costs little."""
_SHRINKING = 40
"""Descriptions tried at most to make one failure smaller."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A network about which the analysis is wrong."""

    seed: int
    description: Description
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of some networks."""

    networks: int
    sizes: int
    running: int
    certainty: Counter[str]
    findings: tuple[Finding, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.replay:
        return _replay(json.loads(options.replay.read()), options.limit)
    batches = [range(start, min(start + BATCH, options.seed + options.count)) for start in _starts(options)]
    done, lost, started = Batch(0, 0, 0, Counter(), ()), 0, time.monotonic()
    outcomes = run_guarded(_judge_seeds, batches, at_once=options.jobs, limit_seconds=options.limit_seconds)
    for outcome in outcomes:
        if outcome.result is None:
            lost += 1
            click.echo(f"seeds {outcome.job.start} to {outcome.job.stop - 1}: {outcome.failure}")
            continue
        done = _sum(done, outcome.result)
        for finding in outcome.result.findings:
            click.echo("\n".join(_told(finding)))
    click.echo(
        f"{done.networks} networks, {done.sizes} sizes ({done.running} run), {len(done.findings)} networks disagree, "
        f"{lost} batches without an answer; {dict(done.certainty)}; {time.monotonic() - started:.0f} s"
    )
    return int(bool(done.findings or lost))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="the first network's seed; each has its own")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=int, default=LIMIT, help="the largest size")
    parser.add_argument("--limit-seconds", type=float, default=600.0, help=f"for {BATCH} networks")
    parser.add_argument("--replay", type=argparse.FileType(), metavar="FILE", help="judge this description")
    return parser


def _starts(options: argparse.Namespace) -> Iterator[int]:
    yield from range(options.seed, options.seed + options.count, BATCH)


def _judge_seeds(seeds: range) -> Batch:
    torch.set_num_threads(1)
    total = Batch(0, 0, 0, Counter(), ())
    for seed in seeds:
        description = describe(random.Random(seed))
        judgement = judge(description)
        findings = (_finding(seed, description),) if judgement.disagreements else ()
        certainty = Counter([judgement.certainty])
        total = _sum(total, Batch(1, judgement.sizes, judgement.running, certainty, findings))
    return total


def _sum(a: Batch, b: Batch) -> Batch:
    return Batch(
        a.networks + b.networks,
        a.sizes + b.sizes,
        a.running + b.running,
        a.certainty + b.certainty,
        a.findings + b.findings,
    )


def _finding(seed: int, description: Description) -> Finding:
    """The smallest description found that still disagrees: blocks are taken away as long as any can be."""
    tried, shrinking = 0, True
    while shrinking and tried < _SHRINKING:
        shrinking = False
        for candidate in smaller(description):
            tried += 1
            if judge(candidate).disagreements:
                description, shrinking = candidate, True
                break
            if tried >= _SHRINKING:
                break
    examples = judge(description).disagreements
    return Finding(seed, description, tuple(str(difference) for difference in examples[:3]))


def _told(finding: Finding) -> list[str]:
    return [
        f"seed {finding.seed}: {json.dumps(finding.description)}",
        *(f"    {example}" for example in finding.examples),
    ]


def _replay(description: Description, limit: int) -> int:
    judgement = judge(description, limit)
    for difference in judgement.disagreements:
        click.echo(str(difference))
    click.echo(
        f"{judgement.sizes} sizes, {judgement.running} run, {len(judgement.disagreements)} disagreements; "
        f"{judgement.certainty}"
    )
    return int(bool(judgement.disagreements))


if __name__ == "__main__":
    sys.exit(main())
