"""A training that is small enough for a notebook, from images to intervals."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from ..architectures.counting import complexity
from ..architectures.definition import Network
from ..scaling.targets import scale_to
from .seeds import seed_errors

_BATCH, _TEST_IMAGES = 50, 500


def tiny_training(images: int, folder: str | os.PathLike) -> pd.DataFrame:
    """Train a base and a scaled network on a few images of Fashion-MNIST, with two seeds.

    Arguments:
        images: number of training images; with fewer than a batch of 50 nothing is trained.
        folder: of the data, with training/regnety_28px.yaml and training/recipe.yaml.

    Returns:
        One row per network. Columns: network, seeds, error, low, high (in percent), flops, activations. Or the one
        column "the tiny case": why nothing was trained.

    Raises:
        NetworkError, RecipeError: (a ValueError) a file of the folder cannot be read.
    """
    from ..training.datasets import dataset
    from ..training.image_files import DataError
    from ..training.job import train
    from ..training.recipe import Recipe

    if images < _BATCH:
        return pd.DataFrame({"the tiny case": ["not asked for"]})
    try:
        few = dataset("fashion-mnist").few(images, _TEST_IMAGES)
    except DataError as error:
        return pd.DataFrame({"the tiny case": [f"not run: {error}"]})
    base = Network.from_yaml((Path(folder) / "training" / "regnety_28px.yaml").read_text("utf-8"))
    pair = [base, scale_to(base, "dWr", flops=4 * complexity(base).flops)]
    recipe = Recipe.read(Path(folder) / "training" / "recipe.yaml").set("epochs=2", f"batch={_BATCH}")
    quiet = {"device": "cpu", "progress": lambda step: None}
    rows = [train(each, few, recipe, seed=seed, **quiet) for seed in (0, 1) for each in pair]
    errors = seed_errors(pd.DataFrame(rows))
    return errors[["network", "seeds", "error", "low", "high", "flops", "activations"]]
