"""Any callable that returns a module is scaled: its keywords are confirmed, rounded, and every size is counted."""

from __future__ import annotations

import copy
import functools
import pickle
from typing import Any

import pytest
import torch
from helpers.notebooks import REPO
from helpers.other_libraries import import_library
from torch import nn

import fastscale_lib as fs
from fastscale_lib.architectures import NetworkError, trace
from fastscale_lib.architectures.operation_lists import KINDS, operations

timm = import_library("timm")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "fastscale" / "counts"


class Plain(nn.Sequential):
    """A convolution, blocks of the same width, and what is ignored."""

    def __init__(self, blocks: int = 2, channels: int = 16, ignored: int = 3, classes: int = 10) -> None:
        middle = [nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(blocks)]
        pool = nn.AdaptiveAvgPool2d(1), nn.Flatten()
        super().__init__(nn.Conv2d(3, channels, 3, 2, 1), *middle, *pool, nn.Linear(channels, classes))


def plain(**more: Any) -> fs.architectures.Family:
    return fs.family(Plain, resolution=32, depth={"blocks": 2}, width={"channels": 16}, **more)


def convnext(**more: Any) -> fs.architectures.Family:
    dims = {"dims": (96, 192, 384, 768)}
    return fs.family(
        timm.create_model, "convnext_tiny", resolution=224, depth={"depths": (3, 3, 9, 3)}, width=dims, **more
    )


def vit() -> fs.architectures.Family:
    return fs.family(
        timm.create_model,
        "vit_small_patch16_224",
        depth={"depth": 12},
        width={"embed_dim": 384, "num_heads": 6},
        resolution={"img_size": 224},
    )


def test_a_family_is_counted_as_its_module_is():
    assert fs.complexity(plain()) == fs.complexity(Plain(2, 16), resolution=32)
    assert fs.layers(plain()).equals(fs.layers(Plain(2, 16), resolution=32))


def test_keywords_grow_and_are_given_back():
    scaled = fs.scale(plain(), depth=2, width=1.5, resolution=48)
    assert scaled.kwargs == {"blocks": 4, "channels": 24}
    assert scaled.resolution == 48
    assert fs.complexity(scaled) == fs.complexity(Plain(4, 24), resolution=48)
    assert len(list(fs.build(scaled, "meta").children())) == len(Plain(4, 24))


def test_a_scaled_family_is_scaled_again():
    twice = fs.scale(fs.scale(plain(), depth=2), width=2)
    assert twice.kwargs == {"blocks": 4, "channels": 32}


def test_images_need_not_be_square():
    wide = fs.family(Plain, resolution=(32, 64), depth={"blocks": 2}, width={"channels": 16})
    assert wide.resolution == (32, 64)
    assert fs.scale(wide, "r", 4).resolution == (64, 128)
    assert fs.complexity(wide) == fs.complexity(Plain(), resolution=(32, 64))


def test_timm_is_scaled_by_its_keywords():
    big = fs.scale_to(convnext(), "dWr", flops=16e9)
    assert fs.complexity(big).flops == pytest.approx(16e9, rel=0.01)
    with torch.device("meta"):
        module = timm.create_model("convnext_tiny", **big.kwargs)
    assert fs.complexity(module, resolution=big.resolution) == fs.complexity(big)
    assert big.scaling is not None
    assert big.scaling.achieved == fs.complexity(big).flops


def test_widths_grow_by_whole_heads_and_images_by_whole_patches():
    scaled = fs.scale(vit(), "dWr", 4)
    assert scaled.kwargs == {"depth": 14, "embed_dim": 640, "num_heads": 10, "img_size": 240}
    assert vit().side_step == 16
    swin = fs.family(
        timm.create_model,
        "swin_tiny_patch4_window7_224",
        depth={"depths": (2, 2, 6, 2)},
        width={"embed_dim": 96, "num_heads": (3, 6, 12, 24)},
        resolution={"img_size": 224},
    )
    assert fs.scale(swin, width=1.4).kwargs["num_heads"] == (4, 8, 16, 32)
    assert fs.scale(swin, width=1.4).kwargs["embed_dim"] == 128


def test_a_function_of_factors_is_a_family():
    mine = fs.family(lambda d, w: Plain(blocks=d(2), channels=w(16)), resolution=32)
    scaled = fs.scale(mine, "dw", 8)
    assert fs.complexity(scaled) == fs.complexity(Plain(round(2 * 8**0.5), 8 * round(2 * 8**0.25)), resolution=32)


def test_a_function_says_what_each_factor_did():
    mine = fs.family(lambda d, w, r: Plain(blocks=d(2), channels=w(16)), resolution=32)
    assert mine.confirmed == "d adds layers, w widens layers, r changes nothing"
    assert fs.scale(mine, "dw", 2).confirmed == mine.confirmed


class Repeated(nn.Module):
    """One convolution, called several times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.conv, self.times = nn.Conv2d(3, 3, 3, 1, 1), times

    def forward(self, x):
        for _ in range(self.times):
            x = self.conv(x)
        return x


def test_a_layer_that_is_called_again_is_depth():
    found = fs.family(lambda d: Repeated(d(2)), resolution=8)
    assert found.confirmed == "d calls layers more often"
    assert fs.complexity(fs.scale(found, depth=2)).flops == 4 * 64 * 84


class Staged(nn.Sequential):
    """Stages of several widths: a deeper one gives its layers' names to others."""

    def __init__(self, depth: int = 2, width: int = 8) -> None:
        wide = [width] * depth + [2 * width] * depth
        widths = zip([3, *wide], wide, strict=False)
        super().__init__(*(nn.Conv2d(a, b, 3, padding=1) for a, b in widths), nn.Conv2d(wide[-1], 4, 1))


def test_layers_that_are_added_narrow_none():
    assert fs.family(lambda d, w: Staged(d(2), w(8)), resolution=16).confirmed == "d adds layers, w widens layers"


class MadeBy:
    """A callable object that makes modules."""

    def __call__(self, blocks: int = 2, channels: int = 16) -> nn.Module:
        return Plain(blocks, channels)


@pytest.mark.parametrize(
    ("make", "makes", "said"),
    [
        (functools.partial(Plain, classes=5), "Plain", "Plain"),
        (functools.partial(functools.partial(Plain), classes=5), "Plain", "Plain"),
        (functools.partial(MadeBy()), "MadeBy", "MadeBy"),
        (MadeBy(), "MadeBy", "MadeBy"),
    ],
)
def test_any_callable_has_a_name_or_says_that_it_has_no_id(make, makes, said, monkeypatch):
    found = fs.family(make, resolution=32)
    assert found.makes == makes
    for module in (Plain.__module__, "__main__"):  # a notebook's
        monkeypatch.setattr(MadeBy, "__module__", module)
        with pytest.raises(NetworkError, match=f"{said}.* has no name by which its rows|no name .*{said}"):
            found.id  # noqa: B018


def drawn(classes: int = 10) -> list[fs.architectures.Family]:
    """Families that all differ, made anew at each call."""
    sized = {"resolution": 32, "depth": {"blocks": 2}, "width": {"channels": 16}}
    return [
        fs.family(Plain, **sized, classes=classes),
        fs.family(Plain, **sized, classes=classes, example=torch.ones(1, 3, 32, 32)),
        fs.family(Plain, **sized, classes=classes, example=torch.zeros(2, 3, 32, 32)),
        fs.family(Plain, **{**sized, "resolution": 48}, classes=classes),
        fs.family(Plain, **{**sized, "depth": {"blocks": 3}}, classes=classes),
        fs.family(Plain, resolution=32, blocks=2, width={"channels": 16}, classes=classes),
        fs.family(functools.partial(Plain, classes=classes), **sized),
        fs.scale(fs.family(Plain, **sized, classes=classes), "w", 4),
    ]


def test_families_are_compared_by_value():
    made, again, other = drawn(), drawn(), drawn(classes=11)
    assert made == again == copy.deepcopy(made) == pickle.loads(pickle.dumps(made))
    assert [hash(each) for each in made] == [hash(each) for each in again]
    assert len({*made, *again, *other}) == len(made) + len(other)
    assert fs.measuring.Plan(tuple(made[:1])) == copy.deepcopy(fs.measuring.Plan(tuple(again[:1])))


def test_a_number_of_classes_is_no_width():
    with pytest.raises(NetworkError, match="classes is given as width, but doubled it widens one layer alone"):
        fs.family(Plain, resolution=32, depth={"blocks": 2}, width={"classes": 10})
    with pytest.raises(NetworkError, match="takes w for width, but doubled it widens one layer alone"):
        fs.family(lambda w: Plain(classes=w(10)), resolution=32)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda d, w: Plain(w(2), d(16)), r"takes d for depth, .* widens layers .are d and w swapped"),
        (lambda w: Plain(w(2), 16), r"takes w for width, .* adds layers .are d and w swapped"),
        (lambda d, w: Plain(d(2), 16), r"takes w for width, which must widen them, but doubled it changes nothing"),
        (lambda d: Plain(2, 16), r"takes d for depth, which must add layers, but doubled it changes nothing"),
    ],
)
def test_a_factor_that_does_something_else_is_refused(make, said):
    with pytest.raises(NetworkError, match=said) as caught:
        fs.family(make, resolution=32)
    assert len(str(caught.value)) < 300


def test_heads_that_must_grow_with_a_width_are_asked_for():
    with pytest.raises(NetworkError, match=r"embed_dim of vit_small_patch16_224 .* while num_heads stays 6; give"):
        fs.family(timm.create_model, "vit_small_patch16_224", depth={"depth": 12}, width={"embed_dim": 384})


def test_the_tag_of_weights_says_the_resolution():
    with torch.device("meta"):
        module = timm.create_model("convnext_tiny.in12k_ft_in1k_384")
    found = fs.family(timm.create_model, "convnext_tiny.in12k_ft_in1k_384")
    assert found.resolution == 384
    assert fs.complexity(module) == fs.complexity(module, resolution=384) == fs.complexity(found)


def test_a_dimension_that_a_family_lacks_is_not_scaled():
    wide = fs.family(Plain, resolution=32, width={"channels": 16})
    deep = fs.family(lambda d: Plain(blocks=d(2)), resolution=32)
    assert (wide.missing, deep.missing, plain().missing) == (("depth",), ("width",), ())
    with pytest.raises(fs.scaling.StrategyError, match="dw scales depth, but Plain has no depth to scale"):
        fs.sweep(wide, ["w", "dw"], [1, 4])
    with pytest.raises(fs.scaling.StrategyError, match="has no width to scale"):
        fs.scale_to(deep, "dwr", flops=1e8)
    with pytest.raises(fs.scaling.StrategyError, match="has no depth to scale"):
        fs.scale(wide, depth=2)
    assert len(fs.sweep(wide, ["w", "r", "wr"], [1, 4])) == 6
    assert str(deep.laws()) == "flops ∝ d^0.93 r^2.00, width: not scaled"


def test_laws_are_measured():
    laws = vit().at(384).laws()
    assert laws.flops == pytest.approx((0.99, 1.84, 2.67), abs=0.01)
    assert str(laws) == ("flops ∝ d^0.99 w^1.84 r^2.67; attention grows as r^4.00 and is 19.8% of the flops at 384 px")
    assert str(convnext().laws()) == "flops ∝ d^0.97 w^1.98 r^2.00"


@pytest.mark.parametrize(
    ("name", "maker", "kwargs"),
    [
        ("convnext_atto", "create_model", {"depths": (4, 4, 12, 4), "dims": (80, 160, 320, 640)}),
        ("deit_tiny_patch16_224", "create_model", {"depth": 24, "embed_dim": 384, "num_heads": 6}),
        ("efficientnet_b0", "EfficientNet", {}),
        ("regnety_002", "RegNet", {}),
        ("mobilenetv3_small_100", "MobileNetV3", {}),
        ("deit_tiny_distilled_patch16_224", "create_model", {"depth": 24, "embed_dim": 384, "num_heads": 6}),
    ],
)
def test_keywords_are_proposed_and_confirmed(name, maker, kwargs):
    found = fs.family(timm.create_model, name)
    assert found.makes == maker
    laws = found.laws()
    assert 0.7 < laws.flops[0] < 1.3
    assert 1.7 < laws.flops[1] < 2.05
    twice = fs.scale(found, depth=2, width=2)
    assert kwargs.items() <= twice.kwargs.items()
    with torch.device("meta"):
        assert found.complexity == trace(timm.create_model(name), resolution=224).complexity


def test_a_width_with_a_rare_name_is_found():
    found = fs.family(timm.create_model, "starnet_s050")
    assert fs.scale(found, width=2).kwargs["base_dim"] == 32


def test_counts_are_kept_in_memory_and_on_disk(own_cache, monkeypatch):
    calls = []

    @functools.wraps(timm.create_model)
    def counted(*args: Any, **given: Any) -> Any:
        calls.append(given)
        return timm.create_model(*args, **given)

    def made() -> fs.architectures.Family:
        return fs.family(counted, "resnet18", depth={"layers": (2, 2, 2, 2)}, width={"channels": (64, 128, 256, 512)})

    first = fs.sweep(made(), "w", [1, 2, 4])
    assert list(own_cache.rglob("*.json"))
    before = len(calls)
    again = fs.sweep(made(), "w", [1, 2, 4])
    assert again.equals(first)
    assert len(calls) - before < 8  # only the confirming of keywords makes modules again


def test_counts_of_found_keywords_are_kept_too(own_cache):
    first = fs.scale(fs.family(timm.create_model, "mobilenetv3_small_050"), "dw", 2)
    kept = set(own_cache.rglob("*.json"))
    again = fs.scale(fs.family(timm.create_model, "mobilenetv3_small_050"), "dw", 2)
    assert kept == set(own_cache.rglob("*.json")) != set()
    assert again.complexity == first.complexity
    assert again.complexity.torch_flops == first.complexity.torch_flops


def test_nothing_is_kept_of_code_that_may_change(own_cache, monkeypatch):
    fs.sweep(plain(), "w", [1, 2])  # a class of this file
    fs.sweep(convnext(cache=False), "w", [1, 2])
    monkeypatch.setenv("FASTSCALE_CACHE", "0")
    fs.sweep(convnext(), "w", [1, 2])
    assert not own_cache.exists()


def test_counts_of_another_version_are_not_taken(own_cache, monkeypatch):
    from fastscale_lib.architectures.traced import memo

    fs.complexity(convnext())
    (file,) = own_cache.rglob("*.json")
    file.write_text('{"counts": [1, 2, 3]}')  # as of another form
    assert fs.complexity(convnext()).flops == 4_468_966_888
    monkeypatch.setattr(memo, "installed_version", lambda _: "0.0.0")
    fs.complexity(convnext())
    assert len(list(own_cache.rglob("*.json"))) == 2


class Odd(nn.Sequential):
    """Takes channels in sixteens alone."""

    def __init__(self, channels: int = 32) -> None:
        if channels % 16:
            raise ValueError("channels must be a multiple of 16")
        super().__init__(nn.Conv2d(3, channels, 3))


def test_widths_are_rounded_to_what_the_module_takes():
    odd = fs.family(Odd, resolution=32, width={"channels": 32})
    assert fs.scale(odd, width=1.3).kwargs == {"channels": 48}
    assert "each in multiples of 16" in odd.rounding


class PowersOfTwo(nn.Sequential):
    """Takes channels that are a power of two alone."""

    def __init__(self, channels: int = 32) -> None:
        if channels & (channels - 1):
            raise ValueError("channels must be a power of two")
        super().__init__(nn.Conv2d(3, channels, 3))


class Values(nn.Module):
    def __init__(self, blocks: int = 1) -> None:
        super().__init__()
        self.steps = [each.item() for each in torch.linspace(0, 1, blocks)]
        self.layers = nn.Sequential(*[nn.Conv2d(3, 3, 3, 1, 1) for _ in range(blocks)])

    def forward(self, x):
        return self.layers(x)


def test_a_maker_that_looks_at_values_is_made_on_the_cpu():
    assert fs.complexity(fs.scale(fs.family(Values, resolution=32, depth={"blocks": 2}), depth=2)).params == 4 * 84


@pytest.mark.parametrize(
    ("make", "given", "said"),
    [
        (3, {}, "is not a callable that returns a module"),
        (lambda: 3, {}, "must return a torch module"),
        (Plain, {"depth": {"blocs": 2}}, "unexpected keyword argument 'blocs'"),
        (Plain, {"depth": {"channels": 16}}, "doubled it adds no layers"),
        (Plain, {"depth": {"ignored": 3}}, "doubled it changes nothing"),
        (Plain, {"width": {"ignored": 3}}, "widen nothing"),
        (Plain, {"depth": {"blocks": "two"}}, "must be a number above 0"),
        (Plain, {"depth": 2}, "must name keywords and their values"),
        (Plain, {"resolution": {"a": 32, "b": 64}}, "one and the same size"),
        (Plain, {"resolution": 0.5}, "must be a whole number"),
        (nn.ReLU, {}, "no keyword of ReLU is found"),
        (nn.ReLU, {"cache": 3}, "must be True or False"),
    ],
)
def test_what_is_no_family_is_refused_in_a_sentence(make, given, said):
    with pytest.raises(NetworkError, match=said) as caught:
        fs.family(make, **{"resolution": 32, **given})
    assert len(str(caught.value)) < 400


def test_sizes_that_cannot_be_made_are_refused():
    powers = fs.family(PowersOfTwo, resolution=32, width={"channels": 32})
    assert fs.scale(powers, width=2).kwargs == {"channels": 64}
    with pytest.raises(NetworkError, match=r"PowersOfTwo.* cannot be made with channels=96 \(ValueError"):
        fs.scale(powers, width=3)
    build: Any = fs.build
    with pytest.raises(NetworkError, match="keywords of its callable"):
        build(plain(), drop_path=0.1)
    with pytest.raises(fs.scaling.StrategyError, match="does not change the params"):
        fs.scale_to(plain(), "r", params=1e6)


class Difficult(Plain):
    """Looks at values, takes two inputs, or calls what is not known."""

    def __init__(self, blocks: int = 2, which: str = "") -> None:
        super().__init__(blocks)
        self.which = which

    def forward(self, input: torch.Tensor, other: torch.Tensor | None = None) -> torch.Tensor:
        if self.which == "values" and input.sum() > 0:
            input = -input
        if self.which == "two inputs":
            assert other is not None, "other is missing"
            input = input + other
        if self.which == "not known":
            input = torch.fft.fft2(input).real
        return super().forward(input)


def test_what_cannot_be_traced_is_said_of_a_family():
    def made(which: str, **more: Any) -> fs.architectures.Family:
        return fs.family(Difficult, which=which, resolution=32, depth={"blocks": 2}, **more)

    with pytest.raises(NetworkError, match="Difficult cannot be traced, since its forward pass looks at values"):
        made("values")
    with pytest.raises(NetworkError, match="other is missing"):
        made("two inputs")
    pair = made("two inputs", example=lambda size: (torch.zeros(1, 3, *size), torch.zeros(1, 3, *size)))
    assert fs.complexity(fs.scale(pair, depth=2)) == fs.complexity(fs.scale(plain(), depth=2))
    assert "not known, and counted as 0: aten._fft_c2c" in str(fs.complexity(made("not known")))
    with pytest.raises(NetworkError, match="unexpected keyword argument 'heads'"):
        made("", heads=3)


def test_a_tiny_family_that_rounding_holds_for_a_while_is_scaled():
    tiny, way = fs.family(lambda d, w: Plain(blocks=d(1), channels=w(8)), resolution=8), "d14_w56_g56_r30"
    assert fs.scale(tiny, way, 4).complexity == tiny.complexity
    target = 100 * fs.complexity(tiny).flops
    assert fs.complexity(fs.scale_to(tiny, way, flops=target)).flops == pytest.approx(target, rel=0.2)


def test_what_takes_networks_alone_names_the_remedy():
    takes_networks: Any = fs.architectures.flops_by_kind
    with pytest.raises(NetworkError, match="a family of modules"):
        takes_networks(plain())


def built(name: str) -> fs.architectures.Family:
    return fs.family(lambda r: fs.build(name), resolution=fs.network(name).resolution)


@pytest.mark.parametrize("name", ["ResNet-50", "RegNetY-1.6GF", "EfficientNet-B0", "MobileNetV3-Small-0.75"])
def test_a_trace_asks_of_a_device_what_the_description_does(name):
    described, traced = operations(fs.network(name)), operations(built(name))
    assert traced.times.sum() == described.times.sum()
    for kind in range(len(KINDS)):
        for column in ("flops", "moved", "weights"):
            found, wanted = (
                (getattr(each, column) * each.times)[each.kind == kind].sum() for each in (traced, described)
            )
            assert found == pytest.approx(wanted, rel=0.01)


def test_memory_is_counted_of_a_family():
    assert fs.peak_memory(built("ResNet-50"), 4) == fs.peak_memory("ResNet-50", 4)
    wide, high = (fs.family(Plain, resolution=size, depth={"blocks": 2}) for size in ((32, 64), (64, 32)))
    assert fs.peak_memory(wide, 4) == fs.peak_memory(high, 4)
    assert fs.peak_memory(wide, 4).activations_bytes > fs.peak_memory(wide, 4, resolution=32).activations_bytes


def test_time_is_predicted_of_a_family():
    rows = fs.Store(REPO / "data" / "measured" / "intel-xeon-2-threads.jsonl").frame()
    model = fs.RuntimeModel.fit(rows[(rows["mode"] == "inference") & rows["median_ms"].notna()])
    batch = int(rows["batch"].iloc[0])
    both = model.predict([fs.network("ResNet-50"), built("ResNet-50")], batch)
    assert both["predicted_ms"][1] == pytest.approx(both["predicted_ms"][0], rel=0.01)

    modules = model.predict([fs.build("ResNet-50", "meta"), timm.create_model("resnet50")], batch)
    assert modules["network"].tolist() == ["ResNet-50", "resnet50"]
    assert modules["predicted_ms"].to_numpy() == pytest.approx(both["predicted_ms"][0], rel=0.01)
    smaller = model.predict([Plain(2, 16), plain(), fs.scale(plain(), "w", 4)], batch, resolution=64, strict=False)
    assert smaller["network"].tolist() == ["Plain", "Plain", "Plain w ×4"]
    with pytest.raises(NetworkError, match="a Plain does not tell how large its images are; give resolution=224"):
        model.predict(Plain(), batch)


def sized(blocks: int = 2, img_size: int = 48) -> nn.Module:
    return Plain(blocks)


def test_a_family_says_where_its_resolution_comes_from():
    assert str(plain()).startswith("Plain (32×32 px, blocks=2")
    assert str(fs.family(timm.create_model, "resnet18")).startswith("resnet18 (224×224 px by its pretrained_cfg, ")
    told = fs.family(sized, depth={"blocks": 2})
    assert (told.resolution, str(told)) == (48, "sized (48×48 px by the default of img_size, blocks=2)")
    assert "by" not in str(told.at(64)).split("px")[1]
    cases: Any = (Plain, {"depth": {"blocks": 2}}), (lambda d: Plain(d(2)), {})
    for make, given in cases:
        with pytest.raises(NetworkError, match=r"nothing says how large the images .* give resolution=224"):
            fs.family(make, **given)


def test_what_is_made_already_is_no_family_and_what_makes_it_no_module():
    with pytest.raises(NetworkError, match=r"this Plain is made already.*fs.family\(Plain, depth"):
        fs.family(Plain())
    asks: Any = fs.complexity, fs.layers, fs.build
    for ask in asks:
        with pytest.raises(NetworkError, match=r"Conv2d makes modules.*fs.complexity\(Conv2d\(\.\.\.\), resolution"):
            ask(nn.Conv2d)


def test_laws_of_a_family_are_the_measured_ones_and_fitted_to_its_counts():
    family = plain()
    measured = family.laws()
    laws = fs.scaling.laws([family, "ResNet-50"], "dwr", [1, 8])
    third = sum(measured.flops) - measured.flops[1] / 2 - measured.flops[2] / 2  # d + w/2 + r/2, each to the third
    assert laws["flops"][1] == pytest.approx(fs.complexity(family).flops * 8 ** (third / 3))
    fits = fs.scaling.fit_exponents(family, "w", [1, 4, 16, 64]).set_index("metric")
    assert fits.loc["flops", "law"] == pytest.approx(measured.flops[1] / 2)
    assert fits.loc["flops", "fitted"] == pytest.approx(1.0, abs=0.05)


def test_a_family_is_measured_here_and_kept_by_its_name():
    found = fs.measure(fs.scale(plain(), "w", 4), batch=2, device="cpu", seconds=0.01)
    assert (found.network, found.resolution, found.batch) == ("Plain w ×4", 32, 2)
    assert fs.measure(plain(), batch=2, device="cpu", seconds=0.01, resolution=16).resolution == 16
    with pytest.raises(fs.records.SettingError, match="measured in this process, which nothing stops"):
        fs.measure(plain(), batch=2, device="cpu", limit=3)
    wide = fs.family(Plain, resolution=(32, 64), depth={"blocks": 2})
    assert fs.measure(wide, batch=2, device="cpu", seconds=0.01).resolution == (32, 64)


def test_a_family_rounds_its_own_group_widths():
    with pytest.raises(fs.scaling.StrategyError, match="is a family of modules, which rounds its own widths"):
        fs.scale(plain(), "w", 4, group_widths="powers of two")
