"""Commands with many options: ``--help`` sorts them under headings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

_OTHER: Final = "Other options"


class Sectioned(click.Command):
    """A command whose options are shown by section; those of no section come last."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._section_of = {name: title for title, names in sections.items() for name in names}
        self._titles = (*sections, _OTHER)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {title: [] for title in self._titles}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                rows[self._section_of.get(parameter.name or "", _OTHER)].append(record)
        for title, records in rows.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)
