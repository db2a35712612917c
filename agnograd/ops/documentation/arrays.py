"""What operations on whole arrays say of themselves: reductions, shapes, indices, order."""

from __future__ import annotations

# Name: a line, what is typed in for an example, what it shows.
TEXTS: dict[str, tuple[str, str, str]] = {
    "sum": (
        "Sum of the elements, of all of them or along axes.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.sum(x), ag.sum(x, axis=0)",
        "(tensor(10.), tensor([4., 6.]))",
    ),
    "mean": (
        "Arithmetic mean of the elements.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.mean(x), ag.mean(x, axis=0)",
        "(tensor(2.5000), tensor([2., 3.]))",
    ),
    "prod": (
        "Product of the elements; its gradient is exact where some are 0.",
        "ag.prod(ag.asarray([2.0, 3.0, 4.0]))",
        "tensor(24.)",
    ),
    "max": (
        "Largest of the elements; those that share it share the gradient evenly.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.max(x), ag.max(x, axis=0)",
        "(tensor(4.), tensor([3., 4.]))",
    ),
    "min": (
        "Smallest of the elements; those that share it share the gradient evenly.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.min(x), ag.min(x, axis=0)",
        "(tensor(1.), tensor([1., 2.]))",
    ),
    "var": (
        "Variance of the elements.",
        "x = ag.asarray([1.0, 2.0, 3.0])\nag.var(x), ag.var(x, correction=1)",
        "(tensor(0.6667), tensor(1.))",
    ),
    "std": (
        "Standard deviation of the elements; its gradient is 0 where they are all equal.",
        "x = ag.asarray([1.0, 2.0, 3.0])\nag.std(x), ag.std(x, correction=1)",
        "(tensor(0.8165), tensor(1.))",
    ),
    "cumulative_sum": (
        "Sums of the elements up to each place.",
        "ag.cumulative_sum(ag.asarray([1.0, 2.0, 3.0]))",
        "tensor([1., 3., 6.])",
    ),
    "cumulative_prod": (
        "Products of the elements up to each place.",
        "ag.cumulative_prod(ag.asarray([1.0, 2.0, 3.0]))",
        "tensor([1., 2., 6.])",
    ),
    "logsumexp": (
        "Logarithm of the sum of exponentials, without overflow.",
        "ag.logsumexp(ag.asarray([1000.0, 1000.0]))",
        "tensor(1000.6931)",
    ),
    "softmax": ("Exponentials divided by their sum.", "ag.softmax(ag.asarray([0.0, 1.0]))", "tensor([0.2689, 0.7311])"),
    "log_softmax": (
        "Logarithm of `softmax`, precise for small shares.",
        "ag.log_softmax(ag.asarray([0.0, 1.0]))",
        "tensor([-1.3133, -0.3133])",
    ),
    "norm": (
        "Euclidean norm of all elements; its gradient at 0 is 0.",
        "ag.norm(ag.asarray([3.0, 4.0]))",
        "tensor(5.)",
    ),
    "matmul": (
        "Product of matrices, or of stacks of them.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.matmul(x, ag.asarray([1.0, 1.0]))",
        "tensor([3., 7.])",
    ),
    "matrix_transpose": (
        "Transpose of a matrix, or of a stack of them.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.matrix_transpose(x)",
        "tensor([[1., 3.],\n        [2., 4.]])",
    ),
    "vecdot": (
        "Sum of products along an axis, the first array being conjugated.",
        "ag.vecdot(ag.asarray([1.0, 2.0]), ag.asarray([3.0, 4.0]))",
        "tensor(11.)",
    ),
    "tensordot": (
        "Sum of products over axes of two arrays.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.tensordot(x, x, axes=2)",
        "tensor(30.)",
    ),
    "einsum": (
        "Sum of products by Einstein's convention.",
        'x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.einsum("ij,jk->ik", x, x), ag.einsum("ii", x)',
        "(tensor([[ 7., 10.],\n        [15., 22.]]), tensor(5.))",
    ),
    "contract": (
        "Sum of products of two arrays, whose axes are named by letters.",
        'x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.contract(x, x, labels=("ij", "jk", "ik"))',
        "tensor([[ 7., 10.],\n        [15., 22.]])",
    ),
    "cofactors": (
        "Matrix of cofactors, the gradient of the determinant.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.round(ag.cofactors(x))",
        "tensor([[ 4., -3.],\n        [-2.,  1.]])",
    ),
    "diagonal_matrix": (
        "Zeros with a given diagonal, the transpose of `linalg.diagonal`.",
        "ag.diagonal_matrix(ag.asarray([1.0, 2.0]), shape=(2, 2))",
        "tensor([[1., 0.],\n        [0., 2.]])",
    ),
    "solve_triangular": (
        "Solution of a linear system with a triangular matrix, of which the other triangle is not read.",
        "x = ag.asarray([[2.0, 0.0], [1.0, 2.0]])\nag.solve_triangular(x, ag.asarray([[2.0], [5.0]]))",
        "tensor([[1.],\n        [2.]])",
    ),
    "cholesky_pullback": (
        "Gradient in a Hermitian matrix, from that in its lower Cholesky factor.",
        "x = ag.asarray([[2.0, 0.0], [0.0, 4.0]])\nag.cholesky_pullback(ag.linalg.cholesky(x * x), x)",
        "tensor([[0.5000, 0.0000],\n        [0.0000, 0.5000]])",
    ),
    "reshape": (
        "The elements in another shape.",
        "ag.reshape(ag.arange(6.0), (2, 3))",
        "tensor([[0., 1., 2.],\n        [3., 4., 5.]])",
    ),
    "permute_dims": ("The axes in another order.", "ag.permute_dims(ag.zeros(2, 3, 4), (2, 0, 1)).shape", "(4, 2, 3)"),
    "expand_dims": (
        "The array with a new axis of one element.",
        "ag.expand_dims(ag.zeros(2, 3), axis=0).shape",
        "(1, 2, 3)",
    ),
    "squeeze": ("The array without axes of one element.", "ag.squeeze(ag.zeros(1, 3), axis=0).shape", "(3,)"),
    "moveaxis": (
        "The array with axes moved to other positions.",
        "ag.moveaxis(ag.zeros(2, 3, 4), 0, -1).shape",
        "(3, 4, 2)",
    ),
    "broadcast_to": (
        "The array repeated to a larger shape.",
        "ag.broadcast_to(ag.asarray([1.0, 2.0]), (2, 2))",
        "tensor([[1., 2.],\n        [1., 2.]])",
    ),
    "broadcast_arrays": (
        "Arrays repeated to the shape that they have in common.",
        "[x.shape for x in ag.broadcast_arrays(ag.zeros(3), ag.zeros(2, 1))]",
        "[(2, 3), (2, 3)]",
    ),
    "concat": (
        "Arrays joined along an axis that they have.",
        "ag.concat([ag.zeros(2), ag.ones(1)])",
        "tensor([0., 0., 1.])",
    ),
    "stack": (
        "Arrays joined along a new axis.",
        "ag.stack([ag.zeros(2), ag.ones(2)])",
        "tensor([[0., 0.],\n        [1., 1.]])",
    ),
    "unstack": (
        "The parts of an array along an axis.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.unstack(x)",
        "(tensor([1., 2.]), tensor([3., 4.]))",
    ),
    "flip": ("The elements in reverse order.", "ag.flip(ag.asarray([1.0, 2.0, 3.0]))", "tensor([3., 2., 1.])"),
    "roll": (
        "The elements moved along axes, from the end to the start.",
        "ag.roll(ag.asarray([1.0, 2.0, 3.0]), 1)",
        "tensor([3., 1., 2.])",
    ),
    "tile": ("The array as a whole repeated.", "ag.tile(ag.asarray([1.0, 2.0]), (2,))", "tensor([1., 2., 1., 2.])"),
    "pad": ("The array with constants around it.", "ag.pad(ag.asarray([1.0, 2.0]), 1)", "tensor([0., 1., 2., 0.])"),
    "repeat": ("Each element repeated.", "ag.repeat(ag.asarray([1.0, 2.0]), 2)", "tensor([1., 1., 2., 2.])"),
    "getitem": (
        "``x[key]``, as a function.",
        "ag.getitem(ag.asarray([1.0, 2.0, 3.0]), slice(1, None))",
        "tensor([2., 3.])",
    ),
    "setitem": (
        "A copy with ``x[key] = value``.",
        "ag.setitem(ag.asarray([1.0, 2.0, 3.0]), 9.0, key=0)",
        "tensor([9., 2., 3.])",
    ),
    "embed": (
        "Zeros with an array added at a key, as indexing is transposed.",
        "ag.embed(ag.asarray([1.0, 2.0]), key=slice(1, 3), shape=(4,))",
        "tensor([0., 1., 2., 0.])",
    ),
    "embed_all": (
        "Zeros with each of several arrays added at its key.",
        "ag.embed_all([ag.ones(2), ag.ones(2)], keys=[slice(0, 2), slice(1, 3)], shape=(3,))",
        "tensor([1., 2., 1.])",
    ),
    "scatter_add": (
        "A copy with values added at indices along the first axis; repeated ones add up.",
        "ag.scatter_add(ag.zeros(3), ag.asarray([0, 2, 2]), ag.asarray([1.0, 2.0, 3.0]))",
        "tensor([1., 0., 5.])",
    ),
    "take": (
        "Elements at indices along an axis.",
        "ag.take(ag.asarray([1.0, 2.0, 3.0]), ag.asarray([2, 0]))",
        "tensor([3., 1.])",
    ),
    "take_along_axis": (
        "Elements at indices of their own in each row, as `argsort` gives them.",
        "x = ag.asarray([[3.0, 1.0], [2.0, 4.0]])\nag.take_along_axis(x, ag.argsort(x))",
        "tensor([[1., 3.],\n        [2., 4.]])",
    ),
    "argmax": ("Index of the largest element.", "ag.argmax(ag.asarray([1.0, 3.0, 2.0]))", "tensor(1)"),
    "argmin": ("Index of the smallest element.", "ag.argmin(ag.asarray([1.0, 3.0, 2.0]))", "tensor(0)"),
    "count_nonzero": (
        "Number of elements that are not 0.",
        "ag.count_nonzero(ag.asarray([1.0, 0.0, 2.0]))",
        "tensor(2)",
    ),
    "searchsorted": (
        "Where elements would have to be inserted to keep an array sorted.",
        "ag.searchsorted(ag.asarray([1.0, 2.0, 3.0]), ag.asarray([0.5, 2.5]))",
        "tensor([0, 2])",
    ),
    "nonzero": (
        "Indices of the elements that are not 0, for each axis.",
        "ag.nonzero(ag.asarray([1.0, 0.0, 2.0]))",
        "(tensor([0, 2]),)",
    ),
    "argsort": ("Indices that sort an array.", "ag.argsort(ag.asarray([3.0, 1.0, 2.0]))", "tensor([1, 2, 0])"),
    "sort": ("The elements in order.", "ag.sort(ag.asarray([3.0, 1.0, 2.0]))", "tensor([1., 2., 3.])"),
    "isin": (
        "Whether each element is among those of another array.",
        "ag.isin(ag.asarray([1, 2, 3]), ag.asarray([2, 4]))",
        "tensor([False,  True, False])",
    ),
    "unique_all": (
        "Distinct elements, where each is first, which one each element is, and how often it occurs.",
        "ag.unique_all(ag.asarray([2, 1, 2])).counts",
        "tensor([1, 2])",
    ),
    "unique_counts": (
        "Distinct elements and how often each occurs.",
        "ag.unique_counts(ag.asarray([2, 1, 2])).counts",
        "tensor([1, 2])",
    ),
    "unique_inverse": (
        "Distinct elements and which of them each element is.",
        "ag.unique_inverse(ag.asarray([2, 1, 2])).inverse_indices",
        "tensor([1, 0, 1])",
    ),
    "unique_values": ("Distinct elements.", "ag.unique_values(ag.asarray([2, 1, 2]))", "tensor([1, 2])"),
    "astype": (
        "The elements in another dtype.",
        "ag.astype(ag.asarray([1, 2]), ag.float32)",
        "tensor([1., 2.], dtype=float32)",
    ),
    "clone": (
        "An independent copy, through which gradients flow.",
        "ag.clone(ag.asarray([1.0, 2.0]))",
        "tensor([1., 2.])",
    ),
    "to_device": ("The array on another device.", 'ag.to_device(ag.asarray([1.0, 2.0]), "cpu")', "tensor([1., 2.])"),
    "to_backend": (
        "The array in another library, through memory of the host.",
        'ag.namespace().to_backend(ag.asarray([1.0, 2.0]), "numpy")',
        "tensor([1., 2.])",
    ),
    "tril": (
        "The lower triangle of a matrix, with zeros above it.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.tril(x)",
        "tensor([[1., 0.],\n        [3., 4.]])",
    ),
    "triu": (
        "The upper triangle of a matrix, with zeros below it.",
        "x = ag.asarray([[1.0, 2.0], [3.0, 4.0]])\nag.triu(x)",
        "tensor([[1., 2.],\n        [0., 4.]])",
    ),
    "zeros_like": ("Zeros in the shape of an array.", "ag.zeros_like(ag.asarray([1.0, 2.0]))", "tensor([0., 0.])"),
    "ones_like": ("Ones in the shape of an array.", "ag.ones_like(ag.asarray([1.0, 2.0]))", "tensor([1., 1.])"),
    "full_like": (
        "One value in the shape of an array.",
        "ag.full_like(ag.asarray([1.0, 2.0]), 7.0)",
        "tensor([7., 7.])",
    ),
    "all": ("Whether all elements are true.", "ag.all(ag.asarray([True, False]))", "tensor(False)"),
    "any": ("Whether one of the elements is true.", "ag.any(ag.asarray([True, False]))", "tensor(True)"),
    "diff": ("Differences of neighbours along an axis.", "ag.diff(ag.asarray([1.0, 4.0, 9.0]))", "tensor([3., 5.])"),
    "rechunk": (
        "The array in other chunks, where its backend has chunks.",
        "ag.rechunk(ag.asarray([1.0, 2.0]), 1)",
        "tensor([1., 2.])",
    ),
}
