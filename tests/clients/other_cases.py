"""einops, opt_einsum, autoray and xarray on tensors."""

from __future__ import annotations

import autoray
import einops
import einops.array_api
import opt_einsum
import xarray
from clients.case import Table, normal

from agnograd.interop import autoray as autoray_interop
from agnograd.interop import einops as einops_interop

autoray_interop.register()
einops_interop.register()

einops_cases = Table("einops", einops)
opt_einsum_cases = Table("opt_einsum", opt_einsum)
autoray_cases = Table("autoray", autoray)
xarray_cases = Table("xarray", xarray)

X = normal(2, 3, 4)
A = normal(3, 4)
B = normal(4, 2, seed=1)
C = normal(2, 5, seed=2)

# -- einops
add = einops_cases
add("array_api.rearrange", X, "a b c -> c (a b)")
add("array_api.reduce", X, "a b c -> a", "mean")
add("array_api.repeat", A, "a b -> a r b", r=2)
add("array_api.pack", A, A * 2, wrt=(0, 1), do=lambda x, y: einops.array_api.pack([x, y], "* a b")[0])
add("rearrange", X, "a b c -> c (a b)")
add("rearrange:split", A, "a (b c) -> c a b", b=2)
add("rearrange:list", A, A * 2, wrt=(0, 1), do=lambda x, y: einops.rearrange([x, y], "n a b -> a n b"))
for operation in ("sum", "mean", "max", "min", "prod"):
    add(f"reduce:{operation}", X, "a b c -> b", operation)
add("reduce:keepdims", X, "a b c -> a 1 1", "sum")
add("repeat", A, "a b -> a r b", r=2)
add("einsum", A, B, "i j, j k -> i k", wrt=(0, 1))
add("pack", A, X[0], wrt=(0, 1), do=lambda x, y: einops.pack([x, y], "* b")[0])
add("unpack", A, do=lambda x: einops.unpack(x, [(2,), (2,)], "a *"))
add("asnumpy", A)

# -- opt_einsum
add = opt_einsum_cases
for expression in ("ij,jk,kl->il", "ij,jk,kl->li", "ij,jk,kl->"):
    add(
        f"contract:{expression}",
        A,
        B,
        C,
        wrt=(0, 1, 2),
        do=lambda a, b, c, e=expression: opt_einsum.contract(e, a, b, c),
    )
add("contract:trace", A @ A.T, do=lambda a: opt_einsum.contract("ii->", a))
add("contract:ellipsis", X, B, wrt=(0, 1), do=lambda x, b: opt_einsum.contract("...j,jk->...k", x, b))
add("contract:Hadamard", A, A * 2, wrt=(0, 1), do=lambda x, y: opt_einsum.contract("ij,ij->ij", x, y))
add(
    "contract_expression",
    A,
    B,
    wrt=(0, 1),
    do=lambda a, b: opt_einsum.contract_expression("ij,jk->ki", a.shape, b.shape)(a, b),
)

# -- autoray
add = autoray_cases
for name, arguments in {
    "sum": (),
    "mean": (),
    "exp": (),
    "abs": (),
    "transpose": ((1, 0),),
    "reshape": ((2, 6),),
    "clip": (-0.5, 0.5),
    "linalg.svd": (),
    "linalg.norm": (),
    "real": (),
    "conj": (),
    "cumsum": (0,),
    "ravel": (),
    "max": (),
    "take": ([0, 2],),
    "squeeze": (),
    "flip": (),
    "tril": (),
    "trace": (),
    "diag": (),
}.items():
    add(f"do:{name}", A, do=lambda x, name=name, arguments=arguments: autoray.do(name, x, *arguments))
add("do:matmul", A, B, wrt=(0, 1), do=lambda x, y: autoray.do("matmul", x, y))
add("do:tensordot", A, B, wrt=(0, 1), do=lambda x, y: autoray.do("tensordot", x, y, 1))
add("do:einsum", A, B, wrt=(0, 1), do=lambda x, y: autoray.do("einsum", "ij,jk->ik", x, y))
add("do:where", A, do=lambda x: autoray.do("where", x > 0, x, 2 * x))
for name in ("stack", "concatenate"):
    add(f"do:{name}", A, A * 2, wrt=(0, 1), do=lambda x, y, name=name: autoray.do(name, (x, y)))
add("numpy", A, do=lambda x: autoray.numpy.sum(autoray.numpy.tanh(x), axis=0))

# -- xarray
COORDINATES = {"a": [0.0, 1.0, 3.0], "b": [0, 1, 2, 3]}
add = xarray_cases


def labelled(use):
    """A case of a DataArray around the tensor, whose data is the output."""

    def call(*arrays):
        made = [xarray.DataArray(x * 1, dims=("a", "b"), coords=COORDINATES) for x in arrays]
        return use(*made).data

    return call


for name, use in {
    "sum": lambda x: x.sum("a"),
    "mean": lambda x: x.mean(),
    "max": lambda x: x.max("b"),
    "prod": lambda x: x.prod("a"),
    "std": lambda x: x.std("a"),
    "var": lambda x: x.var("a"),
    "cumsum": lambda x: x.cumsum("a"),
    "arithmetic": lambda x: 2 * x + x**2 - x / 3,
    "where": lambda x: x.where(x > 0, 0.5),
    "clip": lambda x: x.clip(-0.5, 0.5),
    "isel": lambda x: x.isel(a=[0, 2], b=1),
    "sel": lambda x: x.sel(a=3.0),
    "transpose": lambda x: x.transpose("b", "a"),
    "stack": lambda x: x.stack(c=("a", "b")),
    "expand_dims": lambda x: x.expand_dims("c"),
    "groupby": lambda x: x.groupby("a").sum(),
    "integrate": lambda x: x.integrate("a"),
    "differentiate": lambda x: x.differentiate("a"),
    "interp": lambda x: x.interp(a=0.4),
    "rolling": lambda x: x.rolling(b=2).mean(),
    "coarsen": lambda x: x.coarsen(b=2).mean(),
    "shift": lambda x: x.shift(b=1, fill_value=0.0),
    "pad": lambda x: x.pad(b=1, constant_values=0.0),
    "diff": lambda x: x.diff("b"),
    "dot": lambda x: xarray.dot(x, x, dim="b"),
    "fillna": lambda x: x.fillna(0.0),
    "quantile": lambda x: x.quantile(0.3, "b"),
    "copy": lambda x: x.copy(),
}.items():
    add(f"DataArray.{name}", A, do=labelled(use))
add("concat", A, A * 2, wrt=(0, 1), do=labelled(lambda x, y: xarray.concat([x, y], "c")))
add("apply_ufunc", A, do=labelled(lambda x: xarray.apply_ufunc(lambda v: v * 2, x)))
add("Dataset", A, A * 2, wrt=(0, 1), do=labelled(lambda x, y: xarray.Dataset({"x": x, "y": y}).sum("a").to_dataarray()))
add("Variable", A, do=lambda x: xarray.Variable(("a", "b"), x).mean("a").data)

other_cases = [*einops_cases, *opt_einsum_cases, *autoray_cases, *xarray_cases]
