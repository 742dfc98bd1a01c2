"""Many random networks: ``python -m tests.fuzz --count 20000 --seed 0 --jobs 2``.

Every network is judged at every size 1 ... 96. A disagreement is told with the smallest description that still
shows it; ``--replay FILE`` (or ``-`` for standard input) judges one description again.
Exit status 0 if every answer agrees, 1 if not.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import click
import torch

from tests.grammar import Description, describe, smaller
from tests.guarded import run_guarded
from tests.judging import LIMIT, judge

_SHRINKING = 40
"""Descriptions tried at most to make one failure smaller."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A network about which the analysis is wrong."""

    seed: int
    description: Description
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some networks; ``unproven`` has, for each reason, the seed of a network that shows it."""

    networks: int
    sizes: int
    running: int
    certainty: Counter[str]
    unproven: dict[str, int]
    findings: tuple[Finding, ...]


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.replay:
        return _replay(json.loads(options.replay.read()), options.limit)
    torch.set_num_threads(1)
    # Once, before the processes are forked off: what only a first analysis pays is then paid for all of them.
    judge({"rank": 2, "channels": 1, "blocks": [{"op": "relu"}]}, limit=4)
    done, lost, started = Tally(0, 0, 0, Counter(), {}, ()), 0, time.monotonic()
    work = functools.partial(_judge_seed, limit=options.limit, share=options.share)
    outcomes = run_guarded(
        work,
        range(options.seed, options.seed + options.count),
        at_once=options.jobs,
        limit_seconds=options.limit_seconds,
    )
    for outcome in outcomes:
        if outcome.result is None:
            lost += 1
            description = describe(random.Random(outcome.job))
            click.echo(f"seed {outcome.job}: {outcome.failure}: {json.dumps(description)}")
            continue
        done = _sum(done, outcome.result)
        for finding in outcome.result.findings:
            click.echo("\n".join(_told(finding)))
    for reason, seed in done.unproven.items():
        click.echo(f"not proven, as seed {seed}: {reason}")
    click.echo(
        f"{done.networks} networks, {done.sizes} sizes ({done.running} run), {len(done.findings)} networks disagree, "
        f"{lost} without an answer; {dict(done.certainty)}; {time.monotonic() - started:.0f} s"
    )
    return int(bool(done.findings or lost))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0, help="the first network's seed; each has its own")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--share", type=float, default=1.0, help="of the sizes not the same on all axes, which part")
    parser.add_argument("--limit", type=int, default=LIMIT, help="the largest size")
    parser.add_argument("--limit-seconds", type=float, default=60.0, help="for one network")
    parser.add_argument("--replay", type=argparse.FileType(), metavar="FILE", help="judge this description")
    return parser


def _judge_seed(seed: int, limit: int, share: float) -> Tally:
    description = describe(random.Random(seed))
    judgement = judge(description, limit, share)
    findings = (_finding(seed, description),) if judgement.disagreements else ()
    unproven = {reason[:160]: seed for reason in judgement.reasons[:1]}
    return Tally(1, judgement.sizes, judgement.running, Counter([judgement.certainty]), unproven, findings)


def _sum(a: Tally, b: Tally) -> Tally:
    return Tally(
        a.networks + b.networks,
        a.sizes + b.sizes,
        a.running + b.running,
        a.certainty + b.certainty,
        {**b.unproven, **a.unproven},
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
