# SPDX-License-Identifier: Apache-2.0
"""Build the wheel `fer-ros`: the library without ROS, its commands, models and recipes.

The ROS package, with nodes and messages, is built from CMakeLists.txt.
"""

from pathlib import Path
from xml.etree import ElementTree

from setuptools import find_packages, setup

setup(
    version=ElementTree.parse(Path(__file__).with_name("package.xml")).findtext("version"),
    packages=[
        *find_packages(include=["fer_ros", "fer_ros.*"], exclude=["fer_ros.nodes", "fer_ros.nodes.*"]),
        "fer_ros.message_files",  # not fer_ros.msg, which is the generated Python package
        "fer_ros.models",
        "fer_ros.recipes",
    ],
    package_dir={
        "fer_ros.message_files": "msg",
        "fer_ros.models": "models",
        "fer_ros.recipes": "config/recipes",
    },
    package_data={
        "fer_ros": ["py.typed"],
        "fer_ros.evaluation": ["page.html"],
        "fer_ros.message_files": ["*.msg"],
        "fer_ros.models": ["*.pt", "*.onnx", "*.md", "SHA256SUMS"],
        "fer_ros.recipes": ["*.yaml"],
    },
)
