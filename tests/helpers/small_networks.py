"""A network made by hand, small enough to list."""

import fastscale_lib as fs


def small(**changes) -> fs.Network:
    """A network made by hand, for small images."""
    return fs.anynet(
        **{"depths": [1, 2], "widths": [32, 64], "stem": "res_stem_cifar", "stem_width": 16, "resolution": 32} | changes
    )
