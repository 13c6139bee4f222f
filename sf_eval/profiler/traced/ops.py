"""Which operations cost nothing by our convention, and a guard that refuses those nobody has judged.

torch's FlopCounterMode counts 0 for an operation it has no formula for. A fused kernel would so vanish from
the total. Here every operation must either have a formula or stand in `FREE`; anything else is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from sf_eval.core.errors import SfEvalError


class TraceError(SfEvalError):
    """A forward pass that cannot be counted: the message names the operation or the reason."""


# Names without namespace, all of `aten`. An in-place twin (`add_`) is free where its original is.
_VIEWS = """
    _reshape_alias _unsafe_view alias as_strided chunk detach diagonal expand lift_fresh movedim
    narrow permute reshape select slice split split_with_sizes squeeze swapaxes t transpose unbind
    unflatten unfold unsqueeze view view_as
"""
_COPIES = """
    _assert_async _local_scalar_dense _pin_memory _to_copy _unsafe_index_put arange
    broadcast_tensors cat clone constant_pad_nd contiguous copy empty empty_like empty_strided eye
    fill flip full full_like gather index index_copy index_fill index_put index_select lift linspace
    masked_scatter new_empty new_empty_strided new_full new_ones new_zeros nonzero ones ones_like
    pad pixel_shuffle pixel_unshuffle repeat repeat_interleave roll scalar_tensor scatter
    select_scatter slice_scatter stack take to tril triu where zero zeros zeros_like
"""
# One or a few operations an element; a millionth of the matrix products beside them.
_POINTWISE = """
    _unique2 abs add addcmul all amax amin any argmax argmin bernoulli bitwise_and bitwise_not
    bitwise_or bucketize ceil clamp clamp_max clamp_min cos cumprod cumsum diff div dropout eq equal
    erf exp exp2 floor floor_divide ge gelu gt hardtanh isfinite isin isinf isnan le leaky_relu log
    logical_and logical_not logical_or logical_xor logit lt masked_fill max maximum min minimum mish
    mul ne neg normal pow prod random reciprocal relu remainder round rsqrt rsub searchsorted
    sigmoid sign silu sin softplus sort sqrt square sub sum tanh topk trunc uniform
    unique_consecutive unique_dim var var_mean
"""
_NORMS = """
    _fused_rms_norm _log_softmax _safe_softmax _softmax embedding layer_norm log_softmax logsumexp
    mean native_batch_norm native_dropout native_group_norm native_layer_norm rms_norm softmax
"""

FREE = frozenset(" ".join((_VIEWS, _COPIES, _POINTWISE, _NORMS)).split())


def _average_pool_flops(_input: Any, kernel: Any, *_args: Any, out_shape: Any = None, **_kwargs: Any) -> int:
    """An average over a window of k values, taken as k multiply-adds: 2k FLOPs an output value."""
    window = kernel[0] ** 2 if len(kernel) == 1 else prod(kernel)
    return 2 * int(prod(out_shape) * window)


def _mean_flops(x_shape: Any, *_args: Any, **_kwargs: Any) -> int:
    """Every value is read once: 2 FLOPs each, as in `_average_pool_flops`."""
    return 2 * int(prod(x_shape))


def _bilinear_flops(*_args: Any, out_shape: Any = None, **_kwargs: Any) -> int:
    """Each output value weighs four input values."""
    return 2 * 4 * int(prod(out_shape))


AVERAGES: dict[Any, Callable[..., int]] = {
    torch.ops.aten.avg_pool2d: _average_pool_flops,
    torch.ops.aten.mean: _mean_flops,
    torch.ops.aten.upsample_bilinear2d: _bilinear_flops,
}
"""Formulas for the pooling of visual tokens; for `FlopCounterMode(custom_mapping=...)`."""


class OpGuard(TorchDispatchMode):
    """Refuses operations that have neither a formula nor a place in `FREE`.

    Enter it before `FlopCounterMode`: it then sees what the counter let through, decompositions included.

    Raises:
        TraceError: naming the operation, from inside the forward pass.
    """

    def __init__(self, formulas: dict[Any, Callable[..., int]]) -> None:
        super().__init__()
        self._formulas = formulas

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        packet = func._overloadpacket
        if packet not in flop_registry and packet not in self._formulas and not is_free(func):
            raise TraceError(
                f"the operation {func} has no FLOP formula, so the total would be too small.",
                hint="Judge it in sf_eval/profiler/traced/ops.py: into FREE if it multiplies nothing, else "
                "give it a formula with torch.utils.flop_counter.register_flop_formula.",
            )
        return func(*args, **(kwargs or {}))


def is_free(func: Any) -> bool:
    """Whether `func` (an OpOverload) is known to cost no multiply-adds."""
    if func.namespace in ("prim", "prims"):  # device and dtype queries
        return True
    name = func._overloadpacket.__name__
    plain = name[:-1] if name.endswith("_") and not name.startswith("__") else name
    return func.namespace == "aten" and (plain in FREE or name.startswith("sym_") or name in _DUNDER)


_DUNDER = {"__and__", "__or__", "__xor__", "__lshift__", "__rshift__"}
