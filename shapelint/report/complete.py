"""Everything that was found, as data, for ``shapelint merge``: findings and reasons, models, what is left out."""

from __future__ import annotations

import json
from typing import Final

from shapelint import __version__
from shapelint.codec import encode
from shapelint.report.registry import Style, report_format
from shapelint.results import LintResult

FORMAT: Final = 1
"""Raised whenever a reader of the older format would misread the newer."""


@report_format("complete")
def complete(result: LintResult, style: Style) -> str:
    """The whole result: from it every other report can be written, elsewhere and later."""
    data = {"format": FORMAT, "shapelint": __version__, "result": encode(result)}
    return json.dumps(data, indent=1, ensure_ascii=False)
