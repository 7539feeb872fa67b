"""`python -m fastscale_lib` is the `fastscale` command, where that is not on the path."""

import sys

from .cli import main

sys.exit(main())
