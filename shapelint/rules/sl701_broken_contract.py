from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shapelint.diagnostics import Diagnostic, Severity
from shapelint.rules import wording
from shapelint.rules.base import Example, Rule

if TYPE_CHECKING:
    from shapelint.claims import Counterexample
    from shapelint.contracts import Contract
    from shapelint.rules.context import Context
    from shapelint.sizes.domain import Domain


_LONGEST_SET = 100


class BrokenContract(Rule):
    """
    ## What it does
    Finds a model that does not keep the contract its class states: with `@shapelint.contract`, or with jaxtyping
    annotations on `forward`.

    ## Why is this bad
    Whoever uses the class reads the contract, not the layers.

    ## Example
    ```python
    @shapelint.contract(input="N,3,H,W", output="N,1,H,W", sizes="H%2==0, W%2==0")
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 3)      # no padding: 64 -> 62

        def forward(self, x):
            return self.conv(x)
    ```

    ## Use instead
    ```python
    self.conv = nn.Conv2d(3, 1, 3, padding=1)
    ```

    ## How it is decided
    A contract with `sizes` must hold at each of them. One without is held to the sizes that shapelint expects of the
    network (the multiples of its total stride); where it is broken at other sizes that run, that is a note.
    The decorator comes before annotations. In an output, `_` is any size.
    """

    code = "SL701"
    name = "broken-contract"
    summary = "the code does not keep the contract that its class states"

    VALID = (
        Example(
            """
            import shapelint

            @shapelint.contract(input="N,3,H,W", output="N,1,H//2,W//2", sizes="H%2==0, W%2==0")
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 1, 2, stride=2)

                def forward(self, x):
                    return self.conv(x)
            """
        ),
    )
    INVALID = (
        Example(
            """
            import shapelint

            @shapelint.contract(input="N,3,H,W", output="N,1,H,W", sizes="H%2==0, H>=8, W==H")
            class Model(nn.Module):
                def __init__(self):
                    super().__init__()
                    self.conv = nn.Conv2d(3, 1, 3)

                def forward(self, x):
                    return self.conv(x)
            """,
            message="breaks its contract",
        ),
    )

    def check(self, context: Context) -> Iterator[Diagnostic]:
        contract = context.analysis.contract
        if contract is None or context.analysis.valid_sizes.is_empty():
            return  # where nothing runs at all, SL302 and SL402 say why
        from shapelint import claims

        wanted = claims.wanted_by(context.analysis, contract.sizes)
        if contract.sizes is not None and (found := claims.refused(context.analysis, wanted)) is not None:
            yield self._refused(context, found)
        if contract.output is None:
            return
        if (found := _misshapen(context, contract, wanted)) is not None:
            yield self._misshapen(context, contract, found, Severity.ERROR)
        elif contract.sizes is None and (found := _misshapen(context, contract, context.analysis._domain)) is not None:
            yield self._misshapen(context, contract, found, Severity.NOTE)

    def _refused(self, context: Context, found: Counterexample) -> Diagnostic:
        analysis = context.analysis
        reason = analysis.why_not(**{s: found.least[s] for s in analysis.symbols if s in found.least})
        return self.finding(
            Severity.ERROR,
            f"`{context.model}` breaks its contract: it does not run at {_at(found, context.symbols)}",
            location=context.class_site(),
            model=context.model,
            layer=reason.layer if reason else None,
            axis=", ".join(context.symbols),
            sizes=_sentence(found, context.symbols),
            why=reason.message if reason else "",
            certainty=context.certainty,
        )

    def _misshapen(self, context: Context, contract: Contract, found: Counterexample, severity: Severity) -> Diagnostic:
        from shapelint.shape_text import shapes_text

        analysis = context.analysis
        got = analysis.output_shape(**{s: found.least[s] for s in analysis.symbols if s in found.least})
        promised = contract.output_text
        elsewhere = "" if severity is Severity.ERROR else ", at sizes that are not expected of it"
        return self.finding(
            severity,
            f"`{context.model}` breaks its contract: it promises ({promised}) and returns another shape{elsewhere}",
            location=context.class_site(),
            model=context.model,
            axis=", ".join(context.symbols) if _is_about_sizes(context, contract, got, found) else None,
            sizes=_sentence(found, context.symbols),
            example=f"For {_at(found, context.symbols)} it returns {shapes_text(got)}",
            certainty=context.certainty,
        )


def _misshapen(context: Context, contract: Contract, among: Domain) -> Counterexample | None:
    from shapelint import claims
    from shapelint.shape_text import parse_output

    return claims.misshapen(context.analysis, among, parse_output(contract.output, context.analysis.inputs.symbols))


def _is_about_sizes(context: Context, contract: Contract, got: Any, found: Counterexample) -> bool:
    """Whether it is a spatial size that differs, rather than a number of channels."""
    from shapelint.claims import tensor_shapes
    from shapelint.shape_text import parse_output
    from shapelint.sizes import Dim
    from shapelint.sizes.dim import evaluate

    shapes = parse_output(contract.output, context.analysis.inputs.symbols)
    pairs = [
        (have, want)
        for made, promised in zip(tensor_shapes(got), shapes, strict=False)
        if len(made) == len(promised)
        for have, want in zip(made, promised, strict=True)
    ]
    return any(isinstance(want, Dim) and have != evaluate(want, found.least) for have, want in pairs)


def _sentence(found: Counterexample, symbols: Sequence[str]) -> str:
    """The sizes in words; of sets that take a formula to describe, only whose sizes they are."""
    text = found.sizes.sentence()
    return text if len(text) <= _LONGEST_SET or not symbols else f"some {wording.listed(symbols)}"


def _at(found: Counterexample, symbols: Sequence[str]) -> str:
    return wording.at(found.least, symbols) if symbols else "any size"
