"""Weights of timm, torchvision and pycls, loaded into the modules that `build` makes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from .._common.checks import check_flag, check_path, check_real, shown
from .._common.errors import FastscaleError
from ..architectures.definition import Network
from ..architectures.traversal import ends_in_activation
from ..architectures.zoo import network as named_network
from .modules import ConvNet
from .namings import NAMINGS, OWN, TIMM_REGNET, Naming

_CHECKPOINT_ENTRIES = ("model_state", "state_dict", "model")  # of pycls, timm and torchvision's training scripts
_COUNTER = "num_batches_tracked"


class WeightsError(FastscaleError, ValueError):
    """Weights that do not fit the module one to one."""


def load_weights(
    model: ConvNet,
    weights: torch.nn.Module | Mapping[str, torch.Tensor] | str | os.PathLike,
    *,
    classifier: bool = True,
    eps: float | None = None,
) -> ConvNet:
    """Load the weights of the same network in timm, torchvision or pycls.

    Tensors must correspond one to one. The logits are then equal for the networks of the zoo that timm has under the
    same names, for ConvNeXt, EfficientNet, EfficientNetV2, MnasNet, MobileNetV2, MobileNetV3, RegNetX, RegNetY, ResNet,
    ResNeXt and ViT of torchvision, and for EfficientNet, RegNet and ResNet of pycls. They are not for timm's networks
    with "tf_", which pad as TensorFlow does. Torchvision's RegNetX-400MF, RegNetY-800MF and RegNetY-8GF have other
    widths than the published networks, and need a network with these.

    A state dict has only names and shapes. A module has more: it is refused if one of its convolutions has another
    stride, padding, dilation or number of groups, or its attention another number of heads, and its ε of norms is
    copied. With a state dict ε of BN is set to 1e-5, for torchvision's EfficientNet-B5 to B7, EfficientNetV2 and
    MobileNetV3 to 1e-3; with one of this library's modules it stays as it is. Prepare images as for the source; pycls,
    for example, takes the channels in the order blue, green, red.

    Arguments:
        model: what `build` returned, on any device except "meta".
        weights: the other library's module, its state dict, or a file from `torch.save` with a state dict, or with a
            checkpoint that has one under "model_state", "state_dict" or "model". The source is recognised by the names
            of the tensors. BN's batch counters may be missing, as in old files.
        classifier: whether to load the last linear layer; False keeps the model's, for other classes; default: True.
        eps: ε of every BN; default: as above.

    Returns:
        The model, on its device, in its dtype and its mode (training or evaluation).

    Raises:
        WeightsError: a tensor is missing, superfluous or of another shape, is sparse or quantized, has numbers that
            are not real and finite, or the source is unknown; the model is unchanged.
    """
    _check_arguments(model, eps)
    classifier = check_flag("load_weights: classifier", classifier, WeightsError)
    module = weights if isinstance(weights, torch.nn.Module) else None
    given = dict(module.state_dict()) if module is not None else _state_dict(weights)
    naming = _find_naming(given)
    _check_last_activation(model.network, naming)
    theirs = _their_names(model, naming, given)
    if not classifier:
        for ours in [each for each in theirs if each.startswith("head.linear.")]:
            given.pop(theirs.pop(ours), None)
    _check_kinds((key, given[key]) for key in theirs.values() if key in given)
    given = _in_our_shapes(model, theirs, given)
    _check_tensors(model, naming, theirs, given)
    layers = {_layer(ours): _layer(key) for ours, key in theirs.items()}
    if module is not None:
        _check_convolutions(model, module, layers)
    state = model.state_dict()
    values = {ours: _value(key, given.get(key, torch.tensor(0)), state[ours]) for ours, key in theirs.items()}
    with torch.inference_mode():  # so that tensors that were made in it can be set, too
        for ours, value in values.items():
            state[ours].copy_(value)
    for ours, layer in layers.items():
        if isinstance(norm := model.get_submodule(ours), torch.nn.BatchNorm2d | torch.nn.LayerNorm):
            source: Any = None if module is None else module.get_submodule(layer)
            norm.eps = eps or (_eps(model, naming, norm) if source is None else source.eps)
    return model


def _check_arguments(model: Any, eps: Any) -> None:
    if not isinstance(model, ConvNet):
        raise WeightsError(f"load_weights: {_kind(model)} is no network here; give what fs.build returned")
    if any(each.is_meta for each in model.state_dict().values()):
        raise WeightsError("load_weights: a module on the meta device holds no numbers; build it on cpu or cuda")
    if eps is not None:
        check_real("load_weights: eps", eps, WeightsError, 0, above=True, remedy=" and finite, such as 1e-3")


def _state_dict(weights: Any) -> dict[str, torch.Tensor]:
    """Return tensors by name from a mapping, a file, or a checkpoint in either."""
    is_path = isinstance(weights, str | os.PathLike)
    found = _read(str(check_path("load_weights: weights", weights, WeightsError))) if is_path else weights
    if not isinstance(found, Mapping):
        raise WeightsError(f"load_weights: {_kind(found)} is no state dict; give a mapping of names to tensors")
    found = next((found[name] for name in _CHECKPOINT_ENTRIES if isinstance(found.get(name), Mapping)), found)
    for key, tensor in found.items():
        if not isinstance(tensor, torch.Tensor):
            raise WeightsError(f"load_weights: {shown(key)} is {_kind(tensor)}, but a state dict holds tensors only")
    return dict(found)


def _read(path: str) -> Any:
    if path.endswith(".safetensors"):
        raise WeightsError(f"load_weights: {path}: give what safetensors.torch.load_file reads of a file of this form")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise WeightsError(
            f"load_weights: {path}: {error.strerror or error}; give a file that torch.save wrote"
        ) from None
    except Exception:  # torch.load raises errors of many types for other files
        raise WeightsError(
            f"load_weights: {path} is no file that torch.save wrote, or holds more than tensors, numbers and strings; "
            "if you trust it, give its state dict, read by torch.load with weights_only=False"
        ) from None


def _find_naming(given: Mapping[str, Any]) -> Naming:
    for naming in NAMINGS:
        if naming.fits(given):
            return naming
    sources = ", ".join(naming.source for naming in NAMINGS)
    first = next(iter(given), "none at all")
    raise WeightsError(f"load_weights: the names of these tensors (first: {first}) are those of none of {sources}")


def _check_last_activation(network: Network, naming: Naming) -> None:
    linear = not network.head.width and network.head.kind == "conv_pool" and not ends_in_activation(network)
    if naming is TIMM_REGNET and linear:
        raise WeightsError(
            f"load_weights: {naming.source} has an activation after the last block where that is linear and the head "
            f"has no convolution, but {network.name} has none: with the same weights the logits would differ; "
            "give the head the kind act_pool, as RegNetZ-040 has it"
        )


def _their_names(model: ConvNet, naming: Naming, given: Iterable[str]) -> dict[str, str]:
    """Return the source's key for each of ours; refuse a tensor that it does not have."""
    names, places = {}, naming.places(given)
    for ours in model.state_dict():
        theirs = naming.key(ours, model.network, places)
        if theirs is None:
            raise WeightsError(
                f"load_weights: {naming.source} has no place for {ours} of {model.network.name}; is it the same "
                "network?"
            )
        names[ours] = theirs
    return names


def _in_our_shapes(model: ConvNet, theirs: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Reshape tensors where one library has a linear layer and the other a 1×1 convolution."""
    made = dict(given)
    for ours, own in model.state_dict().items():
        key = theirs.get(ours, "")
        if key in made and own.shape == (*made[key].shape, 1, 1):
            made[key] = made[key][..., None, None]
        elif key in made and made[key].shape == (*own.shape, 1, 1):
            made[key] = made[key].reshape(own.shape)
    return made


def _check_tensors(model: ConvNet, naming: Naming, theirs: Mapping[str, str], given: Mapping[str, Any]) -> None:
    """Refuse tensors that do not correspond one to one, with the same shapes."""
    about, name = f"load_weights: these weights ({naming.source})", model.network.name
    state = model.state_dict()
    for ours, key in theirs.items():
        if key not in given and not key.endswith(_COUNTER):
            raise WeightsError(f"{about} lack {key}, which is {ours} of {name}; are they of the same network?")
        if key in given and given[key].shape != state[ours].shape:
            shapes = f"{tuple(given[key].shape)} in {key}, but {tuple(state[ours].shape)} in {ours} of {name}"
            remedy = "classifier=False leaves it out" if ours.startswith("head.linear.") else "build the same network"
            raise WeightsError(f"{about} have the shape {shapes}; {remedy}")
    if left := [key for key in given if key not in set(theirs.values())]:
        raise WeightsError(
            f"{about} have {left[0]}{_others(left)}, for which {name} has no place; are they of the same network?"
        )


def _check_kinds(given: Iterable[tuple[str, torch.Tensor]]) -> None:
    """Refuse tensors that are not dense and real; a sparse one may not even have a usual shape."""
    for key, tensor in given:
        name = f"load_weights: {key}"
        if torch.nn.parameter.is_lazy(tensor) or tensor.is_meta:
            raise WeightsError(f"{name} holds no numbers; give tensors that were loaded on cpu or cuda")
        if tensor.is_quantized:
            raise WeightsError(f"{name} is quantized ({tensor.dtype}); give its dequantize()")
        if tensor.is_nested or tensor.layout != torch.strided:
            raise WeightsError(f"{name} is sparse or nested ({tensor.layout}); give its to_dense()")
        if tensor.is_complex() or tensor.dtype == torch.bool:
            raise WeightsError(f"{name} is of {tensor.dtype}, but must be of real numbers, as torch.float32")


def _value(key: str, tensor: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
    """Convert a tensor to our dtype and device; refuse infinite values and negative variances."""
    try:
        value = tensor.detach().to(own.device, own.dtype)
        checked = value if own.is_floating_point() else tensor.detach().double()  # an integer dtype would hide NaN
        finite, below = bool(checked.isfinite().all()), bool((value < 0).any())
    except (RuntimeError, TypeError) as error:  # torch cannot convert this kind of tensor
        cause = " ".join(str(error).split())
        raise WeightsError(f"load_weights: {key} cannot be read ({cause:.100}); give a plain tensor") from None
    if not finite:
        kept = tensor.detach().double().isfinite().all()
        fault = f"has numbers too large for the model's {own.dtype}" if kept else "has NaN or infinite numbers"
        raise WeightsError(
            f"load_weights: {key} {fault}; give finite ones" + "; or build in torch.float32" * bool(kept)
        )
    if below and key.endswith("running_var"):
        raise WeightsError(f"load_weights: {key} has numbers below 0, but a variance has none; is it another tensor?")
    return value


def _check_convolutions(model: ConvNet, module: torch.nn.Module, layers: Mapping[str, str]) -> None:
    """Refuse convolutions with other settings, as in tf_efficientnet: the logits would differ."""
    for ours, layer in layers.items():
        mine, their = model.get_submodule(ours), module.get_submodule(layer)
        if ours.endswith(".attention.qkv"):  # the heads are no tensors
            ours, layer = f"{_layer(ours)}.product", _layer(layer)
            mine, their = model.get_submodule(ours), module.get_submodule(layer)
            their = getattr(their, "product", their)  # as ours are named
            settings = ("num_heads",)
        elif isinstance(mine, torch.nn.Conv2d) and isinstance(their, torch.nn.Conv2d):
            settings = ("stride", "padding", "dilation", "groups")
        else:
            continue
        for setting in settings:
            here, there = getattr(mine, setting), getattr(their, setting)
            if here != there:
                raise WeightsError(
                    f"load_weights: {layer} has {setting} {there}, but {ours} of {model.network.name} has {here}: with "
                    "the same weights the logits would differ; to load them nevertheless, give module.state_dict()"
                )


def _eps(model: ConvNet, naming: Naming, norm: torch.nn.BatchNorm2d | torch.nn.LayerNorm) -> float:
    """Return the ε of the source's networks; that of a layer norm is the same in all but few."""
    for name, eps in naming.other_eps.items():
        if named_network(name).stages == model.network.stages:
            return eps
    return norm.eps if naming is OWN or isinstance(norm, torch.nn.LayerNorm) else naming.eps


def _layer(key: str) -> str:
    return key.rpartition(".")[0]


def _kind(value: Any) -> str:
    return f"a value of type {type(value).__name__}"


def _others(names: list) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
