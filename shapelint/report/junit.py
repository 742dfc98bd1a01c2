"""JUnit XML: every model is a test case, which its errors and warnings fail."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final
from xml.etree import ElementTree as ET

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.report.registry import Style, report_format
from shapelint.report.wording import details, headline
from shapelint.results import TOOL_FAILURES, LintResult

_NOT_IN_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_Case = tuple[str, str]


@report_format("junit")
def junit(result: LintResult, style: Style) -> str:
    """One suite with a case for each model; what could not be analysed is an error rather than a failure."""
    cases: dict[_Case, list[Diagnostic]] = {(model.location.path, model.name): [] for model in result.models}
    for finding in result.diagnostics:
        cases.setdefault(_case(finding, cases), []).append(finding)
    suite = ET.Element("testsuite", name="shapelint")
    for (path, name), findings in sorted(cases.items()):
        case = ET.SubElement(suite, "testcase", classname=path, name=name, file=path, time="0")
        _fill(case, findings)
    for kind, attribute in (("testcase", "tests"), ("failure", "failures"), ("error", "errors")):
        suite.set(attribute, str(len(list(suite.iter(kind)))))
    suites = ET.Element("testsuites", name="shapelint")
    suites.append(suite)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode")


def _case(finding: Diagnostic, cases: Iterable[_Case]) -> _Case:
    """The model a finding is about: by its file, else by its name, else the file itself."""
    path = finding.location.path if finding.location else ""
    same_name = [case for case in cases if case[1] == finding.model]
    if (path, finding.model) in same_name or not same_name:
        return path, finding.model or finding.name
    return same_name[0]


def _fill(case: ET.Element, findings: Sequence[Diagnostic]) -> None:
    """At most one failure and one error in a case, since readers look at the first alone."""
    severe = [finding for finding in findings if finding.severity is not Severity.NOTE]
    errors = [finding for finding in severe if finding.code in TOOL_FAILURES]
    failures = [finding for finding in severe if finding.code not in TOOL_FAILURES]
    for kind, told in (("error", errors), ("failure", failures)):
        if told:
            codes = ", ".join(sorted({finding.code for finding in told}))
            element = ET.SubElement(case, kind, type=codes, message=_clean(told[0].message))
            element.text = _clean("\n\n".join(map(_text, told)))
    notes = [finding for finding in findings if finding.severity is Severity.NOTE]
    if notes:
        ET.SubElement(case, "system-out").text = _clean("\n\n".join(map(_text, notes)))


def _text(finding: Diagnostic) -> str:
    return "\n".join([headline(finding, Style()), *(f"  {label}: {value}" for label, value in details(finding))])


def _clean(text: str) -> str:
    """XML 1.0 has no way to write most control characters."""
    return _NOT_IN_XML.sub("\ufffd", text)
