"""Sensible values for the arguments that a model's ``__init__`` requires.

Conventional names first (``n_channels``, ``num_classes``, ``features``, ``norm_layer`` ...), then annotations.
Everything chosen here is an assumption and is shown to the reader as one.
"""

from __future__ import annotations

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import nn

CHANNELS: Final = (16, 32, 64)
_ONE_EACH: Final = (2, 2)
_EMPTY: Final = inspect.Parameter.empty
_MOST_PLANS: Final = 8


@dataclass(frozen=True, slots=True)
class Convention:
    """What people mean by a parameter name.

    Attributes:
        pattern: matched against the whole name, lower case.
        values: tried in this order. A tuple stands for a list where the annotation asks for one.
        several: the value where the annotation says it is a sequence.
    """

    pattern: re.Pattern[str]
    values: tuple[Any, ...]
    several: tuple[Any, ...] | None = None


def _named(pattern: str, *values: Any, several: tuple[Any, ...] | None = None) -> Convention:
    return Convention(re.compile(pattern), values, several)


# First match wins. Networks are tried before building blocks: 3 channels in, 2 out; then 64 in and out, which every
# group norm and every number of heads divides.
CONVENTIONS: Final[tuple[Convention, ...]] = (
    _named(r"(spatial_dims?|n_?dims?|num_dims|dimensions?|conv_dim|spatial_dimensions)", 2),
    _named(
        r"(n_channels|(num|n)_?(in(put)?_?)?(channels|ch|chans|features)|in(put)?_?(channels?|ch|chans?|planes|dims?|c|nc|feat\w*|filters|size)"
        r"|(channels?|c|ch|dim|planes)_?in|cin|inp|inplanes|inchannels?|img_ch|image_channels|img_channels|colou?r_channels|nc|n_in|in_)",
        3,
        64,
        several=CHANNELS,
    ),
    _named(
        r"((num|n|nb)_?_?(class(es)?|out(put)?s?|labels|out_?channels|outputs|keypoints|targets)|class(es)?|nclass(es)?|"
        r"out(put)?_?(channels?|ch|chans?|planes|dims?|c|nc|feat\w*|filters|size)|(channels?|c|ch|dim|planes)_?out|cout|oup|outplanes|outchannels?|n_out|out)",
        2,
        64,
        several=CHANNELS,
    ),
    _named(
        r"(strides|\w*downsample_factors|upsample_factors|\w*_strides|pool_sizes|scales)",
        _ONE_EACH,
        (2, 2, 2),
        2,
        several=_ONE_EACH,
    ),
    _named(r"(kernels|kernel_sizes|\w*_kernel_sizes?)", 3, (3, 3, 3), several=(3, 3, 3)),
    _named(r"(num|n|nb)_?(heads?|groups)|heads|groups|num_head_channels", 8, 1),
    _named(
        r"(depths|layers|blocks|num_blocks|\w*_depths|layers_per_block)",
        2,
        (2, 2, 2, 2),
        (2, 2, 2),
        several=(2, 2, 2, 2),
    ),
    _named(
        r"((num|n|nb)_?(layers?|blocks?|convs?|res\w*|repeats?|stacks?|cells?)|depth|repeats?|blocks_per_\w+)",
        2,
        (2, 2, 2, 2),
        several=(2, 2, 2, 2),
    ),
    _named(
        r"((num|n|nb)_?(levels?|stages?|scales?|downs?|ups?|pools?)|levels?|stages?|num_resolutions)",
        3,
        several=(1, 2, 3),
    ),
    _named(
        r"((img|image|input|in|crop|sample|spatial)_?(size|shape|resolution|res|dim)|resolution|img_?(h|w|height|width)|height|width)",
        224,
        64,
        (224, 224),
        several=(224, 224),
    ),
    _named(r"patch(_size|_dim|es)?", 16, 4, (16, 16), several=(16, 16)),
    _named(r"(window|win)(_size)?", 7, 8, several=(7, 7)),
    _named(r"(kernel_?(size)?|k|ks|ksize|filter_size|kernel_width)", 3, several=(3, 3)),
    _named(r"stride", 1, 2, several=(1, 1)),
    _named(r"(padding|pad)", 1, several=(1, 1)),
    _named(r"output_padding", 0, several=(0, 0)),
    _named(r"dilations?", 1, (1, 2, 4), several=(1, 2, 4)),
    _named(
        r"(\w*scale(_factor)?|up(scale|sampling)?(_factor)?|factor|downsample_factor|r|reduction(_ratio)?|ratio|expansion|expand_ratio)",
        2,
        4,
        several=_ONE_EACH,
    ),
    _named(r"(drop(out)?(_?(rate|prob|p|path\w*))?|p|dropout\w*|drop_\w+|droprate)", 0.1),
    _named(r"(mlp_ratio|ff_mult|expansion_factor)", 4.0),
    _named(r"(mlp_dim|ff_dim|dim_feedforward|intermediate_size|mlp_hidden_dim)", 128),
    _named(r"(dim_head|head_dim)", 64),
    _named(r"(bilinear|use_bilinear|bias|batch_?norm|use_bn|bn|use_batch_?norm|residual|skip\w*)", True, False),
    _named(r"(norm(_layer|alization|_type|_fn)?|normalization_layer)", nn.BatchNorm2d, "batch", "instance"),
    _named(r"((act|activation|nonlinearity|nonlin)(_layer|_fn|_func|_type)?)", nn.ReLU, nn.ReLU(), "relu", torch.relu),
    _named(r"device", "cpu", torch.device("cpu")),
    _named(r"dtype", torch.float32),
    _named(
        r"(seq_?len|seq_length|max_len|block_size|context_length|n_frames|num_frames|max_\w*length|num_patches|num_tokens)",
        64,
    ),
    _named(r"(vocab(_size)?|num_embeddings|n_vocab|num_tokens)", 1000),
    _named(
        r"(latent_?(dim|size|channels)|z_?(dim|channels|size)|nz|embedding_?(dim|size)|bottleneck\w*|code_dim)", 64, 16
    ),
    _named(r"eps|\w*_eps", 1e-5),
    _named(
        r"(features|filters|channels|widths|dims|planes|\w*_(channels|features|filters|widths|dims|planes)|chs|ch_mult|channel_mults?|num_filters_list)",
        64,
        CHANNELS,
        several=CHANNELS,
    ),
    _named(
        r"((base|start|init(ial)?|hidden|embed|model|inner|mid(dle)?|growth|inter|feat(ure)?|n|num|nb|d|bottle)_?\w*"
        r"|dim|\w*_dim|width|base|ngf|ndf|nf|nb_?filters?|d_model|ch|c\d?|f|c|growth_rate|w|\w*_ch(annel)?|hidden|size|n_feat\w*|f_\w+|channel)",
        64,
        16,
        several=CHANNELS,
    ),
)


class CannotGuess(Exception):
    """A required argument that neither its name nor its annotation explains."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = tuple(names)


def required_parameters(callee: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """The parameters of a class or function that have no default.

    Raises:
        ValueError: it has no readable signature.
    """
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    parameters = inspect.signature(callee).parameters.values()
    return tuple(parameter for parameter in parameters if parameter.kind in plain and parameter.default is _EMPTY)


def plans(
    callee: Callable[..., Any], names: Sequence[str], assume: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[dict[str, Any]]:
    """Ways to fill the named arguments, the most usual first, a few at most.

    First all usual values; then a list where a single value was tried, and the other way around; then every
    argument's second value together, since arguments that belong together change together (3 channels in and 2
    out of a network, 64 and 64 of a block). What ``assume`` names has the value given there in all of them.

    Raises:
        CannotGuess: an argument has no sensible value.
    """
    hints = _type_hints(callee)
    parameters = inspect.signature(callee).parameters
    choices = {
        name: (assume[name],)
        if name in assume
        else candidates(name, hints.get(name, parameters[name].annotation if name in parameters else _EMPTY))
        for name in names
    }
    unknown = [name for name, values in choices.items() if not values]
    if unknown:
        raise CannotGuess(unknown)
    seen: list[dict[str, Any]] = []
    for plan in _combinations(choices):
        if plan not in seen and len(seen) < _MOST_PLANS:
            seen.append(plan)
            yield plan


def _combinations(choices: dict[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    first = {name: values[0] for name, values in choices.items()}
    yield first
    for name, values in choices.items():
        for value in values[1:]:
            if _is_sequence(value) != _is_sequence(values[0]):
                yield {**first, name: value}
    for rank in range(1, max((len(values) for values in choices.values()), default=0)):
        yield {name: values[min(rank, len(values) - 1)] for name, values in choices.items()}
    for name, values in choices.items():
        for value in values[1:]:
            yield {**first, name: value}


def candidates(name: str, annotation: Any = _EMPTY) -> tuple[Any, ...]:
    """Values for one parameter, the most usual first; () where there is nothing to go by."""
    literal = _from_annotation_alone(annotation)
    if literal:
        return literal
    convention = next((entry for entry in CONVENTIONS if entry.pattern.fullmatch(name.lower())), None)
    wants = _wanted(annotation)
    if convention is None:
        return _default_of(wants, annotation)
    if wants is None:
        return convention.values
    if wants in (list, tuple):
        lists = [convention.several, *(value for value in convention.values if isinstance(value, tuple))]
        fitted = dict.fromkeys(_fit_length(values, annotation) for values in lists if values)
        return tuple(list(values) if wants is list else values for values in fitted)
    fitting = tuple(value for value in convention.values if _fits(value, wants))
    return fitting or _default_of(wants, annotation)


def _is_sequence(value: object) -> bool:
    return isinstance(value, list | tuple)


def _fits(value: Any, wants: type) -> bool:
    if wants is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wants is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if wants is nn.Module:
        return isinstance(value, nn.Module)
    if wants is type:
        return isinstance(value, type)
    if wants is object:
        return callable(value)
    return isinstance(value, wants)


def _default_of(wants: type | None, annotation: Any) -> tuple[Any, ...]:
    """A value for an annotation whose parameter's name says nothing."""
    if wants is bool:
        return (False, True)
    if wants is int:
        return (2, 64)
    if wants is float:
        return (0.1, 1.0)
    if wants in (list, tuple) and _of_integers(annotation):
        fitted = _fit_length(CHANNELS, annotation)
        return (list(fitted) if wants is list else fitted,)
    return ()


def _from_annotation_alone(annotation: Any) -> tuple[Any, ...]:
    """Annotations that list their own values: ``Literal``, enums, and configurations with defaults for everything."""
    for part in _union(annotation):
        if typing.get_origin(part) is typing.Literal:
            return typing.get_args(part)
        if isinstance(part, type) and issubclass(part, enum.Enum):
            return tuple(part)
        if isinstance(part, type) and _is_configuration(part):
            return (part(),)
    return ()


def _is_configuration(kind: type) -> bool:
    if kind.__module__ in ("builtins", "typing", "collections.abc") or issubclass(
        kind, nn.Module | torch.Tensor | type
    ):
        return False
    if kind.__module__.partition(".")[0] == "torch" or kind.__init__ is object.__init__ or inspect.isabstract(kind):
        return False
    try:
        return not required_parameters(kind)
    except (ValueError, TypeError):
        return False


def _wanted(annotation: Any) -> type | None:
    """The kind of value an annotation asks for: the first part of a union that says something."""
    for part in _union(annotation):
        origin = typing.get_origin(part) or part
        if origin is Callable or origin is typing.Callable:
            return object
        if origin is type:
            return type
        if isinstance(origin, type):
            if issubclass(origin, nn.Module):
                return nn.Module
            if origin in (bool, int, float, str, list, tuple, type):
                return origin
            if origin.__module__ == "collections.abc" and origin.__name__ in ("Sequence", "Iterable", "Collection"):
                return tuple
    return None


def _union(annotation: Any) -> tuple[Any, ...]:
    if annotation is _EMPTY or annotation is None:
        return ()
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        parts = tuple(part for part in typing.get_args(annotation) if part is not type(None))
        # ``int | Sequence[int]`` takes either: the sequence says more about a list of channels, the int is simpler.
        return tuple(sorted(parts, key=lambda part: part not in (int, float)))
    return (annotation,)


def _of_integers(annotation: Any) -> bool:
    return any(argument in (int, ...) for part in _union(annotation) for argument in typing.get_args(part))


def _fit_length(values: tuple[Any, ...], annotation: Any) -> tuple[Any, ...]:
    """``tuple[int, int]`` takes exactly two values."""
    for part in _union(annotation):
        arguments = typing.get_args(part)
        if typing.get_origin(part) is tuple and arguments and ... not in arguments and values:
            return tuple(values[min(position, len(values) - 1)] for position in range(len(arguments)))
    return values


def _type_hints(callee: Callable[..., Any]) -> dict[str, Any]:
    """Resolved annotations; those that cannot be resolved are simply not used."""
    target = getattr(callee, "__init__") if isinstance(callee, type) else callee  # noqa: B009 - mypy finds it unsound
    try:
        return typing.get_type_hints(target)
    except (NameError, TypeError, AttributeError, SyntaxError):
        return {}
