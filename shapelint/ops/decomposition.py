"""Inverses, determinants and decompositions of matrices, in batches."""

from __future__ import annotations

from typing import Any

from shapelint.ops.broadcasting import broadcast, real_of
from shapelint.ops.dimensions import Shape, agree, fail, named
from shapelint.ops.registry import Spec, TensorLike, shape_rule
from shapelint.sizes import Size, smin


def _square(shape: Shape, what: str) -> tuple[Shape, Size]:
    """The batch and the side of square matrices."""
    if len(shape) < 2:
        fail("{} takes matrices, and got {} dimension(s)", what, len(shape))
    return shape[:-2], agree(shape[-2], shape[-1], what + " takes square matrices, and got {} rows of {}")


@shape_rule("inverse", "linalg.inv", "linalg.cholesky", "cholesky", "linalg.matrix_exp", "matrix_exp")
def square_to_square(A: TensorLike, *args: Any, **options: Any) -> Spec:  # noqa: N803 - torch's name
    """A function of square matrices that gives square matrices."""
    _square(A.shape, "this function")
    return Spec(A.shape)


@shape_rule("linalg.matrix_power", "matrix_power")
def matrix_power(input: TensorLike, n: int, **options: Any) -> Spec:
    """Powers of square matrices."""
    _square(input.shape, "matrix_power")
    return Spec(input.shape)


@shape_rule("linalg.det", "det", "logdet")
def determinant(A: TensorLike, **options: Any) -> Spec:  # noqa: N803
    """One number for each matrix."""
    batch, _ = _square(A.shape, "det")
    return Spec(batch)


@shape_rule("linalg.slogdet", "slogdet")
def sign_and_logarithm(A: TensorLike, **options: Any) -> Any:  # noqa: N803
    """The sign and the logarithm of each determinant."""
    batch, _ = _square(A.shape, "slogdet")
    return named("sign logabsdet", Spec(batch), Spec(batch, real_of(A.dtype)))


@shape_rule("linalg.pinv", "pinverse")
def pseudo_inverse(A: TensorLike, *args: Any, **options: Any) -> Spec:  # noqa: N803
    """The pseudo-inverse of matrices of any shape."""
    *batch, rows, columns = _matrices(A)
    return Spec((*batch, columns, rows))


def _matrices(tensor: TensorLike) -> Shape:
    if tensor.ndim < 2:
        fail("a decomposition takes matrices, and got {} dimension(s)", tensor.ndim)
    return tensor.shape


@shape_rule("linalg.eigh")
def eigenvectors(A: TensorLike, UPLO: str = "L", **options: Any) -> Any:  # noqa: N803
    """Eigenvalues and eigenvectors of symmetric matrices."""
    batch, side = _square(A.shape, "eigh")
    return named("eigenvalues eigenvectors", Spec((*batch, side), real_of(A.dtype)), Spec(A.shape))


@shape_rule("linalg.eigvalsh")
def eigenvalues(A: TensorLike, UPLO: str = "L", **options: Any) -> Spec:  # noqa: N803
    """Eigenvalues of symmetric matrices."""
    batch, side = _square(A.shape, "eigvalsh")
    return Spec((*batch, side), real_of(A.dtype))


@shape_rule("linalg.svd")
def singular_vectors(A: TensorLike, full_matrices: bool = True, **options: Any) -> Any:  # noqa: N803
    """Left vectors, singular values, right vectors."""
    *batch, rows, columns = _matrices(A)
    least = smin(rows, columns)
    left, right = (rows, columns) if full_matrices else (least, least)
    values = Spec((*batch, least), real_of(A.dtype))
    return named("U S Vh", Spec((*batch, rows, left)), values, Spec((*batch, right, columns)))


@shape_rule("svd")
def old_singular_vectors(input: TensorLike, some: bool = True, compute_uv: bool = True) -> Any:
    """The older form, whose right vectors are not transposed."""
    *batch, rows, columns = _matrices(input)
    least = smin(rows, columns)
    left, right = (least, least) if some else (rows, columns)
    values = Spec((*batch, least), real_of(input.dtype))
    return named("U S V", Spec((*batch, rows, left)), values, Spec((*batch, columns, right)))


@shape_rule("linalg.svdvals")
def singular_values(A: TensorLike, **options: Any) -> Spec:  # noqa: N803
    """Singular values alone."""
    *batch, rows, columns = _matrices(A)
    return Spec((*batch, smin(rows, columns)), real_of(A.dtype))


@shape_rule("linalg.qr")
def orthogonal_and_triangular(A: TensorLike, mode: str = "reduced", **options: Any) -> Any:  # noqa: N803
    """An orthogonal and a triangular factor."""
    *batch, rows, columns = _matrices(A)
    inner = rows if mode == "complete" else smin(rows, columns)
    first = Spec((0,)) if mode == "r" else Spec((*batch, rows, inner))
    return named("Q R", first, Spec((*batch, inner, columns)))


@shape_rule("linalg.solve")
def solve(A: TensorLike, B: TensorLike, *, left: bool = True, **options: Any) -> Spec:  # noqa: N803
    """The solution of linear equations, for vectors or matrices."""
    batch, side = _square(A.shape, "solve")
    vector = B.ndim == 1 or (B.ndim == A.ndim - 1 and all(map(_visibly_equal, A.shape[:-1], B.shape)))
    if vector:
        agree(B.shape[-1], side, "solve: the right side has {} rows and the matrix {}")
        return Spec((*broadcast(batch, B.shape[:-1]), side))
    given = B.shape[-2 if left else -1]
    agree(given, side, "solve: the right side has {} rows and the matrix {}")
    return Spec((*broadcast(batch, B.shape[:-2]), *B.shape[-2:]))


@shape_rule("linalg.solve_triangular")
def solve_triangular(A: TensorLike, B: TensorLike, *, left: bool = True, **options: Any) -> Spec:  # noqa: N803
    """The solution of linear equations that a triangular matrix gives."""
    _square(A.shape, "solve_triangular")
    if B.ndim < 2:
        fail("solve_triangular takes matrices, and got {} dimension(s)", B.ndim)
    agree(B.shape[-2 if left else -1], A.shape[-1], "solve_triangular: the right side has {} rows and the matrix {}")
    return Spec((*broadcast(A.shape[:-2], B.shape[:-2]), *B.shape[-2:]))


def _visibly_equal(a: Size, b: Size) -> bool:
    return a is b or (type(a) is int and type(b) is int and a == b)
