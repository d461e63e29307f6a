# SPDX-License-Identifier: Apache-2.0
"""File names of four corpora of acted emotions: label and speaker are parts of them.

KDEF: Lundqvist, Flykt, Öhman, "The Karolinska Directed Emotional Faces", 1998. RAVDESS: Livingstone, Russo, "The
Ryerson Audio-Visual Database of Emotional Speech and Song", 2018. SAVEE: Haq, Jackson, "Speaker-dependent
audio-visual emotion recognition", 2009. MEAD: Wang et al., "MEAD: A Large-scale Audio-visual Dataset for
Emotional Talking-face Generation", 2020.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from fer_ros.datasets.face_images import DataError
from fer_ros.emotion.labels import KNOWN


@dataclass(frozen=True)
class Recording:
    """An image or a video of one person who acts one emotion."""

    path: Path
    label: str
    speaker: str


@dataclass(frozen=True)
class Corpus:
    """A corpus and how it names its files."""

    title: str
    pattern: re.Pattern[str]
    """Matches the end of a path with `/` between folders. Groups: speaker and emotion; optionally view, sound (matches
    for files without video) and same (equal for all versions of one recording)."""
    example: str
    emotions: dict[str, str]
    """Labels by the emotion code in a file name, in lower case."""
    suffixes: frozenset[str]
    front: str = ""
    """Code of the frontal view, which Viola-Jones detects; empty where file names have no view."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the corpus, in the order of `KNOWN`."""
        return tuple(label for label in KNOWN if label in self.emotions.values())

    def files(self, root: Path) -> list[Path]:
        """Return the files below `root` with one of the corpus' suffixes, sorted by path."""
        every = (path for path in root.rglob("*") if path.suffix.lower() in self.suffixes and path.is_file())
        return sorted(path for path in every if not any(part.startswith(".") for part in path.relative_to(root).parts))

    def recordings(self, root: Path, views: tuple[str, ...] | None = None) -> list[Recording]:
        """Return the recordings below `root`, one version of each.

        Args:
            root: folder of the corpus.
            views: codes of the views to return; None returns the frontal view.

        Raises:
            DataError: a file name does not fit or has an unknown emotion code, or there is no recording.
        """
        found: dict[str, Recording] = {}
        wanted = views or (self.front,)
        for path in self.files(root):
            parts = self._parts(path)
            if parts.get("view", self.front) not in wanted or parts.get("sound"):
                continue
            recording = Recording(path, self.emotions[parts["emotion"]], parts["speaker"])
            found.setdefault(parts.get("same", str(path)), recording)
        if not found:
            of_views = f" of the view {' or '.join(wanted)}" if self.front else ""
            raise DataError(f"{root}: has no {self.title} file{of_views}, such as {self.example}")
        return list(found.values())

    def _parts(self, path: Path) -> dict[str, str]:
        match = self.pattern.search(path.as_posix())
        if not match:
            raise DataError(f"{path}: not named as {self.title} names its files, such as {self.example}")
        parts = {name: text for name, text in match.groupdict().items() if text}
        parts["emotion"] = parts["emotion"].lower()
        if parts["emotion"] not in self.emotions:
            known = ", ".join(f"{code} ({label})" for code, label in self.emotions.items())
            raise DataError(f"{path}: '{parts['emotion']}' is not an emotion code of {self.title}; it has: {known}")
        return parts


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
    front="S",
)

RAVDESS = Corpus(
    title="RAVDESS",
    # Each recording is published as video with sound (modality 01), without sound (02), and as sound only (03).
    pattern=re.compile(
        r"/(?:01|02|(?P<sound>03))(?P<same>-\d\d-(?P<emotion>\d\d)-\d\d-\d\d-\d\d-(?P<speaker>\d\d))\.mp4$",
        re.IGNORECASE,
    ),
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
    pattern=re.compile(r"/(?P<speaker>[A-Z]{2})(?:/|_)(?P<emotion>[a-z]{1,2})\d\d\.(?:avi|mp4)$"),
    example="AudioVisualClip/DC/a01.avi",
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
    front="front",
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
