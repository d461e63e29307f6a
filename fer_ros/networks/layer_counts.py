# SPDX-License-Identifier: Apache-2.0
"""Count the layers of a network by kind, as papers tabulate them."""

from __future__ import annotations

from dataclasses import dataclass

from torch import fx, nn
from torch.nn import functional

_POOLINGS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
_POOLING_FUNCTIONS = (functional.max_pool2d, functional.avg_pool2d, functional.adaptive_avg_pool2d)


@dataclass(frozen=True)
class LayerCounts:
    """Layers of a network by kind.

    Rao et al., "A Light Weight Convolution Neural Network For Real time Facial Expression Detection", count 15
    convolutions, 9 poolings and no fully connected layer in mini-Xception: their poolings include strided shortcuts.
    """

    convolutions: int
    """A depth-wise convolution and the point-wise one after it count as one; shortcuts count."""
    strided_shortcuts: int
    """Those of the convolutions that are 1x1 with a stride."""
    poolings: int
    """Including the global one."""
    fully_connected: int


def layer_counts(network: nn.Module) -> LayerCounts:
    """Return the layers that one pass through the network uses.

    Raises:
        torch.fx.proxy.TraceError: the network's layers depend on the values it is given.

    Example:
        >>> from fer_ros import networks
        >>> layer_counts(networks.create("mini_xception", 7))
        LayerCounts(convolutions=15, strided_shortcuts=4, poolings=5, fully_connected=0)
    """
    graph = fx.symbolic_trace(network).graph
    modules = dict(network.named_modules())
    layers = [modules[node.target] for node in graph.nodes if node.op == "call_module"]
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d) and not _is_depthwise(layer)]
    functions = [node.target for node in graph.nodes if node.op == "call_function"]
    return LayerCounts(
        convolutions=len(convolutions),
        strided_shortcuts=sum(layer.kernel_size == (1, 1) and layer.stride != (1, 1) for layer in convolutions),
        poolings=sum(isinstance(layer, _POOLINGS) for layer in layers)
        + sum(function in _POOLING_FUNCTIONS for function in functions),
        fully_connected=sum(isinstance(layer, nn.Linear) for layer in layers),
    )


def _is_depthwise(layer: nn.Conv2d) -> bool:
    return layer.groups == layer.in_channels > 1
