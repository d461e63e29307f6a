"""How the data sets of acted emotions name their files.

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
class Clip:
    """A picture or a video of one person who acts one emotion."""

    path: Path
    label: str
    speaker: str


@dataclass(frozen=True)
class Naming:
    """How one data set names its files."""

    title: str
    pattern: re.Pattern[str]
    """Of the end of a path, with `/` between folders; has the groups speaker and emotion, and some of view, sound and
    same (what the recording's other versions share)."""
    example: str
    emotions: dict[str, str]
    """The emotion code in a name, in lower case, and its label."""
    suffixes: frozenset[str]
    front: str = ""
    """Code of the view straight from the front, for which Viola-Jones is made."""

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label of the data set, in this package's order."""
        return tuple(label for label in KNOWN if label in self.emotions.values())

    def files(self, root: Path) -> list[Path]:
        """Everything below `root` that could be of this data set, in the order of the names."""
        every = (path for path in root.rglob("*") if path.suffix.lower() in self.suffixes and path.is_file())
        return sorted(path for path in every if not any(part.startswith(".") for part in path.relative_to(root).parts))

    def clips(self, root: Path, views: tuple[str, ...] | None = None) -> list[Clip]:
        """The clips below `root`, of the front view or of the `views` given; of two versions of a recording one.

        Raises:
            DataError: a name that does not fit, or whose emotion is unknown; or there is no clip.
        """
        found: dict[str, Clip] = {}
        wanted = views or (self.front,)
        for path in self.files(root):
            parts = self._parts(path)
            if parts.get("view", self.front) not in wanted or parts.get("sound"):
                continue
            clip = Clip(path, self.emotions[parts["emotion"]], parts["speaker"])
            found.setdefault(parts.get("same", str(path)), clip)
        if not found:
            views_ = f" of the view {' or '.join(wanted)}" if self.front else ""
            raise DataError(f"{root}: has no {self.title} file{views_}, such as {self.example}")
        return list(found.values())

    def _parts(self, path: Path) -> dict[str, str]:
        match = self.pattern.search(path.as_posix())
        if not match:
            raise DataError(f"{path}: not named as {self.title} names its files, such as {self.example}")
        parts = {name: text for name, text in match.groupdict().items() if text}
        parts["emotion"] = parts["emotion"].lower()
        if parts["emotion"] not in self.emotions:
            known = ", ".join(f"{code} ({label})" for code, label in self.emotions.items())
            raise DataError(f"{path}: '{parts['emotion']}' is no emotion of {self.title}; it has: {known}")
        return parts


KDEF = Naming(
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

RAVDESS = Naming(
    title="RAVDESS",
    # Each recording is published with sound (modality 01) and without (02), and its sound alone (03).
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

SAVEE = Naming(
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

MEAD = Naming(
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


def recognize(root: Path) -> Naming | None:
    """The data set whose names most files below `root` have; None where they are of no data set known here."""
    counts = {}
    for naming in (KDEF, RAVDESS, SAVEE, MEAD):
        counts[naming.title] = sum(bool(naming.pattern.search(path.as_posix())) for path in naming.files(root))
    best = max((KDEF, RAVDESS, SAVEE, MEAD), key=lambda naming: counts[naming.title])
    return best if counts[best.title] else None
