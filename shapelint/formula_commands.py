"""``shapelint formula``: the five width formulas for someone at a terminal, with the arithmetic written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_OPTIONS = {
    "width": ("-w", "--width", "The size along one axis, before the layer."),
    "kernel_size": ("-k", "--kernel-size", "The layer's kernel_size."),
    "stride": ("-s", "--stride", "The layer's stride."),
    "padding": ("-p", "--padding", "The layer's padding, on each side."),
    "dilation": ("-d", "--dilation", "The layer's dilation."),
    "output_padding": ("-o", "--output-padding", "The layer's output_padding: columns added at one end only."),
}
_DEFAULTS = {"stride": 1, "padding": 0, "dilation": 1, "output_padding": 0}
_LEAST = {"padding": 0, "output_padding": 0}


class Refused(click.ClickException):
    """PyTorch would raise, or no such value exists."""

    exit_code = 2


def _options(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The named parameters of a layer as options: the same everywhere, as PyTorch calls them."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            short, long, help_text = _OPTIONS[name]
            settings: dict[str, Any] = (
                {"default": _DEFAULTS[name], "show_default": True} if name in _DEFAULTS else {"required": True}
            )
            kind = click.IntRange(min=_LEAST.get(name, 1))
            command = click.option(short, long, name, type=kind, help=help_text, **settings)(command)
        return command

    return decorate


def _tell(result: int, arithmetic: str, *remarks: str) -> None:
    click.echo(result)
    click.echo(arithmetic)
    for remark in remarks:
        click.echo(remark)


def _kernel(kernel_size: int, dilation: int) -> int:
    from shapelint.sizes.formulas import effective_kernel_size

    return effective_kernel_size(kernel_size, dilation)


def _where_kernel(kernel_size: int, dilation: int) -> str:
    return f"where {_kernel(kernel_size, dilation)} = {dilation}·({kernel_size} − 1) + 1 is the width the kernel covers"


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def formula() -> None:
    """Calculate a layer's sizes along one axis, with the arithmetic written out.

    The first line printed is the result alone.

    \b
    Examples:
      shapelint formula conv -w 100 -k 5 -p 6 -d 7 -s 2
      shapelint formula conv-transpose -w 100 -k 4 -p 5 -d 6 -s 7 -o 1
      shapelint formula same -k 5 -d 6
      shapelint formula upsample -k 4 -s 5 -p 1
    """


@formula.command()
@_options("width", "kernel_size", "stride", "padding", "dilation")
def conv(width: int, kernel_size: int, stride: int, padding: int, dilation: int) -> None:
    """What a convolution (or pooling) returns: formula (1)."""
    from shapelint.sizes.formulas import conv_width

    kernel = _kernel(kernel_size, dilation)
    if width + 2 * padding < kernel:
        raise Refused(
            f"PyTorch raises here: the kernel covers {kernel} columns, "
            f"and with its padding the input has only {width + 2 * padding}"
        )
    result = conv_width(width, kernel_size, stride, padding, dilation)
    _tell(
        result,
        f"({width} + 2·{padding} − {kernel}) // {stride} + 1 = {result}",
        _where_kernel(kernel_size, dilation),
    )


@formula.command()
@_options("kernel_size", "dilation")
def same(kernel_size: int, dilation: int) -> None:
    """The padding with which a convolution of stride 1 keeps the size: formula (2)."""
    from shapelint.sizes.formulas import same_padding

    padding = _or_explain(lambda: same_padding(kernel_size, dilation))
    _tell(padding, f"{dilation}·({kernel_size} − 1) / 2 = {padding}")


@formula.command()
@_options("kernel_size", "stride", "dilation")
def downsample(kernel_size: int, stride: int, dilation: int) -> None:
    """The smallest padding with which a convolution divides the size exactly by its stride: formula (3).

    Exactly for the multiples of the stride. The division is rounded up; printed derivations that round it down
    lose a column (k=3, s=2 would give padding 0, and 100 -> 49).
    """
    from shapelint.sizes.formulas import conv_width, downsample_padding

    padding = downsample_padding(kernel_size, stride, dilation)
    kernel = _kernel(kernel_size, dilation)
    width = 20 * stride
    _tell(
        padding,
        f"max(0, ceil(({kernel} − {stride}) / 2)) = {padding}",
        _where_kernel(kernel_size, dilation),
        f"for example {width} -> {conv_width(width, kernel_size, stride, padding, dilation)}",
    )


@formula.command("conv-transpose")
@_options("width", "kernel_size", "stride", "padding", "dilation", "output_padding")
def conv_transpose(width: int, kernel_size: int, stride: int, padding: int, dilation: int, output_padding: int) -> None:
    """What a transposed convolution returns: formula (4)."""
    from shapelint.sizes.formulas import conv_transpose_width

    result = _or_explain(lambda: conv_transpose_width(width, kernel_size, stride, padding, dilation, output_padding))
    kernel = _kernel(kernel_size, dilation)
    if result < 1:
        raise Refused(f"PyTorch raises here: the output would have {result} columns")
    _tell(
        result,
        f"{stride}·({width} − 1) − 2·{padding} + {kernel} + {output_padding} = {result}",
        _where_kernel(kernel_size, dilation),
    )


@formula.command()
@_options("kernel_size", "stride", "padding", "dilation")
def upsample(kernel_size: int, stride: int, padding: int, dilation: int) -> None:
    """The output_padding with which a transposed convolution multiplies the size exactly by its stride: formula (5)."""
    from shapelint.sizes.formulas import upsample_output_padding

    result = _or_explain(lambda: upsample_output_padding(kernel_size, stride, padding, dilation))
    kernel = _kernel(kernel_size, dilation)
    _tell(result, f"2·{padding} + {stride} − {kernel} = {result}", _where_kernel(kernel_size, dilation))


@formula.command()
@_options("width", "kernel_size", "stride", "padding", "dilation")
def remainder(width: int, kernel_size: int, stride: int, padding: int, dilation: int) -> None:
    """Res: the columns at the end that a convolution does not read because its stride does not reach them.

    The transposed convolution with the same parameters gives the size back exactly if its output_padding is Res.
    """
    from shapelint.sizes.formulas import remainder as res

    result = res(width, kernel_size, stride, padding, dilation)
    kernel = _kernel(kernel_size, dilation)
    back = f"{width} − {result} + output_padding"
    _tell(
        result,
        f"({width} + 2·{padding} − {kernel}) mod {stride} = {result}",
        _where_kernel(kernel_size, dilation),
        f"the transposed convolution with the same parameters returns {back}: {width} again if output_padding={result}",
    )


def _or_explain(calculate: Callable[[], int]) -> int:
    try:
        return calculate()
    except ValueError as error:
        raise Refused(str(error)) from error
