"""How well shipped profiles predict ConvNets that are traced, not described, by published rows.

`python tests/benchmarks/bench_traced.py FOLDER [--write]` traces the ConvNets of timm in benchmark files of timm in a
folder, at the resolution of their rows, and predicts each at the batch of its row, also those whose description the
profile was fitted to. Rows that the profile refuses are counted and left out, as are RepVGG, MobileOne and RepGhost, of
which timm timed some with their branches joined.

How much wider the bands must be for traced networks is found here, and judged on each device by what the others needed.
--write keeps all in data/devices/traced.csv, which pages quote and predictions read.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.other_libraries import import_library

import fastscale_lib as fs
from fastscale_lib.architectures.traced.module_family import Family
from fastscale_lib.architectures.traced.without_data import make_without_data
from fastscale_lib.prediction.device_profiles import profile_model
from fastscale_lib.prediction.fitted import SETTING, widening_of_traced
from fastscale_lib.prediction.profile_files import shipped_profiles
from fastscale_lib.prediction.reach import Bands
from fastscale_lib.records.conditions import Conditions
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
    files = rows.groupby(["device_name", "source"])
    known = [each for (name, _), of_file in files for each in compared(str(name), of_file, families)]
    table = pd.DataFrame([needed(each) for each in known])
    wider = [widening_of_traced(each.setting, each.setting.device_name, table) for each in known]
    for name in ("half", "ninety"):
        pairs = zip(known, wider, strict=True)
        table[name] = [(np.abs(each.off) <= getattr(each, name) + getattr(grows, name)).mean() for each, grows in pairs]
    table = table.drop(columns=["tf32", "threads", "cuda_graph"]).round(4)
    print(table.to_string())
    if asked.write:
        table.to_csv(KEPT, index=False)


class Known(NamedTuple):
    """One file's rows beside their predictions, as logarithms.

    Attributes:
        setting: of the profile, with the version of PyTorch of the file.
        refused: rows that are not predicted.
        off: the ratios of the measured times to the predicted ones.
        half: the upper end of the band of half, relative to the prediction, as of described networks.
        ninety: that of the band of nine in ten.
    """

    setting: Conditions
    refused: int
    off: np.ndarray
    half: np.ndarray
    ninety: np.ndarray


def compared(name: str, rows: pd.DataFrame, families: dict[tuple[str, int], Family]) -> list[Known]:
    """Predict one file's rows, if the profile has their setting."""
    asked = {each: rows[each].iloc[0] for each in ("mode", "precision", "channels_last", "compile", "torch")}
    fits = profile_model(name).fitted
    same = [each for each in fits if all(getattr(each, key) == value for key, value in asked.items() if key != "torch")]
    same = [each for each in same if each.torch in (None, asked["torch"])]
    if len(same) != 1:
        return []
    [setting], [fitted] = same, [fits[each] for each in same]
    assert fitted.reach is not None
    model = fs.RuntimeModel("layers", {setting: fitted._replace(reach=fitted.reach._replace(traced=Bands(0.0, 0.0)))})
    found, refused = [], 0
    for batch in sorted(set(rows["batch"])):
        alike = rows[rows["batch"] == batch]
        networks = [families[key] for key in zip(alike["network"], alike["resolution"], strict=True)]
        try:
            predicted = model.predict(networks, int(batch), strict=False)
        except fs.prediction.PredictionError:  # no fitted row has such a batch
            refused += len(alike)
            continue
        predicted["measured"] = alike["median_ms"].to_numpy()
        found.append(predicted[predicted["predicted_ms"].notna()])
        refused += int(predicted["predicted_ms"].isna().sum())
    told = pd.concat(found)
    ratios = (told[column] / told["predicted_ms"] for column in ("measured", "high_ms", "high_90_ms"))
    return [Known(replace(setting, torch=asked["torch"]), refused, *(np.log(each.to_numpy()) for each in ratios))]


def needed(known: Known) -> dict[str, Any]:
    """Return the errors of one setting, and by how much the logarithms of its bands must grow."""
    error, beyond = np.abs(np.expm1(-known.off)), [np.abs(known.off) - each for each in (known.half, known.ninety)]
    return {
        **known.setting.row(("device_name", *SETTING)),
        **{"rows": len(error), "refused": known.refused},
        **{"error": np.median(error), "error_90": np.quantile(error, 0.9)},
        **{"needed_half": np.quantile(beyond[0], 0.5), "needed": np.quantile(beyond[1], 0.9)},
    }


if __name__ == "__main__":
    main()
