"""What pyproject.toml cannot say: a wheel carries the top-level folders notebooks and data inside the library."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

FOLDERS = ("notebooks", "data")
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.png")  # pictures are the README's


class BuildWithNotebooksAndData(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:  # an editable install reads those of the checkout
            for name in FOLDERS:
                target = Path(self.build_lib) / "fastscale_lib" / name
                shutil.rmtree(target, ignore_errors=True)  # an earlier build's
                shutil.copytree(name, target, ignore=LEFT_OUT)


setup(cmdclass={"build_py": BuildWithNotebooksAndData})
