"""The mark of tests of signals, locks, links and file sizes, which other systems do not have."""

import os

import pytest

posix = pytest.mark.skipif(os.name != "posix", reason="takes POSIX's signals, locks or files")
