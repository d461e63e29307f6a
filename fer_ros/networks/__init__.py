# SPDX-License-Identifier: Apache-2.0
"""Network architectures, one file each, created by name."""

from fer_ros.networks.registry import NETWORKS, create, input_size, options_of

__all__ = ["NETWORKS", "create", "input_size", "options_of"]
