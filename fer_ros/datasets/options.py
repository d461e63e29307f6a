# SPDX-License-Identifier: Apache-2.0
"""Options of the data set readers. Each field is an option of every command that reads data."""

from __future__ import annotations

from dataclasses import dataclass

from fer_ros.registry import option

_SKIP_FAULTY = "leave out unusable files, names and classes, with a warning"
_DETECTOR = "detector that finds the faces; corpora: viola_jones if not given, others: the images are faces already"
_ALIGN = "derotate and scale the faces found by their eyes"


@dataclass(frozen=True)
class LabeledFilesOptions:
    """Options for folders and lists of images."""

    skip_faulty: bool = option(False, _SKIP_FAULTY)
    detector: str = option("", _DETECTOR)
    align: bool = option(False, _ALIGN)


@dataclass(frozen=True)
class EmotionCorporaOptions:
    """Options for corpora of acted emotions."""

    by_speaker: bool = option(False, "for corpora of acted emotions: keep each person in one split")
    by_image: bool = option(
        False, "for corpora: split single images, as papers do: frames of one recording are in both splits"
    )
    views: str = option(
        "", "for KDEF and MEAD: views to read, such as S,HL or front,left_30, or all (default: frontal)"
    )
    channel: str = option("", "for RAVDESS: speech or song (default: both)")
    both_versions: bool = option(False, "for RAVDESS: read a recording both with and without sound, as Ding et al. do")
    skip_faulty: bool = option(False, _SKIP_FAULTY)
    detector: str = option("", _DETECTOR)
    align: bool = option(False, _ALIGN)
    cache: str = option(
        "", "for corpora: folder that keeps the faces found (default: $FER_ROS_CACHE, or ~/.cache/fer_ros)"
    )
