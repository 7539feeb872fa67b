"""The names of torchvision that `fs.network` knows: each is the same network there, or refused."""

from unittest.mock import patch

import pytest
import torch

import fastscale_lib as fs
from tests.helpers.other_libraries import import_library

models = import_library("torchvision").models
GIANTS = ("regnet_y_128gf", "vit_h_14", "vit_l_16", "vit_l_32")  # of more than 300 M parameters
OTHERS = {"regnet_x_400mf": "RegNetX-400MF", "regnet_y_800mf": "RegNetY-800MF", "regnet_y_8gf": "RegNetY-8.0GF"}


def known(name):
    try:
        fs.network(name)
    except fs.architectures.NetworkError:
        return False
    return True


KNOWN = [name for name in models.list_models(module=models) if name not in GIANTS and known(name)]


def params_in_torchvision(name):
    """Of the module without data; its RegNets compute their widths by tensors, which need some."""
    params = models.regnet.BlockParams
    compute = params.from_init_params

    def compute_with_data(*args, **options):
        with torch.device("cpu"):
            return compute(*args, **options)

    with patch.object(params, "from_init_params", compute_with_data), torch.device("meta"):
        return sum(each.numel() for each in models.get_model(name).parameters())


@pytest.mark.parametrize("name", KNOWN)
def test_a_name_of_torchvision_gives_its_network(name):
    assert fs.complexity(fs.network(name)).params == params_in_torchvision(name)


def test_most_families_of_torchvision_are_known():
    families = ("convnext_", "efficientnet_", "mnasnet", "mobilenet_", "regnet_x", "regnet_y", "resne", "vit_", "wide_")
    for family in families:
        assert any(name.startswith(family) for name in KNOWN), family


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("spelt", [str, str.upper, lambda name: name.replace("_", "-")], ids=["own", "upper", "dashes"])
def test_a_name_for_another_network_is_refused_with_both(name, spelt):
    ours = fs.network(OTHERS[name])
    assert fs.complexity(ours).params != params_in_torchvision(name)
    with pytest.raises(fs.architectures.NetworkError, match=f"with other widths than {ours.name} of .*{name}()"):
        fs.network(spelt(name))


@pytest.mark.parametrize("name", OTHERS.values())
def test_the_published_name_is_not_refused(name):
    assert fs.network(name) == fs.network(name.replace("-", "_")) == fs.network(name.lower())
