# SPDX-License-Identifier: Apache-2.0
"""The curves of a training run as options of Apache ECharts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fer_ros.nodes.dashboard.state import Epoch

_GRAY = "#8b93a1"
"""Legible on a light and on a dark page."""
_LINE = "rgba(139, 147, 161, 0.25)"
_BLUE, _ORANGE, _GREEN = "#56a4e9", "#e69f00", "#1fae83"

_ACCURACY = (
    ("validation", "validation_accuracy", _BLUE, "solid"),
    ("best", "best_validation_accuracy", _GREEN, "dashed"),
)
_LOSS = (("training", "train_loss", _ORANGE, "solid"), ("validation", "validation_loss", _BLUE, "solid"))


def accuracy(epochs: Sequence[Epoch]) -> dict[str, Any]:
    """Return the chart of the accuracies, in percent."""
    return _chart("accuracy (%) by epoch", epochs, _ACCURACY, factor=100, highest=100)


def loss(epochs: Sequence[Epoch]) -> dict[str, Any]:
    """Return the chart of the losses, in nats."""
    return _chart("loss (nats) by epoch", epochs, _LOSS, factor=1, highest=None)


def _chart(
    title: str,
    epochs: Sequence[Epoch],
    curves: Sequence[tuple[str, str, str, str]],
    factor: float,
    highest: float | None,
) -> dict[str, Any]:
    axis = {"axisLabel": {"color": _GRAY}, "axisLine": {"lineStyle": {"color": _LINE}}}
    grid = {"splitLine": {"lineStyle": {"color": _LINE}}}
    no_grid = {"splitLine": {"show": False}}
    # With few epochs each is a dot, so that a curve of a single one can be seen.
    symbols = {"showSymbol": len(epochs) <= 30, "symbol": "circle", "symbolSize": 5}
    return {
        "animation": False,
        "title": {"text": title, "left": 0, "top": 0, "textStyle": {"color": _GRAY, "fontSize": 13, "fontWeight": 500}},
        "legend": {"right": 0, "top": 0, "textStyle": {"color": _GRAY}, "icon": "roundRect", "itemHeight": 3},
        "grid": {"left": 44, "right": 16, "top": 40, "bottom": 28},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "value", "min": "dataMin", "max": "dataMax", "minInterval": 1, **axis, **no_grid},
        "yAxis": {"type": "value", "scale": True, "max": highest, "splitNumber": 4, **axis, **grid},
        "series": [
            {
                "type": "line",
                "name": name,
                "data": [[epoch.number, round(factor * getattr(epoch, field), 4)] for epoch in epochs],
                "lineStyle": {"width": 2, "type": style},
                "color": color,
                **symbols,
            }
            for name, field, color, style in curves
        ],
    }
