from .engine import report as report
from .notebook import Inputs as Inputs
from .notebook import start as start
from .parameters import ParameterError as ParameterError
from .result import Report as Report
from .selection import SelectionError as SelectionError
