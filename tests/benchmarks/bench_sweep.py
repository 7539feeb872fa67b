"""How fast a grid of scaled networks is counted: by `sweep`, one by one, and by torch on the meta device."""

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import fastscale_lib as fs
from fastscale_lib.architectures.resolutions import both_sides

NAME, STRATEGY = "RegNetY-4.0GF", "dWr"
GOAL = 1_000_000  # combinations a second on one core
FAMILY_GOAL = 300_000  # of the slowest family


def count_by_torch(net: fs.Network) -> int:
    """The multiply-adds of a network as torch counts them: build it and pass one image through."""
    model = fs.build(net, device="meta").eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.empty(1, 3, *both_sides(net.resolution), device="meta"))
    return counter.get_total_flops() // 2


def test_a_sweep_of_100_000_scales(report, best_of):
    torch.set_num_threads(1)
    scales = np.geomspace(1 / 4, 64, 100_000)
    some, few = scales[::500], scales[::20_000]
    net = fs.network(NAME)
    one = fs.sweep(net, STRATEGY, some, stages=False)
    loop = [fs.complexity(fs.scale(net, STRATEGY, s)) for s in some]
    assert list(zip(one.flops, one.params, one.activations, strict=True)) == loop  # they do the same work

    seconds = {
        "sweep, stages=False": best_of(7, lambda: fs.sweep(net, STRATEGY, scales, stages=False)) / len(scales),
        "sweep, with stages": best_of(3, lambda: fs.sweep(net, STRATEGY, scales)) / len(scales),
        "loop over complexity(scale(...))": best_of(
            3, lambda: [fs.complexity(fs.scale(net, STRATEGY, s)) for s in some]
        )
        / len(some),
        "torch FlopCounterMode, meta device": best_of(
            1, lambda: [count_by_torch(fs.scale(net, STRATEGY, s)) for s in few]
        )
        / len(few),
    }
    rates = {name: 1 / each for name, each in seconds.items()}
    ours, *others = rates
    rows = [(ours, f"{rates[ours]:,.0f}/s", f"goal {GOAL:,}/s on one core: {rates[ours] / GOAL:.2f} of it")]
    rows += [
        (name, f"{rates[name]:,.1f}/s", f"sweep is {rates[ours] / rates[name]:,.1f} times as fast") for name in others
    ]
    report.table(f"{NAME}, {STRATEGY}, {len(scales):,} scales: combinations a second", rows, per_second=rates)


def test_the_largest_network_of_each_family(report, best_of):
    scales = np.geomspace(1 / 4, 64, 20_000)
    rates = {}
    for names in fs.architectures.families().values():
        net = fs.network(names[-1])
        rates[net.name] = len(scales) / best_of(3, lambda net=net: fs.sweep(net, STRATEGY, scales, stages=False))
    rows = [(name, f"{rate:,.0f}/s", f"{rate / FAMILY_GOAL:.2f} of the goal") for name, rate in rates.items()]
    report.table(f"{STRATEGY}, {len(scales):,} scales: combinations a second", rows, per_second=rates)


def test_the_grid_behind_the_explorer(report, best_of):
    """8 strategies of 64 points each: what one move of a slider counts."""
    scales = np.geomspace(1 / 4, 64, 64)
    strategies, net = list(fs.scaling.STRATEGIES), fs.network(NAME)
    grid = {
        "sweep, stages=False": lambda: fs.sweep(net, strategies, scales, stages=False),
        "sweep, with stages": lambda: fs.sweep(net, strategies, scales),
        "loop over complexity(scale(...))": lambda: [
            fs.complexity(fs.scale(net, strategy, s)) for strategy in strategies for s in scales
        ],
    }
    times = {name: 1000 * best_of(2 if "loop" in name else 30, run) for name, run in grid.items()}
    first, *others = times
    rows = [(first, f"{times[first]:.2f} ms", "")]
    rows += [(name, f"{times[name]:.2f} ms", f"{times[name] / times[first]:.1f} times as long") for name in others]
    report.table(f"{NAME}, 8 strategies × 64 scales: milliseconds", rows, ms=times)
