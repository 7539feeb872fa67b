from .widget import Explorer as Explorer
from .widget import explore as explore
