"""How well shipped profiles predict ConvNets that are traced, not described, by published rows.

`python tests/benchmarks/bench_traced.py FOLDER [--write]` traces the ConvNets of timm in benchmark files of timm in a
folder, at the resolution of their rows, and predicts each at the batch of its row, also those whose description the
profile was fitted to. RepVGG, MobileOne and RepGhost are left out: timm timed some of them with their branches joined.
--write keeps the errors in data/devices/traced.csv, which pages quote.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.other_libraries import import_library

import fastscale_lib as fs
from fastscale_lib.architectures.traced.module_family import Family
from fastscale_lib.architectures.traced.without_data import make_without_data
from fastscale_lib.prediction.device_profiles import profile_model
from fastscale_lib.prediction.fitted import SETTING
from fastscale_lib.prediction.forms import bytes_of, operations_of
from fastscale_lib.prediction.profile_files import shipped_profiles
from fastscale_lib.scaling.module_scaling import network_or_modules

KEPT = Path(__file__).parents[2] / "data" / "devices" / "traced.csv"
CONVNETS = """
byobnet convnext csatv2 cspnet densenet dla dpn edgenext efficientnet fasternet focalnet ghostnet hardcorenas
hgnet hrnet inception_next inception_resnet_v2 inception_v3 inception_v4 mambaout metaformer mobilenetv3
mobilenetv5 nasnet nfnet pnasnet rdnet regnet res2net resnest resnet resnetv2 rexnet selecsls senet shvit
sknet starnet tresnet vgg vovnet xception xception_aligned
"""  # modules of timm
JOINED = "repvgg|mobileone|repghost"
OLDER = r"1\.|2\.1"  # versions of PyTorch that no profile of a GPU is fitted to


def traced(name: str, resolution: int) -> Family:
    """Trace a network of timm, once; its weights are never made."""
    timm = import_library("timm")
    found = network_or_modules(make_without_data(lambda: timm.create_model(name).eval()), resolution)
    assert isinstance(found, Family)
    trace = found.trace()
    found.trace = lambda: trace
    return found


def published_rows(folder: Path) -> pd.DataFrame:
    """Read the inference files of devices that have a profile of the same version of PyTorch."""
    module_of = import_library("timm.models._registry")._model_to_module
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = pd.concat([fs.records.read_timm(path) for path in sorted(folder.glob("benchmark-infer-*.csv"))])
    convnets = rows["network"].map(module_of).isin(CONVNETS.split()) & ~rows["network"].str.contains(JOINED)
    known = rows["device_name"].isin(list(shipped_profiles())) & ~rows["torch"].str.match(OLDER)
    return rows[convnets & known & rows["median_ms"].notna()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    rows = published_rows(asked.folder)
    families = {key: traced(*key) for key in sorted({*zip(rows["network"], rows["resolution"], strict=True)})}
    found = []
    for (name, _), of_file in rows.groupby(["device_name", "source"]):
        found += errors(str(name), of_file, families)
    table = pd.DataFrame(found).drop(columns=["tf32", "threads", "cuda_graph"]).round(4)
    print(table.to_string())
    if asked.write:
        table.to_csv(KEPT, index=False)


def errors(name: str, rows: pd.DataFrame, families: dict[tuple[str, int], Family]) -> list[dict]:
    """Return the median and the 90th percentile of the error of one file's rows, if the profile has their setting."""
    asked = {each: rows[each].iloc[0] for each in ("mode", "precision", "channels_last", "compile", "torch")}
    fits = profile_model(name).fitted
    same = [each for each in fits if all(getattr(each, key) == value for key, value in asked.items() if key != "torch")]
    same = [each for each in same if each.torch in (None, asked["torch"])]
    if len(same) != 1:
        return []
    [setting], [fitted] = same, [fits[each] for each in same]
    seconds = []
    for network, resolution, batch in zip(rows["network"], rows["resolution"], rows["batch"], strict=True):
        ops = operations_of(families[network, resolution], setting)
        seconds.append(fitted.form.seconds(ops, batch, bytes_of(setting), fitted.parameters).sum())
    off = np.abs(np.array(seconds) * 1e3 / rows["median_ms"].to_numpy() - 1)
    shares = {"error": np.median(off), "error_90": np.quantile(off, 0.9)}
    what = setting.row(("device_name", *SETTING))
    return [{**what, "torch": asked["torch"], "rows": len(rows), **shares}]


if __name__ == "__main__":
    main()
