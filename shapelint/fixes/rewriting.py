"""Code written in another way, by libcst: what is not meant to change keeps its comments, its commas and its layout.

Only imported when an edit is being made: importing libcst takes longer than reading most files.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider

_Whitespace = cst.BaseParenthesizableWhitespace


def with_arguments(code: str, adding: Sequence[str] = (), removing: Sequence[str] = ()) -> str:
    """A call with other arguments.

    Args:
        code: the call.
        adding: ``name=value`` each, to stand after the last one, in the manner in which the others stand.
        removing: the names of keyword arguments to leave out.
    """
    call = _call(code)
    for argument in adding:
        new = _argument(argument, like=call.args)
        call = call.with_changes(args=_continued(call, new) if call.args else [new])
    for name in removing:
        call = call.with_changes(args=_without(call.args, name))
    return _code(call)


def with_statement_before(text: str, line: int, column: int, statement: str) -> str:
    """A module with a statement before the one that starts here; on the same line where that has others already.

    Args:
        text: the module.
        line, column: where the following statement starts, counted from 1 and from 0.
        statement: a simple one, such as an assignment.
    """
    wrapper = MetadataWrapper(cst.parse_module(text), unsafe_skip_copy=True)
    return wrapper.visit(_Inserting((line, column), statement)).code


def with_import(text: str, module: str, alias: str) -> str:
    """A module that imports another one under a name."""
    # Seldom needed, and it takes as long to import as the rest of libcst.
    from libcst.codemod import CodemodContext
    from libcst.codemod.visitors import AddImportsVisitor

    context = CodemodContext()
    AddImportsVisitor.add_needed_import(context, module, asname=alias)
    return AddImportsVisitor(context).transform_module(cst.parse_module(text)).code


# --- arguments ---------------------------------------------------------------------------------------------


def _call(code: str) -> cst.Call:
    # In parentheses, as a call may be continued on further lines before its own ones open.
    found = cst.parse_expression(f"({code})")
    assert isinstance(found, cst.Call)
    return found


def _code(call: cst.Call) -> str:
    return cst.Module([]).code_for_node(call)[1:-1]


def _argument(text: str, like: Sequence[cst.Arg]) -> cst.Arg:
    new = _call(f"call({text})").args[0]
    equal = next((arg.equal for arg in reversed(like) if arg.keyword is not None), None)
    return new if equal is None or new.keyword is None else new.with_changes(equal=equal)


def _without(args: Sequence[cst.Arg], name: str) -> list[cst.Arg]:
    """The arguments less one."""
    position = next(i for i, arg in enumerate(args) if arg.keyword is not None and arg.keyword.value == name)
    kept = [arg for i, arg in enumerate(args) if i != position]
    if kept and position == len(kept):
        kept[-1] = _as_last(kept[-1], args[position])
    return kept


def _continued(call: cst.Call, new: cst.Arg) -> list[cst.Arg]:
    """The arguments and one more."""
    *before, last = call.args
    after = _after(last)
    between = _between(call)
    if not isinstance(between, cst.ParenthesizedWhitespace):
        return [*before, _followed(last, between), _closed(new, last, after)]
    # One argument a line. What was noted beside the last one or below it stays there.
    noted = isinstance(after, cst.ParenthesizedWhitespace)
    parted = after.with_changes(indent=between.indent, last_line=between.last_line) if noted else between
    return [*before, _followed(last, parted), _closed(new, last, _without_comments(after))]


def _between(call: cst.Call) -> _Whitespace:
    """What stands between arguments: a new line, where every one of them has its own."""
    *before, last = call.args
    gaps: list[_Whitespace] = [_after(arg) for arg in before]
    if not before and _has_comma(last) and isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace):
        gaps = [call.whitespace_before_args]
    if gaps and all(isinstance(gap, cst.ParenthesizedWhitespace) for gap in gaps):
        return _without_comments(gaps[-1])
    return next((gap for gap in gaps if isinstance(gap, cst.SimpleWhitespace)), cst.SimpleWhitespace(" "))


def _as_last(arg: cst.Arg, removed: cst.Arg) -> cst.Arg:
    """An argument in the place of the last one, that it stood before."""
    own, end = _after(arg), _after(removed)
    if isinstance(own, cst.ParenthesizedWhitespace) and own.first_line.comment is not None:
        below = end.last_line if isinstance(end, cst.ParenthesizedWhitespace) else own.last_line
        return _closed(arg, removed, own.with_changes(last_line=below))
    if isinstance(own, cst.ParenthesizedWhitespace):
        return _closed(arg, removed, _without_comments(end))
    return _closed(arg, removed, end)


def _followed(arg: cst.Arg, whitespace: _Whitespace) -> cst.Arg:
    comma = cst.Comma(whitespace_after=whitespace)
    return arg.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))


def _closed(arg: cst.Arg, like: cst.Arg, whitespace: _Whitespace) -> cst.Arg:
    """An argument as the last one, with a comma if the last one had it so far."""
    if _has_comma(like):
        return _followed(arg, whitespace)
    return arg.with_changes(comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=whitespace)


def _has_comma(arg: cst.Arg) -> bool:
    return isinstance(arg.comma, cst.Comma)


def _after(arg: cst.Arg) -> _Whitespace:
    return arg.comma.whitespace_after if isinstance(arg.comma, cst.Comma) else arg.whitespace_after_arg


def _without_comments(whitespace: _Whitespace) -> _Whitespace:
    if not isinstance(whitespace, cst.ParenthesizedWhitespace):
        return whitespace
    return whitespace.with_changes(first_line=cst.TrailingWhitespace(), empty_lines=[])


# --- statements --------------------------------------------------------------------------------------------


class _Inserting(cst.CSTTransformer):
    """Puts a statement before the one at a place."""

    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, place: tuple[int, int], statement: str) -> None:
        super().__init__()
        self.place = place
        parsed = cst.parse_statement(statement)
        assert isinstance(parsed, cst.SimpleStatementLine)
        self.new = parsed

    def leave_SimpleStatementLine(  # noqa: N802
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.FlattenSentinel[cst.SimpleStatementLine]:
        position = self._position(original_node)
        if position is None:
            return updated_node
        if position > 0:
            return updated_node.with_changes(body=self._inserted(updated_node.body, position))
        above = self.new.with_changes(leading_lines=updated_node.leading_lines)
        return cst.FlattenSentinel([above, updated_node.with_changes(leading_lines=[])])

    def leave_SimpleStatementSuite(  # noqa: N802
        self, original_node: cst.SimpleStatementSuite, updated_node: cst.SimpleStatementSuite
    ) -> cst.SimpleStatementSuite:
        position = self._position(original_node)
        if position is None:
            return updated_node
        return updated_node.with_changes(body=self._inserted(updated_node.body, position))

    def _position(self, line: cst.SimpleStatementLine | cst.SimpleStatementSuite) -> int | None:
        starts = [self.get_metadata(PositionProvider, statement).start for statement in line.body]
        return next((i for i, start in enumerate(starts) if (start.line, start.column) == self.place), None)

    def _inserted(self, body: Sequence[cst.BaseSmallStatement], position: int) -> list[cst.BaseSmallStatement]:
        new = self.new.body[0].with_changes(semicolon=cst.Semicolon(whitespace_after=cst.SimpleWhitespace(" ")))
        return [*body[:position], new, *body[position:]]
