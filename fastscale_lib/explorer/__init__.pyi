from .app_data import ExplorerPageError as ExplorerPageError
from .app_data import Timing as Timing
from .app_page import write_page as write_page
from .widget import Explorer as Explorer
from .widget import explore as explore
