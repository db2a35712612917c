"""What Fourier transforms and linear algebra say of themselves."""

from __future__ import annotations

# Name: a line, what is typed in for an example, what it shows.
TEXTS: dict[str, tuple[str, str, str]] = {
    "fft.fft": (
        "Discrete Fourier transform.",
        "ag.fft.fft(ag.asarray([1.0, 0.0, 0.0]))",
        "tensor([1.+0.j, 1.+0.j, 1.+0.j])",
    ),
    "fft.ifft": ("Inverse of `fft`.", "ag.real(ag.fft.ifft(ag.fft.fft(ag.asarray([1.0, 2.0]))))", "tensor([1., 2.])"),
    "fft.rfft": (
        "Discrete Fourier transform of real numbers: the half that is not redundant.",
        "ag.fft.rfft(ag.asarray([1.0, 0.0, 0.0]))",
        "tensor([1.+0.j, 1.+0.j])",
    ),
    "fft.irfft": ("Inverse of `rfft`.", "ag.fft.irfft(ag.fft.rfft(ag.asarray([1.0, 2.0])))", "tensor([1., 2.])"),
    "fft.fftn": (
        "Discrete Fourier transform along several axes.",
        "ag.fft.fftn(ag.asarray([[1.0, 0.0], [0.0, 0.0]]))",
        "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])",
    ),
    "fft.ifftn": (
        "Inverse of `fftn`.",
        "ag.real(ag.fft.ifftn(ag.fft.fftn(ag.asarray([[1.0, 2.0]]))))",
        "tensor([[1., 2.]])",
    ),
    "fft.rfftn": (
        "Discrete Fourier transform of real numbers along several axes.",
        "ag.fft.rfftn(ag.asarray([[1.0, 0.0], [0.0, 0.0]]))",
        "tensor([[1.+0.j, 1.+0.j],\n        [1.+0.j, 1.+0.j]])",
    ),
    "fft.irfftn": (
        "Inverse of `rfftn`.",
        "ag.fft.irfftn(ag.fft.rfftn(ag.asarray([[1.0, 2.0]])))",
        "tensor([[1., 2.]])",
    ),
    "fft.hfft": (
        "Discrete Fourier transform of a Hermitian sequence, which is real.",
        "ag.fft.hfft(ag.asarray([1.0, 0.5]), n=2)",
        "tensor([1.5000, 0.5000])",
    ),
    "fft.ihfft": ("Inverse of `hfft`.", "ag.real(ag.fft.ihfft(ag.asarray([1.0, 1.0])))", "tensor([1., 0.])"),
    "fft.fftshift": (
        "The frequency 0 moved to the middle.",
        "ag.fft.fftshift(ag.asarray([0.0, 1.0, -1.0]))",
        "tensor([-1.,  0.,  1.])",
    ),
    "fft.ifftshift": (
        "Inverse of `fftshift`.",
        "ag.fft.ifftshift(ag.asarray([-1.0, 0.0, 1.0]))",
        "tensor([ 0.,  1., -1.])",
    ),
    "linalg.det": (
        "Determinant of a matrix; its gradient is exact at singular ones.",
        "ag.linalg.det(ag.asarray([[2.0, 0.0], [0.0, 3.0]]))",
        "tensor(6.)",
    ),
    "linalg.slogdet": (
        "Sign of a determinant and logarithm of its absolute value.",
        "sign, logarithm = ag.linalg.slogdet(ag.asarray([[1.0, 2.0], [3.0, 4.0]]))\nsign, logarithm",
        "(tensor(-1.), tensor(0.6931))",
    ),
    "linalg.cholesky": (
        "Triangular factor of a positive definite matrix.",
        "ag.linalg.cholesky(ag.asarray([[4.0, 2.0], [2.0, 2.0]]))",
        "tensor([[2., 0.],\n        [1., 1.]])",
    ),
    "linalg.matrix_rank": (
        "Rank of a matrix: the number of its singular values above a tolerance.",
        "ag.linalg.matrix_rank(ag.ones(2, 2))",
        "tensor(1)",
    ),
    "linalg.pinv": (
        "Pseudo-inverse of a matrix.",
        "ag.linalg.pinv(ag.asarray([[2.0, 0.0], [0.0, 0.0]]))",
        "tensor([[0.5000, 0.0000],\n        [0.0000, 0.0000]])",
    ),
    "linalg.qr": (
        "Orthogonal and triangular factor of a matrix.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nq, r = ag.linalg.qr(x)\nag.all(ag.isclose(q @ r, x))",
        "tensor(True)",
    ),
    "linalg.matrix_norm": (
        "Norm of a matrix: Frobenius, nuclear, or of the operator.",
        "ag.linalg.matrix_norm(ag.asarray([[3.0, 0.0], [0.0, 4.0]]))",
        "tensor(5.)",
    ),
    "linalg.vector_norm": (
        "Norm of a vector, along an axis or of all elements; its gradient at 0 is 0.",
        "ag.linalg.vector_norm(ag.asarray([3.0, 4.0]))",
        "tensor(5.)",
    ),
    "linalg.cross": (
        "Cross product of vectors of three elements.",
        "ag.linalg.cross(ag.asarray([1.0, 0.0, 0.0]), ag.asarray([0.0, 1.0, 0.0]))",
        "tensor([0., 0., 1.])",
    ),
    "linalg.diagonal": (
        "Diagonal of a matrix.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.linalg.diagonal(x)",
        "tensor([1., 4.])",
    ),
    "linalg.outer": (
        "All products of elements of two vectors.",
        "ag.linalg.outer(ag.asarray([1.0, 2.0]), ag.asarray([1.0, 10.0]))",
        "tensor([[ 1., 10.],\n        [ 2., 20.]])",
    ),
    "linalg.trace": (
        "Sum of the diagonal of a matrix.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.linalg.trace(x)",
        "tensor(5.)",
    ),
    "linalg.eig": (
        "Eigenvalues and eigenvectors of a square matrix, complex ones.",
        "values, vectors = ag.linalg.eig(ag.asarray([[2.0, 0.0], [0.0, 3.0]]))\nvalues",
        "tensor([2.+0.j, 3.+0.j])",
    ),
    "linalg.eigh": (
        "Eigenvalues and eigenvectors of a Hermitian matrix.",
        "values, vectors = ag.linalg.eigh(ag.asarray([[2.0, 0.0], [0.0, 3.0]]))\nvalues",
        "tensor([2., 3.])",
    ),
    "linalg.eigvals": (
        "Eigenvalues of a square matrix, complex ones.",
        "ag.linalg.eigvals(ag.asarray([[2.0, 0.0], [0.0, 3.0]]))",
        "tensor([2.+0.j, 3.+0.j])",
    ),
    "linalg.eigvalsh": (
        "Eigenvalues of a Hermitian matrix.",
        "ag.linalg.eigvalsh(ag.asarray([[2.0, 0.0], [0.0, 3.0]]))",
        "tensor([2., 3.])",
    ),
    "linalg.svd": (
        "Singular value decomposition of a matrix.",
        "u, s, vh = ag.linalg.svd(ag.asarray([[3.0, 0.0], [0.0, 2.0]]))\nag.round(s)",
        "tensor([3., 2.])",
    ),
    "linalg.svdvals": (
        "Singular values of a matrix.",
        "ag.round(ag.linalg.svdvals(ag.asarray([[3.0, 0.0], [0.0, 2.0]])))",
        "tensor([3., 2.])",
    ),
    "linalg.inv": (
        "Inverse of a matrix.",
        "ag.linalg.inv(ag.asarray([[2.0, 0.0], [0.0, 4.0]]))",
        "tensor([[0.5000, 0.0000],\n        [0.0000, 0.2500]])",
    ),
    "linalg.matrix_power": (
        "Power of a square matrix.",
        "ag.linalg.matrix_power(ag.asarray([[1.0, 1.0], [0.0, 1.0]]), 3)",
        "tensor([[1., 3.],\n        [0., 1.]])",
    ),
    "linalg.solve": (
        "Solution of a system of linear equations.",
        "ag.linalg.solve(ag.asarray([[2.0, 0.0], [0.0, 4.0]]), ag.asarray([2.0, 2.0]))",
        "tensor([1.0000, 0.5000])",
    ),
}
