# SPDX-License-Identifier: Apache-2.0
"""Point the CMake files of the ROS wheels at the Python of this environment.

They name the include folders of the machine that built the wheels. Run with the environment's interpreter.
"""

import re
import sys
import sysconfig
from pathlib import Path

import numpy

NUMPY_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/lib/python[\d.]+/site-packages/numpy/_?core/include")
PYTHON_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python[\d.]+")


def main():
    for path in Path(sys.prefix, "share").rglob("*.cmake"):
        before = path.read_text()
        after = NUMPY_INCLUDE.sub(lambda _: numpy.get_include(), before)
        after = PYTHON_INCLUDE.sub(lambda _: sysconfig.get_path("include"), after)
        if after != before:
            path.write_text(after)


if __name__ == "__main__":
    main()
