"""What a lint rule is: one class in one file, with its documentation, its examples and its check. No torch here."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from shapelint.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from shapelint.rules.context import Context


@dataclass(frozen=True, slots=True)
class RuleInfo:
    """What reports and ``shapelint explain`` say of a rule.

    Attributes:
        documentation: Markdown.
        default: whether it is on unless one says otherwise.
    """

    code: str
    name: str
    summary: str
    documentation: str
    default: bool = True


@dataclass(frozen=True, slots=True)
class Example:
    """A model that a rule passes or objects to; it is documentation and test in one.

    Attributes:
        source: defines ``Model``; ``torch``, ``nn`` and ``F`` are imported already.
        inputs, sizes: as ``shapelint.analyze`` takes them.
        message: a part of the finding's text that must be there.
        severity: of the finding.
    """

    source: str
    inputs: Any = None
    sizes: Any = None
    message: str = ""
    severity: Severity = Severity.ERROR


class Rule:
    """A lint rule. Subclasses live one to a file; the class docstring is the documentation page."""

    code: ClassVar[str]
    name: ClassVar[str]
    summary: ClassVar[str]
    default: ClassVar[bool] = True
    VALID: ClassVar[tuple[Example, ...]] = ()
    INVALID: ClassVar[tuple[Example, ...]] = ()

    def check(self, context: Context) -> Iterable[Diagnostic]:
        """The findings in one analysed model."""
        raise TypeError(f"{type(self).__name__} has no check")

    @classmethod
    def info(cls) -> RuleInfo:
        return RuleInfo(cls.code, cls.name, cls.summary, inspect.cleandoc(cls.__doc__ or ""), cls.default)

    def finding(self, severity: Severity, message: str, **details: Any) -> Diagnostic:
        """A diagnostic of this rule."""
        return Diagnostic(self.code, self.name, severity, message, **details)
