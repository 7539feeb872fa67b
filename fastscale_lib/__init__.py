"""Fast and accurate model scaling, explored: describe a network once; count it, build it, time it, slide it.

After Dollár, Singh, Girshick: Fast and Accurate Model Scaling, CVPR 2021. Importing this loads neither torch nor
plotly: they come with the first network that is built and the first figure that is drawn.
"""

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from .build import build
from .calibration import calibrate
from .capacity import largest_batch
from .ceilings import Ceilings, ceilings, roofline_share
from .complexity import Complexity, complexity, fit_exponents, laws, layers, sweep
from .correlation import correlations, leads
from .measurement import Comparison, MeasureError, Measurement, compare
from .networks import Network, NetworkError, anynet
from .plans import Plan, PlanError
from .published import PublishedError, published, read_measured
from .runtime import PredictionError, RuntimeModel, prediction_errors
from .scaling import STRATEGIES, Strategy, StrategyError, scale, strategy
from .store import Store, StoreError, StoreWarning
from .sweeping import SweepWarning, run
from .targets import TargetWarning, scale_to
from .timing import measure
from .timm import PublishedWarning, read_timm
from .worker import Worker
from .zoo import families, network, networks, regnet

if TYPE_CHECKING:
    from .explorer import Explorer, explore

__all__ = [
    "STRATEGIES",
    "Ceilings",
    "Comparison",
    "Complexity",
    "Explorer",
    "MeasureError",
    "Measurement",
    "Network",
    "NetworkError",
    "Plan",
    "PlanError",
    "PredictionError",
    "PublishedError",
    "PublishedWarning",
    "RuntimeModel",
    "Store",
    "StoreError",
    "StoreWarning",
    "Strategy",
    "StrategyError",
    "SweepWarning",
    "TargetWarning",
    "Worker",
    "anynet",
    "build",
    "calibrate",
    "ceilings",
    "compare",
    "complexity",
    "correlations",
    "explore",
    "families",
    "figures",
    "fit_exponents",
    "largest_batch",
    "laws",
    "layers",
    "leads",
    "measure",
    "network",
    "networks",
    "prediction_errors",
    "published",
    "read_measured",
    "read_timm",
    "regnet",
    "roofline_share",
    "run",
    "scale",
    "scale_to",
    "strategy",
    "sweep",
]

try:
    __version__ = version("fastscale")
except PackageNotFoundError:  # used from a source tree that was not installed
    __version__ = "0+unknown"

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
