# SPDX-License-Identifier: Apache-2.0
"""Load the shared libraries of torch while other threads run.

`import torch` holds Python's global lock while the dynamic linker loads half a gigabyte of libraries, which takes up
to 0.4 s.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec
from pathlib import Path

_LIBRARIES = {
    "libtorch_global_deps.so": os.RTLD_NOW | os.RTLD_GLOBAL,
    "libtorch_python.so": os.RTLD_NOW,
}
"""In the order and with the flags with which `import torch` loads them."""


def load() -> None:
    """Load the libraries, so that a following `import torch` finds them loaded; without torch do nothing.

    They lie elsewhere in the packages of some distributions, where `import torch` loads them as ever.
    """
    spec = None if "torch" in sys.modules else find_spec("torch")
    if spec is None or spec.origin is None:
        return
    folder = Path(spec.origin).parent / "lib"
    # ctypes releases the global lock while it calls a function, but not while it loads a library itself.
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.restype, dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    for name, flags in _LIBRARIES.items():
        dlopen(bytes(folder / name), flags)
