"""Which functions of cupy there are, with their parameters: what the stand-in offers, no more.

Held against the real package by `test_conformance.py`, and written down so that the stand-in refuses an
argument that cupy does not take where cupy is not installed too.
"""


def words(text: str) -> list[str]:
    """Names in a text."""
    return text.split()


# those that make a view where NumPy makes one
VIEWS = {
    "array_split": "(ary, indices_or_sections, axis=0)",
    "atleast_1d": "(*arys)",
    "atleast_2d": "(*arys)",
    "atleast_3d": "(*arys)",
    "broadcast_arrays": "(*args)",
    "broadcast_to": "(array, shape)",
    "diagonal": "(a, offset=0, axis1=0, axis2=1)",
    "dsplit": "(ary, indices_or_sections)",
    "expand_dims": "(a, axis)",
    "flip": "(a, axis=None)",
    "fliplr": "(a)",
    "flipud": "(a)",
    "hsplit": "(ary, indices_or_sections)",
    "imag": "(val)",
    "linalg.matrix_transpose": "(a)",
    "matrix_transpose": "(x, /)",
    "moveaxis": "(a, source, destination)",
    "permute_dims": "(a, axes=None)",
    "ravel": "(a, order='C')",
    "real": "(val)",
    "reshape": "(a, newshape, order='C', *, copy=None)",
    "rollaxis": "(a, axis, start=0)",
    "rot90": "(a, k=1, axes=(0, 1))",
    "split": "(ary, indices_or_sections, axis=0)",
    "squeeze": "(a, axis=None)",
    "swapaxes": "(a, axis1, axis2)",
    "transpose": "(a, axes=None)",
    "vsplit": "(ary, indices_or_sections)",
}

# those that compute a new array
FUNCTIONS = {
    "all": "(a, axis=None, out=None, keepdims=False)",
    "allclose": "(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)",
    "amax": "(a, axis=None, out=None, keepdims=False)",
    "amin": "(a, axis=None, out=None, keepdims=False)",
    "angle": "(z, deg=False)",
    "any": "(a, axis=None, out=None, keepdims=False)",
    "append": "(arr, values, axis=None)",
    "argmax": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "argmin": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "argpartition": "(a, kth, axis=-1)",
    "argsort": "(a, axis=-1, kind=None)",
    "argwhere": "(a)",
    "around": "(a, decimals=0, out=None)",
    "array_equal": "(a1, a2, equal_nan=False)",
    "array_equiv": "(a1, a2)",
    "average": "(a, axis=None, weights=None, returned=False, *, keepdims=False)",
    "bincount": "(x, weights=None, minlength=None)",
    "choose": "(a, choices, out=None, mode='raise')",
    "clip": "(a, a_min, a_max, out=None)",
    "column_stack": "(tup)",
    "compress": "(condition, a, axis=None, out=None)",
    "concat": "(tup, axis=0, out=None, *, dtype=None, casting='same_kind')",
    "concatenate": "(tup, axis=0, out=None, *, dtype=None, casting='same_kind')",
    "convolve": "(a, v, mode='full')",
    "corrcoef": "(a, y=None, rowvar=True, bias=None, ddof=None, *, dtype=None)",
    "correlate": "(a, v, mode='valid')",
    "count_nonzero": "(a, axis=None)",
    "cov": "(a, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None)",
    "cross": "(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None)",
    "cumprod": "(a, axis=None, dtype=None, out=None)",
    "cumsum": "(a, axis=None, dtype=None, out=None)",
    "cumulative_prod": "(x, /, *, axis=None, dtype=None, out=None, include_initial=False)",
    "cumulative_sum": "(x, /, *, axis=None, dtype=None, out=None, include_initial=False)",
    "delete": "(arr, indices, axis=None)",
    "diag": "(v, k=0)",
    "diagflat": "(v, k=0)",
    "diff": "(a, n=1, axis=-1, prepend=None, append=None)",
    "digitize": "(x, bins, right=False)",
    "dot": "(a, b, out=None)",
    "dstack": "(tup)",
    "ediff1d": "(arr, to_end=None, to_begin=None)",
    "einsum": "(*operands, **kwargs)",
    "extract": "(condition, a)",
    "fft.fft": "(a, n=None, axis=-1, norm=None)",
    "fft.fft2": "(a, s=None, axes=(-2, -1), norm=None)",
    "fft.fftn": "(a, s=None, axes=None, norm=None)",
    "fft.fftshift": "(x, axes=None)",
    "fft.hfft": "(a, n=None, axis=-1, norm=None)",
    "fft.ifft": "(a, n=None, axis=-1, norm=None)",
    "fft.ifft2": "(a, s=None, axes=(-2, -1), norm=None)",
    "fft.ifftn": "(a, s=None, axes=None, norm=None)",
    "fft.ifftshift": "(x, axes=None)",
    "fft.ihfft": "(a, n=None, axis=-1, norm=None)",
    "fft.irfft": "(a, n=None, axis=-1, norm=None)",
    "fft.irfft2": "(a, s=None, axes=(-2, -1), norm=None)",
    "fft.irfftn": "(a, s=None, axes=None, norm=None)",
    "fft.rfft": "(a, n=None, axis=-1, norm=None)",
    "fft.rfft2": "(a, s=None, axes=(-2, -1), norm=None)",
    "fft.rfftn": "(a, s=None, axes=None, norm=None)",
    "flatnonzero": "(a)",
    "gradient": "(f, *varargs, axis=None, edge_order=1)",
    "histogram": "(x, bins=10, range=None, density=False, weights=None)",
    "hstack": "(tup, *, dtype=None, casting='same_kind')",
    "inner": "(a, b)",
    "interp": "(x, xp, fp, left=None, right=None, period=None)",
    "intersect1d": "(arr1, arr2, assume_unique=False, return_indices=False)",
    "isclose": "(a, b, rtol=1e-05, atol=1e-08, equal_nan=False)",
    "iscomplex": "(x)",
    "isin": "(element, test_elements, assume_unique=False, invert=False)",
    "isneginf": "(x, out=None)",
    "isposinf": "(x, out=None)",
    "isreal": "(x)",
    "kron": "(a, b)",
    "lexsort": "(keys)",
    "linalg.cholesky": "(a)",
    "linalg.cond": "(x, p=None)",
    "linalg.cross": "(x1, x2, /, *, axis=-1)",
    "linalg.det": "(a)",
    "linalg.eig": "(a)",
    "linalg.eigh": "(a, UPLO='L')",
    "linalg.eigvals": "(a)",
    "linalg.eigvalsh": "(a, UPLO='L')",
    "linalg.inv": "(a)",
    "linalg.lstsq": "(a, b, rcond=None)",
    "linalg.matrix_power": "(M, n)",
    "linalg.matrix_rank": "(M, tol=None)",
    "linalg.norm": "(x, ord=None, axis=None, keepdims=False)",
    "linalg.pinv": "(a, rcond=1e-15)",
    "linalg.qr": "(a, mode='reduced')",
    "linalg.slogdet": "(a)",
    "linalg.solve": "(a, b)",
    "linalg.svd": "(a, full_matrices=True, compute_uv=True)",
    "linalg.tensorinv": "(a, ind=2)",
    "linalg.tensorsolve": "(a, b, axes=None)",
    "max": "(a, axis=None, out=None, keepdims=False)",
    "mean": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "median": "(a, axis=None, out=None, overwrite_input=False, keepdims=False)",
    "meshgrid": "(*xi, **kwargs)",
    "min": "(a, axis=None, out=None, keepdims=False)",
    "nan_to_num": "(x, copy=True, nan=0.0, posinf=None, neginf=None)",
    "nanargmax": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "nanargmin": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "nancumprod": "(a, axis=None, dtype=None, out=None)",
    "nancumsum": "(a, axis=None, dtype=None, out=None)",
    "nanmax": "(a, axis=None, out=None, keepdims=False)",
    "nanmean": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "nanmedian": "(a, axis=None, out=None, overwrite_input=False, keepdims=False)",
    "nanmin": "(a, axis=None, out=None, keepdims=False)",
    "nanprod": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "nanstd": "(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
    "nansum": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "nanvar": "(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
    "nonzero": "(a)",
    "outer": "(a, b, out=None)",
    "pad": "(array, pad_width, mode='constant', **kwargs)",
    "partition": "(a, kth, axis=-1)",
    "percentile": "(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, interpolation=None)",  # noqa: E501
    "polyadd": "(a1, a2)",
    "polymul": "(a1, a2)",
    "polysub": "(a1, a2)",
    "polyval": "(p, x)",
    "prod": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "ptp": "(a, axis=None, out=None, keepdims=False)",
    "quantile": "(a, q, axis=None, out=None, overwrite_input=False, method='linear', keepdims=False, *, interpolation=None)",  # noqa: E501
    "real_if_close": "(a, tol=100)",
    "repeat": "(a, repeats, axis=None)",
    "resize": "(a, new_shape)",
    "roll": "(a, shift, axis=None)",
    "roots": "(p)",
    "round": "(a, decimals=0, out=None)",
    "row_stack": "(tup, *, dtype=None, casting='same_kind')",
    "searchsorted": "(a, v, side='left', sorter=None)",
    "select": "(condlist, choicelist, default=0)",
    "setdiff1d": "(ar1, ar2, assume_unique=False)",
    "setxor1d": "(ar1, ar2, assume_unique=False)",
    "sort": "(a, axis=-1, kind=None)",
    "stack": "(tup, axis=0, out=None, *, dtype=None, casting='same_kind')",
    "std": "(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
    "sum": "(a, axis=None, dtype=None, out=None, keepdims=False)",
    "take": "(a, indices, axis=None, out=None)",
    "take_along_axis": "(a, indices, axis)",
    "tensordot": "(a, b, axes=2)",
    "tile": "(A, reps)",
    "trace": "(a, offset=0, axis1=0, axis2=1, dtype=None, out=None)",
    "trapezoid": "(y, x=None, dx=1.0, axis=-1)",
    "tril": "(m, k=0)",
    "triu": "(m, k=0)",
    "union1d": "(arr1, arr2)",
    "unique": "(ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True)",  # noqa: E501
    "unravel_index": "(indices, dims, order='C')",
    "unwrap": "(p, discont=None, axis=-1, *, period=6.283185307179586)",
    "vander": "(x, N=None, increasing=False)",
    "var": "(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False)",
    "vdot": "(a, b)",
    "vstack": "(tup, *, dtype=None, casting='same_kind')",
    "where": "(condition, x=None, y=None)",
}

UFUNCS = words("""
    abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan
    atan2 atanh bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad degrees divide
    divmod equal exp exp2 expm1 fabs fix float_power floor floor_divide fmax fmin fmod frexp gcd greater
    greater_equal heaviside hypot i0 invert isfinite isinf isnan lcm ldexp left_shift less less_equal
    log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or logical_xor maximum
    minimum mod modf multiply negative nextafter not_equal positive pow power rad2deg radians reciprocal
    remainder right_shift rint sign signbit sin sinc sinh sqrt square subtract tan tanh true_divide
    trunc
""")

# of cupyx.scipy.special
SPECIAL = words("""
    bdtr bdtrc bdtri beta betainc betaincinv betaln binom boxcox boxcox1p cbrt chdtr chdtrc chdtri cosdg
    cosm1 cotdg digamma ellipk ellipkinc ellipkm1 entr erf erfc erfcinv erfcx erfinv exp1 exp10 exp2
    expi expit expm1 expn exprel fdtr fdtrc fdtri gamma gammainc gammaincc gammainccinv gammaincinv
    gammaln gammasgn gdtr gdtrc huber i0 i0e i1 i1e inv_boxcox inv_boxcox1p j0 j1 k0 k0e k1 k1e kl_div
    log1p log_expit log_ndtr loggamma logit lpmv nbdtr nbdtrc nbdtri ndtr ndtri pdtr pdtrc pdtri poch
    pseudo_huber psi radian rel_entr rgamma sindg tandg wright_bessel xlog1py xlogy y0 y1 yn zetac
""")

# where cupy's loops are others than NumPy's and SciPy's
NOT_COMPLEX = words(
    "logical_and logical_not logical_or logical_xor erf erfc erfcx exp1 expi log_ndtr ndtr yn"
)
ALWAYS_DOUBLE = words("yn")
SINGLE_OF_BOOL = words(
    "ellipk ellipkinc ellipkm1 expn gammainc gammaincc gammainccinv gammaincinv wright_bessel"
)
