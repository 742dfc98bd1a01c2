"""``--statistics``: how often each code was found, in the place of the findings. For people, or as JSON."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

from shapelint.report.wording import closing, has_fix
from shapelint.results import LintResult

FORMATS: Final = ("text", "concise", "json")


def statistics(result: LintResult, form: str) -> str:
    """The codes with their counts, most frequent first.

    Raises:
        KeyError: there are no statistics in this format.
    """
    if form not in FORMATS:
        raise KeyError(form)
    counts = Counter((finding.code, finding.name) for finding in result.diagnostics)
    fixable = Counter(finding.code for finding in result.diagnostics if has_fix(finding))
    ordered = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    if form == "json":
        data = [
            {"code": code, "name": name, "count": count, "fixable": fixable[code]} for (code, name), count in ordered
        ]
        return json.dumps(data, indent=2) + "\n"
    width = max((len(str(count)) for count in counts.values()), default=0)
    lines = [f"{count:>{width}}  {code}  {'[*]' if fixable[code] else '   '} {name}" for (code, name), count in ordered]
    return "".join(f"{line}\n" for line in [*lines, *([closing(result)] if form == "text" else [])])
