# SPDX-License-Identifier: Apache-2.0
"""Modules that are executed when they are first used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_ros import resources
from fer_ros.emotion.classifier import Classifier

ROOT = Path(__file__).parents[2]
DEFER = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("lazy_imports", "fer_ros/nodes/common/lazy_imports.py")
lazy_imports = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lazy_imports)
lazy_imports.defer("library.heavy", "library.missing", "torch._meta_registrations", "torch._native")
"""


def run(code: str, folder: Path) -> list[str]:
    """Run code in a new interpreter, in which no import is cached; return the lines that it prints."""
    command = [sys.executable, "-c", f"{DEFER}\nsys.path.insert(0, {str(folder)!r})\n{code}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


def test_deferred_module_runs_at_first_access(tmp_path):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "__init__.py").write_text("from library import heavy, light\n")
    (tmp_path / "library" / "heavy.py").write_text("print('heavy runs')\nvalue = 7\n")
    (tmp_path / "library" / "light.py").write_text("print('light runs')\n")
    code = "import library\nprint('imported')\nprint(library.heavy.value)"
    assert run(code, tmp_path) == ["light runs", "imported", "heavy runs", "7"]


def test_deferred_module_that_does_not_exist_stays_missing(tmp_path):
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "__init__.py").write_text("")
    assert run("try: import library.missing\nexcept ImportError: print('missing')", tmp_path) == ["missing"]


def test_model_has_same_scores_with_deferred_parts_of_torch(tmp_path):
    pytest.importorskip("torch")
    code = """
import numpy as np
from fer_ros.emotion.classifier import Classifier
crops = np.random.default_rng(0).integers(0, 255, (3, 48, 48), np.uint8)
print(*Classifier("mini_xception", "torchscript").scores(crops).ravel())
import torch
print(callable(torch._meta_registrations.activate_meta))
"""
    if not any((folder / "mini_xception.pt").is_file() for folder in resources.folders("models")):
        pytest.skip("no mini_xception.pt")
    scores, usable = run(code, tmp_path)
    crops = np.random.default_rng(0).integers(0, 255, (3, 48, 48), np.uint8)
    expected = Classifier("mini_xception", "torchscript").scores(crops).ravel()
    assert np.allclose([float(score) for score in scores.split()], expected, atol=1e-6)
    assert usable == "True"
