from .builder import build as build
from .weights import WeightsError as WeightsError
from .weights import load_weights as load_weights
