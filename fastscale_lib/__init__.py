"""Fast and accurate model scaling, explored: describe a network once; count it, build it, time it, slide it.

After Dollár, Singh, Girshick: Fast and Accurate Model Scaling, CVPR 2021. Importing this loads neither torch nor
plotly: they come with the first network that is built and the first figure that is drawn.
"""

from ._common import working_folder as _working_folder

# isort: split

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._common.checks import AnalysisError
from ._common.version import __version__ as __version__
from .analysis.accuracy import error_gaps, growth
from .analysis.correlation import correlations, leads
from .analysis.seeds import error_difference, seed_errors
from .analysis.times import knees, measured_times, predicted_times
from .architectures.counting import Complexity, complexity, layers
from .architectures.definition import Network
from .architectures.design_spaces import anynet, regnet
from .architectures.operation_lists import flops_by_kind
from .architectures.parts import NetworkError
from .architectures.zoo import families, network, networks
from .measuring.batch_search import largest_batch
from .measuring.counted_memory import PeakMemory, peak_memory
from .measuring.in_subprocess import measure
from .measuring.peak_rates import Ceilings, ceilings
from .measuring.plan_runner import SweepWarning, run
from .measuring.plans import Plan, PlanError
from .measuring.worker import Worker
from .models.builder import build
from .models.weights import WeightsError, load_weights
from .prediction.budgets import BudgetError, costs, within
from .prediction.calibration import calibrate
from .prediction.forms import PredictionError
from .prediction.model import RuntimeModel, prediction_errors
from .prediction.roofline import roofline_share
from .records.comparison import Comparison, compare
from .records.measurement import MeasureError, Measurement
from .records.published_rows import PublishedError, published, published_errors, read_measured
from .records.rows import measured_rows
from .records.store import Store, StoreError, StoreWarning
from .records.timm_tables import PublishedWarning, read_timm
from .reports.engine import report
from .reports.parameters import ParameterError
from .reports.selection import SelectionError
from .scaling.asymptotics import fit_exponents, laws
from .scaling.grids import sweep
from .scaling.matched import equal_flops, regimes
from .scaling.rounding import scale
from .scaling.strategies import STRATEGIES, Strategy, StrategyError, strategy
from .scaling.targets import TargetWarning, scale_to
from .training.checkpoints import TrainingError
from .training.comparisons import train_all
from .training.datasets import ImageData, dataset
from .training.image_files import DataError
from .training.job import train
from .training.recipe import Recipe, RecipeError

if TYPE_CHECKING:
    from .explorer.widget import Explorer, explore

__all__ = [
    "STRATEGIES",
    "AnalysisError",
    "BudgetError",
    "Ceilings",
    "Comparison",
    "Complexity",
    "DataError",
    "Explorer",
    "ImageData",
    "MeasureError",
    "Measurement",
    "Network",
    "NetworkError",
    "ParameterError",
    "PeakMemory",
    "Plan",
    "PlanError",
    "PredictionError",
    "PublishedError",
    "PublishedWarning",
    "Recipe",
    "RecipeError",
    "RuntimeModel",
    "SelectionError",
    "Store",
    "StoreError",
    "StoreWarning",
    "Strategy",
    "StrategyError",
    "SweepWarning",
    "TargetWarning",
    "TrainingError",
    "WeightsError",
    "Worker",
    "anynet",
    "build",
    "calibrate",
    "ceilings",
    "compare",
    "complexity",
    "correlations",
    "costs",
    "dataset",
    "equal_flops",
    "error_difference",
    "error_gaps",
    "explore",
    "families",
    "figures",
    "fit_exponents",
    "flops_by_kind",
    "growth",
    "knees",
    "largest_batch",
    "laws",
    "layers",
    "leads",
    "load_weights",
    "measure",
    "measured_rows",
    "measured_times",
    "network",
    "networks",
    "peak_memory",
    "predicted_times",
    "prediction_errors",
    "published",
    "published_errors",
    "read_measured",
    "read_timm",
    "regimes",
    "regnet",
    "report",
    "roofline_share",
    "run",
    "scale",
    "scale_to",
    "seed_errors",
    "strategy",
    "sweep",
    "train",
    "train_all",
    "within",
]


# Rooms that load plotly or ipywidgets, by the public names that live there.
_LATER = {"Explorer": "explorer", "explore": "explorer", "figures": None}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room = _LATER[name]
    value = getattr(import_module(f".{room}", __name__), name) if room else import_module(f".{name}", __name__)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
