"""Figures of a report, drawn without a display, each an ``<svg>`` element to be put into a page as it is.

Lines and text have the page's own text colour and the background is transparent, so that a figure suits a light and a
dark page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

__all__ = ["bands", "confidence_histograms", "confusion_matrix", "curves", "reliability_diagram", "risk_coverage"]

#: Distinct on white and on black, and for colour-blind readers too.
_COLOURS = ("#3b7dd8", "#d9822b", "#1a9e83", "#b55fb3", "#a08a1c", "#d1495b")
#: Stands for the text colour of the page until the figure is finished; a colour that nothing else has.
_INK = "#010203"
_STYLE: Any = {
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=_COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text: to be selected, searched, and read aloud
    "svg.hashsalt": "msk",  # the same figure is the same bytes
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_WIDTH, _HEIGHT = 5.2, 3.6  # inches
_BINS = 10
#: A faint line for the eye: the ideal, a threshold.
_GUIDE: dict[str, Any] = {"color": _INK, "linewidth": 0.8, "linestyle": (0, (4, 3)), "alpha": 0.6}


def confusion_matrix(counts: NDArray[np.int64], true: Sequence[str], said: Sequence[str]) -> str:
    """Confusion matrix of (rows, columns) counts: rows are ``true``, columns ``said``; shades are shares of a row."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    with mpl.rc_context(_STYLE):
        figure = Figure((1.8 + 0.42 * len(said), 1.6 + 0.34 * len(true)), layout="constrained")
        axes = figure.subplots()
        colours = np.zeros((*counts.shape, 4))
        colours[..., :3] = mpl.colors.to_rgb(_COLOURS[0])
        colours[..., 3] = 0.04 + 0.61 * shares
        axes.pcolormesh(colours, edgecolors="none")
        for row, column in zip(*np.nonzero(counts), strict=True):
            axes.text(column + 0.5, row + 0.5, str(counts[row, column]), ha="center", va="center", fontsize=9)
        axes.set_xticks(np.arange(len(said)) + 0.5, said, rotation=60, ha="right", rotation_mode="anchor")
        axes.set_yticks(np.arange(len(true)) + 0.5, true)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.invert_yaxis()
        axes.set(xlabel="said", ylabel="true")
        return _svg(figure, "confusion matrix")


def curves(lines: Mapping[str, Sequence[float]], what: str, percent: bool = False) -> str:
    """Lines over the epochs, the first of which is number 1. ``percent``: the values are shares, 0..1."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("epoch", what)
        for name, values in lines.items():
            mark = "o" if len(values) < 3 else None
            axes.plot(np.arange(1, len(values) + 1), values, label=name, linewidth=1.6, marker=mark)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if percent:
            axes.yaxis.set_major_formatter(PercentFormatter(1.0))
            axes.set_ylim(top=1.005)
        if len(lines) > 1:
            _legend(axes)
        return _svg(figure, f"{what} by epoch")


def bands(x: Sequence[int], what: str, lines: Mapping[str, Sequence[NDArray[np.float64]]], value: str) -> str:
    """Shares over counts ``x`` of ``what``; each line is given as its mean and the two ends of its interval."""
    with mpl.rc_context(_STYLE):
        figure, axes = _axes(what, value)
        for (name, (mean, low, high)), colour in zip(lines.items(), _COLOURS, strict=False):
            axes.plot(x, mean, label=name, linewidth=1.6, color=colour, marker="o", markersize=3)
            axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        _legend(axes)
        return _svg(figure, f"{value} by {what}")


def reliability_diagram(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> str:
    """Accuracy by confidence in ten bins, from (n,) confidences 0..1 and whether each answer was right."""
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    used = np.unique(bins)
    accuracy = [right[bins == b].mean() for b in used]
    counts = [int((bins == b).sum()) for b in used]
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("confidence", "right")
        axes.plot([0, 1], [0, 1], **_GUIDE)
        axes.bar((used + 0.5) / _BINS, accuracy, width=0.9 / _BINS, color=_COLOURS[0], alpha=0.7)
        for b, height, count in zip(used, accuracy, counts, strict=True):
            axes.text((b + 0.5) / _BINS, height + 0.015, str(count), ha="center", va="bottom", fontsize=8)
        _shares(axes)
        axes.set_ylim(0, 1.08)
        return _svg(figure, "reliability diagram")


def risk_coverage(confidence: NDArray[np.float64], right: NDArray[np.bool_], threshold: float | None) -> str:
    """Share of mistakes by the share answered, from (n,) confidences and whether each answer was right.

    ``threshold``: least confidence of a label, if there is one; its point is marked.
    """
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    risk = np.cumsum(~right[order]) / answered
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("answered", "of these wrong")
        axes.plot(answered / max(len(order), 1), risk, linewidth=1.6)
        at = int((confidence >= threshold).sum()) if threshold is not None else 0
        if at:
            axes.plot(at / len(order), risk[at - 1], "o", color=_COLOURS[1], label=f"threshold {threshold:.2f}")
            _legend(axes)
        _shares(axes)
        axes.set_ylim(-0.005, max(0.05, 1.1 * float(risk.max(initial=0))))
        return _svg(figure, "risk by coverage")


def confidence_histograms(ours: NDArray[np.float64], none: NDArray[np.float64], threshold: float | None = None) -> str:
    """Histograms of the confidence in the likeliest class, 0..1, for radiographs of the classes and of none of them.

    Each group's bars add up to 100 %.
    """
    edges = np.linspace(0, 1, 2 * _BINS + 1)
    with mpl.rc_context(_STYLE):
        figure, axes = _axes("confidence in the likeliest class", "share of the group")
        for values, name, colour in (
            (ours, f"of the classes ({len(ours)})", _COLOURS[0]),
            (none, f"none of them ({len(none)})", _COLOURS[1]),
        ):
            if len(values):
                shares = np.histogram(values, edges)[0] / len(values)
                axes.stairs(shares, edges, fill=True, color=colour, alpha=0.4)
                axes.stairs(shares, edges, color=colour, linewidth=1.4, label=name)
        if threshold is not None:
            axes.axvline(threshold, label=f"threshold {threshold:.2f}", **_GUIDE)
        _legend(axes)
        _shares(axes)
        return _svg(figure, "confidence of both groups")


def _axes(x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure((_WIDTH, _HEIGHT), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    axes.grid(axis="y", color=_INK, alpha=0.12, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _legend(axes: Axes) -> None:
    """Above the figure, where it hides nothing."""
    if not axes.get_legend_handles_labels()[0]:
        return
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, fontsize=9, columnspacing=1.4, handlelength=1.4)


def _shares(axes: Axes) -> None:
    """Both axes in per cent; the horizontal one from 0 to 100."""
    axes.set_xlim(0, 1.01)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))


def _svg(figure: Figure, title: str) -> str:
    file = StringIO()
    with mpl.rc_context({"savefig.transparent": True}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(_INK, "currentColor")
    # The ids of groups would occur several times in a page with several figures.
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    return text.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)
