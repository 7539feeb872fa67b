"""Torch's operators by kind; names as in `torch.ops.aten`, without the `_` of in-place ones.

Whatever stands in none of these lists, and is not made of operators that do, is counted as 0 and named in the result.
"""

from __future__ import annotations

CONVOLUTIONS = {"conv1d", "conv2d", "conv3d", "convolution", "_convolution", "mkldnn_convolution"}
TRANSPOSED = {"conv_transpose1d", "conv_transpose2d", "conv_transpose3d"}
MATRIX_PRODUCTS = {"matmul", "linalg_matmul", "mm", "bmm", "mv", "dot"}
ADDED_PRODUCTS = {"addmm", "baddbmm"}

_LISTS = {
    # Other shapes of the same elements, and tensors that are made of nothing.
    "view": """
        view reshape _reshape_alias permute transpose t numpy_T T mT mH H adjoint flatten unflatten ravel expand
        expand_as broadcast_to unsqueeze squeeze select slice unbind split split_with_sizes unsafe_split unsafe_chunk
        chunk tensor_split narrow detach alias view_as as_strided movedim moveaxis swapaxes swapdims unfold diagonal
        real imag view_as_real view_as_complex resolve_conj resolve_neg _unsafe_view lift_fresh lift_fresh_copy
        dropout feature_dropout alpha_dropout feature_alpha_dropout native_dropout identity size stride numel dim
        is_floating_point is_complex sym_size sym_numel sym_stride is_same_size result_type meshgrid broadcast_tensors
        atleast_1d atleast_2d _has_compatible_shallow_copy_type is_nonzero item _local_scalar_dense equal allclose
        is_contiguous device empty empty_like empty_strided empty_permuted new_empty new_empty_strided zeros
        zeros_like new_zeros ones ones_like new_ones full full_like new_full arange range linspace logspace eye
        scalar_tensor tril_indices triu_indices rand rand_like randn randn_like randint randperm bernoulli normal
        uniform zero fill set_ requires_grad _assert_async _assert_scalar _assert_tensor_metadata hann_window
        hamming_window
    """,
    # Elements that are moved from place to place.
    "copy": """
        clone copy contiguous to _to_copy type_as float half double cat concat concatenate stack hstack vstack dstack
        roll pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d
        replication_pad3d _pad_circular index index_select index_put _index_put_impl _unsafe_index gather scatter
        scatter_add index_add index_copy index_fill masked_fill masked_select masked_scatter where repeat
        repeat_interleave tile flip fliplr flipud rot90 pixel_shuffle pixel_unshuffle channel_shuffle
        native_channel_shuffle im2col col2im take take_along_dim embedding one_hot tril triu diag diag_embed
        slice_scatter select_scatter slice_copy sort argsort topk kthvalue unique block_diag cartesian_prod
        combinations bucketize searchsorted select_backward
    """,
    # Sums, products, comparisons and other arithmetic, element by element.
    "pointwise": """
        add sub rsub subtract mul multiply div divide true_divide floor_divide remainder fmod neg negative abs
        absolute sign square addcmul addcdiv lerp relu relu6 leaky_relu prelu _prelu_kernel rrelu threshold hardtanh
        clamp clamp_min clamp_max clip hardswish hardsigmoid hardshrink softshrink maximum minimum fmax fmin round
        floor ceil trunc frac reciprocal eq ne lt le gt ge not_equal less less_equal greater greater_equal logical_and
        logical_or logical_not logical_xor bitwise_and bitwise_or bitwise_not bitwise_xor __and__ __or__ __xor__
        __lshift__ __rshift__ isnan isinf isfinite nan_to_num glu cumsum cumprod heaviside conj _conj
        bitwise_left_shift bitwise_right_shift outer ger cross isneginf isposinf
    """,
    # Functions that take an exponential, a root or an angle.
    "smooth": """
        silu gelu sigmoid tanh mish elu celu selu softplus log_sigmoid logit softsign softmax _softmax _safe_softmax
        log_softmax _log_softmax special_log_softmax special_softmax exp exp2 expm1 log log2 log10 log1p sqrt rsqrt
        pow float_power sin cos tan asin acos atan atan2 arctan2 sinh cosh erf erfc erfinv sinc logaddexp
        special_expit polar complex angle
    """,
    "norm": """
        batch_norm native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm
        _batch_norm_with_update layer_norm native_layer_norm group_norm native_group_norm instance_norm rms_norm
        _fused_rms_norm local_response_norm
    """,
    "maxpool": """
        max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
        adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d fractional_max_pool2d fractional_max_pool3d
    """,
    "avgpool": """
        avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
        _adaptive_avg_pool2d _adaptive_avg_pool3d
    """,
    # Averages, extrema and other sums over several elements, and images at other resolutions.
    "pool": """
        max_unpool2d max_unpool3d mean sum nansum nanmean amax amin aminmax max min median
        nanmedian mode var var_mean std std_mean norm linalg_vector_norm linalg_norm frobenius_norm renorm logsumexp
        prod any all argmax argmin count_nonzero upsample_nearest1d upsample_nearest2d upsample_nearest3d
        _upsample_nearest_exact2d upsample_linear1d upsample_bilinear2d upsample_bicubic2d upsample_trilinear3d
        _upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler grid_sampler_2d grid_sampler_3d
        affine_grid_generator cosine_similarity pairwise_distance normalize
    """,
}
KINDS = {name: kind for kind, names in _LISTS.items() for name in names.split()}


def plain_name(operator: str) -> str:
    """Remove the final `_` of an in-place operator's name."""
    return operator if operator.startswith("__") else operator.rstrip("_") or operator
