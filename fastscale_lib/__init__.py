"""Fast and accurate model scaling, explored: describe a network once; count it, build it, time it, slide it.

After Dollár, Singh, Girshick: Fast and Accurate Model Scaling, CVPR 2021. Importing this loads neither torch nor
plotly: they come with the first network that is built and the first figure that is drawn.
"""

from ._common import working_folder as _working_folder  # noqa: F401 - before anything else is looked for on the path

from ._common.lazy import attach  # isort: skip

__getattr__, __dir__, __all__ = attach(__name__, __file__)
