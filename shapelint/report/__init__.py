"""Reports: one file a format. A format is a function from a result to text, registered under its name.

    @report_format("concise")
    def concise(result: LintResult, style: Style) -> str: ...

The files of this package are the formats; there is no list to keep.
"""

from shapelint.report.registry import Style, format_names, render, report_format

__all__ = ["Style", "format_names", "render", "report_format"]
