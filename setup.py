"""The compiled modules of Yipan; everything else about the package stands in pyproject.toml.

`YIPAN_CORE_DEBUG=1` builds them with every check on (bounds, wraparound, initialisation).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

DEBUG = os.environ.get("YIPAN_CORE_DEBUG") == "1"
DIRECTIVES = {
    "language_level": 3,
    "boundscheck": DEBUG,
    "wraparound": DEBUG,
    "initializedcheck": DEBUG,
    "cdivision": not DEBUG,
    "freethreading_compatible": True,
}

setup(
    ext_modules=cythonize(
        [
            Extension(
                f"core_ext.{path.stem}",
                [str(path)],
                extra_compile_args=["-O0", "-g"] if DEBUG else ["-O3"],
            )
            for path in sorted(Path("core_ext").glob("*.pyx"))
        ],
        compiler_directives=DIRECTIVES,
        force=DEBUG,
    )
)
