"""Labeled faces in memory, read from whatever form a data set comes in.

    FER2013's csv        --data fer2013.csv
    a folder per class   --data fer2013/            with train/ and test/ inside, or only class folders
    NumPy arrays         --data a.npz b.npz         or a folder of .npz files
    KDEF, RAVDESS, SAVEE, MEAD                      the folder as published, told by its file names

`read` tells them apart by what is on disk; each form has a file of its own in this room.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fer_ros.datasets.face_images import SPLITS, DataError, FaceImages, concatenate

__all__ = ["SPLITS", "DataError", "FaceImages", "concatenate", "paths_of", "read"]


def read(
    sources: Sequence[str | Path], image_size: int, *, by_speaker: bool = False, skip_faulty: bool = False
) -> FaceImages:
    """Every image of a data set, all splits, scaled to (image_size, image_size).

    Args:
        sources: one csv file, one folder of class folders, of .npz files or of acted emotions, or .npz files.
        image_size: pixels.
        by_speaker: of acted emotions, whether each person is in one split only.
        skip_faulty: of acted emotions, whether to leave out, with a warning, what cannot be used.

    Raises:
        DataError: names the file, and the row or picture, and what is wrong with it.
    """
    from fer_ros.datasets import corpus_naming, emotion_corpora, fer2013_csv, image_folder, npz

    paths = paths_of(sources)
    if len(paths) == 1 and paths[0].is_dir():
        files = sorted(paths[0].glob("*.npz"))
        naming = None if files else corpus_naming.recognize(paths[0])
        if naming:
            return emotion_corpora.read(paths[0], naming, image_size, by_speaker=by_speaker, skip_faulty=skip_faulty)
        if not files:
            return image_folder.read(paths[0], image_size)
        paths = files
    if all(path.suffix == ".npz" for path in paths):
        return concatenate([npz.read(path, image_size) for path in paths])
    if len(paths) == 1 and paths[0].suffix == ".csv":
        return fer2013_csv.read(paths[0], image_size)
    odd = next((path for path in paths if path.suffix != ".npz"), paths[0])
    raise DataError(f"{odd}: a data set is one .csv file, one folder, or one or more .npz files")


def paths_of(sources: Sequence[str | Path]) -> list[Path]:
    """The absolute paths of a data set; a source may be several, with commas between.

    Raises:
        DataError: one does not exist, or none is named.
    """
    paths = [Path(part).expanduser().absolute() for source in sources for part in _parts(source)]
    if not paths:
        raise DataError("no data set was named")
    for path in paths:
        if not path.exists():
            raise DataError(f"{path}: there is no such file or folder")
    return paths


def _parts(source: str | Path) -> list[str]:
    """`source`, or its pieces where it is a list with commas and no file has that very name."""
    text = str(source)
    return [text] if Path(text).expanduser().exists() else [part.strip() for part in text.split(",") if part.strip()]
