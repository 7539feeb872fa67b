"""How well shipped profiles predict ConvNets that are traced, not described, by published rows.

`python tests/benchmarks/bench_traced.py FOLDER [--write]` traces the ConvNets of timm in benchmark files of timm in a
folder, at the resolution of their rows, and predicts each at the batch of its row, also those whose description the
profile was fitted to; rows that the profile refuses are counted. Shares within the bands are taken of all others. RepVGG, MobileOne and RepGhost are left out: timm timed some of them with their branches joined.
--write keeps the errors in data/devices/traced.csv, which pages quote.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.other_libraries import import_library

import fastscale_lib as fs
from fastscale_lib.architectures.traced.module_family import Family
from fastscale_lib.architectures.traced.without_data import make_without_data
from fastscale_lib.prediction.device_profiles import profile_model
from fastscale_lib.prediction.fitted import SETTING
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
    """Return the errors of one file's rows and the shares within the bands, if the profile has their setting."""
    asked = {each: rows[each].iloc[0] for each in ("mode", "precision", "channels_last", "compile", "torch")}
    fits = profile_model(name).fitted
    same = [each for each in fits if all(getattr(each, key) == value for key, value in asked.items() if key != "torch")]
    same = [each for each in same if each.torch in (None, asked["torch"])]
    if len(same) != 1:
        return []
    [setting] = same
    model = fs.RuntimeModel("layers", {setting: fits[setting]})
    known, refused = [], 0
    for batch, alike in rows.groupby("batch"):
        networks = [families[key] for key in zip(alike["network"], alike["resolution"], strict=True)]
        try:
            predicted = model.predict(networks, int(batch), strict=False)
        except fs.prediction.PredictionError:  # no fitted row has such a batch
            refused += len(alike)
            continue
        predicted["measured"] = alike["median_ms"].to_numpy()
        known.append(predicted[predicted["predicted_ms"].notna()])
        refused += int(predicted["predicted_ms"].isna().sum())
    told = pd.concat(known)
    off = (told["predicted_ms"] / told["measured"] - 1).abs()
    shares = {
        **{"error": off.median(), "error_90": off.quantile(0.9)},
        "half": told["measured"].between(told["low_ms"], told["high_ms"]).mean(),
        "ninety": told["measured"].between(told["low_90_ms"], told["high_90_ms"]).mean(),
    }
    what = setting.row(("device_name", *SETTING))
    return [{**what, "torch": asked["torch"], "rows": len(told), "refused": refused, **shares}]


if __name__ == "__main__":
    main()
