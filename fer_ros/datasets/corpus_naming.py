# SPDX-License-Identifier: Apache-2.0
"""File names of four corpora of acted emotions: label and speaker are parts of them.

KDEF: Lundqvist, Flykt, Öhman, "The Karolinska Directed Emotional Faces", 1998. RAVDESS: Livingstone, Russo, "The
Ryerson Audio-Visual Database of Emotional Speech and Song", 2018. SAVEE: Haq, Jackson, "Speaker-dependent
audio-visual emotion recognition", 2009. MEAD: Wang et al., "MEAD: A Large-scale Audio-visual Dataset for
Emotional Talking-face Generation", 2020.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from fer_ros.datasets.face_images import DataError
from fer_ros.datasets.options import EmotionCorporaOptions
from fer_ros.emotion.labels import KNOWN

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recording:
    """An image or a video of one person who acts one emotion."""

    path: Path
    label: str
    speaker: str
    performance: str
    """Equal for all files of one performance: its views, and its versions with and without sound."""


@dataclass(frozen=True)
class Corpus:
    """A corpus and how it names its files."""

    title: str
    pattern: re.Pattern[str]
    """Matches the end of a path with `/` between folders. Groups: speaker and emotion; optionally view, version and
    channel."""
    example: str
    emotions: dict[str, str]
    """Labels by the emotion code in a file name, in lower case."""
    suffixes: frozenset[str]
    views: tuple[str, ...] = ()
    """Codes of the views, the frontal one first; empty where file names have no view."""
    channels: Mapping[str, str] = field(default_factory=dict)
    """Names of the vocal channels by their code; empty where file names have none."""
    sound_only: str = ""
    """Version of the files without video."""
    errata: Mapping[str, str] = field(default_factory=dict)
    """Right names of the files that were published with a wrong one."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the corpus, in the order of `KNOWN`."""
        return tuple(label for label in KNOWN if label in self.emotions.values())

    def files(self, root: Path) -> list[Path]:
        """Return the files below `root` with one of the corpus' suffixes, sorted by path."""
        every = (path for path in root.rglob("*") if path.suffix.lower() in self.suffixes and path.is_file())
        return sorted(path for path in every if not any(part.startswith(".") for part in path.relative_to(root).parts))

    def recordings(self, root: Path, options: EmotionCorporaOptions | None = None) -> list[Recording]:
        """Return the recordings below `root` that the options choose.

        Raises:
            DataError: a file name does not fit or has an unknown emotion code, there is no recording, or the corpus has
                no such view or channel.
        """
        options = options or EmotionCorporaOptions()
        views, channel = self._chosen_views(options.views), self._chosen_channel(options.channel)
        found: dict[str, Recording] = {}
        for path in self.files(root):
            try:
                parts = self._parts(path)
            except DataError as error:
                if not options.skip_faulty:
                    raise
                _log.warning("left out: %s", error)
                continue
            if parts.get("view", "") not in views or channel not in ("", parts.get("channel")):
                continue
            version = parts.get("version", "")
            if version and version == self.sound_only:
                continue
            recording = Recording(path, self.emotions[parts["emotion"]], parts["speaker"], parts["performance"])
            of_version = version if options.both_versions else ""
            # A recording is published in several versions, but no corpus without versions has two files of one.
            found.setdefault(f"{parts['performance']} {of_version}" if version else str(path), recording)
        if not found:
            of_views = f" of the view {' or '.join(views)}" if self.views else ""
            of_channel = f" of the channel {options.channel}" if options.channel else ""
            raise DataError(f"{root}: has no {self.title} file{of_views}{of_channel}, such as {self.example}")
        return list(found.values())

    def _chosen_views(self, text: str) -> tuple[str, ...]:
        """Return the codes of the views in a comma-separated list."""
        words = [word.strip() for word in text.split(",") if word.strip()]
        if words and not self.views:
            raise DataError(f"{self.title} has one view only: leave out --views")
        if not words:
            return self.views[:1] or ("",)
        by_name = {view.lower(): view for view in self.views}
        unknown = [word for word in words if word.lower() not in by_name and word.lower() != "all"]
        if unknown:
            raise DataError(f"{self.title} has no view '{unknown[0]}'; it has: {', '.join(self.views)}, or all")
        return self.views if "all" in map(str.lower, words) else tuple(by_name[word.lower()] for word in words)

    def _chosen_channel(self, name: str) -> str:
        """Return the code of a vocal channel; an empty text for all."""
        if not name:
            return ""
        codes = {known: code for code, known in self.channels.items()}
        if name.lower() not in codes:
            has = f"no channel '{name}'; it has: {', '.join(codes)}" if codes else "no channels: leave out --channel"
            raise DataError(f"{self.title} has {has}")
        return codes[name.lower()]

    def _parts(self, path: Path) -> dict[str, str]:
        named = path.with_name(self.errata.get(path.name.upper(), path.name)).as_posix()
        match = self.pattern.search(named)
        if not match:
            raise DataError(f"{path}: not named as {self.title} names its files, such as {self.example}")
        parts = {name: text for name, text in match.groupdict().items() if text}
        parts["emotion"] = parts["emotion"].lower()
        if parts["emotion"] not in self.emotions:
            known = ", ".join(f"{code} ({label})" for code, label in self.emotions.items())
            raise DataError(f"{path}: '{parts['emotion']}' is not an emotion code of {self.title}; it has: {known}")
        if "view" in parts:
            by_name = {view.lower(): view for view in self.views}
            parts["view"] = by_name.get(parts["view"].lower(), parts["view"])
        parts["performance"] = _without(match, "view", "version")
        return parts


def _without(match: re.Match[str], *groups: str) -> str:
    """Return the text that matched, without the given groups."""
    text = match.group(0)
    spans = [match.span(name) for name in groups if name in match.re.groupindex]
    for start, end in sorted(spans, reverse=True):
        text = text[: start - match.start()] + text[end - match.start() :]
    return text


KDEF = Corpus(
    title="KDEF",
    pattern=re.compile(
        r"/[AB](?P<speaker>[FM]\d\d)(?P<emotion>[A-Z]{2})(?P<view>S|HL|HR|FL|FR)\.JPE?G$", re.IGNORECASE
    ),
    example="AF01/AF01ANS.JPG",
    emotions={
        "af": "fear",
        "an": "angry",
        "di": "disgust",
        "ha": "happy",
        "ne": "neutral",
        "sa": "sad",
        "su": "surprise",
    },
    suffixes=frozenset({".jpg", ".jpeg"}),
    views=("S", "HL", "HR", "FL", "FR"),
    # As reported by those who read the corpus as published; two of its 4,900 files.
    errata={"AF31V.JPG": "AF31SAHL.JPG", "AM31H.JPG": "AM31SUHR.JPG"},
)

RAVDESS = Corpus(
    title="RAVDESS",
    # Each recording is published as video with sound (modality 01), without sound (02), and as sound only (03).
    pattern=re.compile(
        r"/(?P<version>0[123])-(?P<channel>\d\d)-(?P<emotion>\d\d)-\d\d-\d\d-\d\d-(?P<speaker>\d\d)\.mp4$",
        re.IGNORECASE,
    ),
    channels={"01": "speech", "02": "song"},
    sound_only="03",
    example="Actor_12/02-01-06-01-02-01-12.mp4",
    emotions={
        "01": "neutral",
        "02": "calm",
        "03": "happy",
        "04": "sad",
        "05": "angry",
        "06": "fear",
        "07": "disgust",
        "08": "surprise",
    },
    suffixes=frozenset({".mp4"}),
)

SAVEE = Corpus(
    title="SAVEE",
    # The numbers are published with and without a leading zero.
    pattern=re.compile(r"/(?P<speaker>[A-Z]{2})(?:/|_)(?P<emotion>[a-z]{1,2})\d\d?\.(?:avi|mp4)$"),
    example="AudioVisualClip/DC/a1.avi",
    emotions={
        "a": "angry",
        "d": "disgust",
        "f": "fear",
        "h": "happy",
        "n": "neutral",
        "sa": "sad",
        "su": "surprise",
    },
    suffixes=frozenset({".avi", ".mp4"}),
)

MEAD = Corpus(
    title="MEAD",
    pattern=re.compile(r"/(?P<speaker>[MW]\d\d\d)/video/(?P<view>\w+)/(?P<emotion>[a-z]+)/level_\d/\d+\.mp4$"),
    example="M003/video/front/angry/level_1/001.mp4",
    emotions={
        "angry": "angry",
        "contempt": "contempt",
        "disgusted": "disgust",
        "fear": "fear",
        "happy": "happy",
        "neutral": "neutral",
        "sad": "sad",
        "surprised": "surprise",
    },
    suffixes=frozenset({".mp4"}),
    views=("front", "left_30", "left_60", "right_30", "right_60", "top", "down"),
)


CORPORA = (KDEF, RAVDESS, SAVEE, MEAD)


def recognize(root: Path) -> Corpus | None:
    """Return the corpus that most files below `root` are named after; None if no file fits a known corpus."""
    counts = {
        corpus.title: sum(bool(corpus.pattern.search(path.as_posix())) for path in corpus.files(root))
        for corpus in CORPORA
    }
    best = max(CORPORA, key=lambda corpus: counts[corpus.title])
    return best if counts[best.title] else None
