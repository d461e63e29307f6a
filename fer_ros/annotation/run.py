# SPDX-License-Identifier: Apache-2.0
"""Recognize the faces of all inputs, and write tables, copies, contact sheets and plots."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_ros.annotation.bag_copy import BagCopy
from fer_ros.annotation.blur import FaceBlur
from fer_ros.annotation.contact_sheet import PER_SHEET, contact_sheet
from fer_ros.annotation.inputs import BagInput, Input, InputError, InputFrame
from fer_ros.annotation.tables import Tables
from fer_ros.annotation.timeline import Timeline
from fer_ros.faces.detectors.base import Detector
from fer_ros.media.bag_writer import message_types
from fer_ros.media.drawing import draw
from fer_ros.recognizer import EmotionRecognizer
from fer_ros.recording.files import Video, browser_video_suffix, write_png, writing
from fer_ros.recording.output_folder import OutputFolder
from fer_ros.types import FaceResult


@dataclass(frozen=True)
class Listener:
    """What an annotation reports to."""

    describe: Callable[[str], None] = lambda text: None
    """Called with the name of each input."""
    step: Callable[[], None] = lambda: None
    """Called after each frame."""
    warn: Callable[[str], None] = lambda line: None
    """Called with a line about something that is left out."""
    fail: Callable[[str], None] = lambda line: None
    """Called with a line about an input that cannot be read, or not to its end."""
    is_stopped: Callable[[], bool] = lambda: False
    """Asked after each frame; if True, all files are completed and the annotation ends."""


@dataclass
class Summary:
    """Counts of an annotation."""

    inputs: int = 0
    """That were read to their end."""
    skipped: int = 0
    """That were complete already."""
    failed: int = 0
    frames: int = 0
    emotions: Counter[str] = field(default_factory=Counter)
    """Number of faces by emotion."""
    stopped: bool = False


class Annotation:
    """Annotates inputs into a folder.

    Args:
        output: where all files go; `output.state` remembers which inputs are complete.
        recognizer: for images; each video gets one that shares its model, so that ids begin anew.
        options: whatever changes the results, as JSON takes it; an interrupted run is continued only with the same.
        blur: detectors that hide faces in the copies, in which nothing is drawn then; None draws the results.
        bag: whether to write copies of recordings with the messages of the emotion node added.
        resume: whether to skip the inputs that an earlier run completed, and to keep their rows.
        listener: of progress and failures.

    Raises:
        ValueError: the run to be resumed had other options.
        ImportError: the package `rosbags`, which `bag` needs, is not installed.
        OSError: a table exists that another program wrote, or a file cannot be written.
    """

    def __init__(
        self,
        output: OutputFolder,
        recognizer: EmotionRecognizer,
        options: dict[str, object],
        blur: Sequence[Detector] | None = None,
        bag: bool = False,
        resume: bool = False,
        listener: Listener = Listener(),
    ):
        if bag:
            message_types()  # raises before any work
        self._bag = bag
        self._output = output
        self._recognizer = recognizer
        self._blur = blur
        self._listener = listener
        self.summary = Summary()
        options = {**options, "model": recognizer.model_id}
        earlier = output.state.get("options", options)
        if resume and earlier != options:
            changed = ", ".join(sorted(key for key in {*earlier, *options} if earlier.get(key) != options.get(key)))
            raise ValueError(f"the run in {output.folder} had other options ({changed}): leave out --resume")
        self._complete: dict[str, dict[str, list]] = output.state.get("inputs", {}) if resume else {}
        self._complete = {name: entry for name, entry in self._complete.items() if self._is_unchanged(name, entry)}
        output.state = {"options": options, "inputs": self._complete}
        for entry in self._complete.values():
            for name in entry["files"]:
                output.keep(name)
        self._table_paths = [output.claim(name, numbered=False) for name in ("emotions.csv", "emotions.jsonl")]
        kept = {str(entry["file"]).encode("utf-8", "backslashreplace").decode() for entry in self._complete.values()}
        self._tables = Tables(self._table_paths[0], self._table_paths[1], recognizer.labels, kept)
        self.files: list[Path] = list(self._table_paths)

    def run(self, inputs: Iterable[Input]) -> None:
        """Annotate all inputs; those that cannot be read are reported, and the others annotated.

        Raises:
            OSError: a file cannot be written.
            RecordingError: likewise, for videos.
        """
        copies: dict[Path, list[tuple[str, Path]]] = {}
        try:
            for item in inputs:
                if self._listener.is_stopped():
                    self.summary.stopped = True
                    break
                files = self._annotate(item)
                if item.folder is not None and files:
                    copies.setdefault(item.folder, []).append((item.path.name, files[0]))
            if not self.summary.stopped:
                for folder, images in copies.items():
                    self._write_contact_sheets(folder, images)
        finally:
            self._tables.close()
            for path in self._table_paths:
                self._output.written(path)
            self._output.save()

    def _annotate(self, item: Input) -> list[Path]:
        """Annotate one input, unless it is complete already; return its files, the copy first."""
        name = os.path.abspath(item.path)
        if name in self._complete:
            self.summary.skipped += 1
            return [self._output.folder / file for file in self._complete[name]["files"]]
        self._listener.describe(item.path.name)
        recognizer = self._recognizer.for_another_camera() if item.is_sequence else self._recognizer
        writer = self._files_of(item, recognizer) if item.is_sequence else None
        files: list[Path] = []
        complete = False
        try:
            for frame in item.frames(self._listener.warn):
                faces = recognizer.recognize(frame.image, _seconds(frame.stamp))
                with writing(self._table_paths[0].parent):
                    self._tables.add(str(item.path), frame.index, frame.stamp, faces)
                self.summary.frames += 1
                self.summary.emotions.update(face.emotion for face in faces)
                if writer:
                    writer.add(frame, faces)
                else:
                    files = [self._write_copy(item, frame, faces)]
                self._listener.step()
                if self._listener.is_stopped():
                    self.summary.stopped = item.is_sequence
                    break
            complete = not self.summary.stopped
        except InputError as error:
            self.summary.failed += 1
            self._listener.fail(str(error))
        finally:
            if writer:
                files = writer.close(self._listener)
        if writer and self._bag and self._listener.is_stopped():
            self.summary.stopped, complete = True, False  # there is no copy of the recording
        self.files += files
        if complete:
            self.summary.inputs += 1
            self._complete[name] = {
                "file": str(item.path),  # type: ignore[dict-item]
                "signature": _signature(item.path),
                "files": [file.name for file in files],
            }
            self._output.save_sometimes()
        return files

    def _files_of(self, item: Input, recognizer: EmotionRecognizer) -> _SequenceFiles:
        bag = None
        if self._bag and isinstance(item, BagInput):
            bag = BagCopy(item.path, item.topic, recognizer.labels, recognizer.model_id)
        return _SequenceFiles(item, self._output, self._blur, bag)

    def _write_copy(self, item: Input, frame: InputFrame, faces: Sequence[FaceResult]) -> Path:
        path = self._output.claim(f"{item.path.name}_faces.png")
        if self._blur is None:
            image = draw(frame.bgr(), faces)
        else:
            blur = FaceBlur(self._blur, is_sequence=False)
            ((image, _),) = blur.add(frame.bgr(), 0, [face.box for face in faces])
        self._write_png(path, image)
        return path

    def _write_contact_sheets(self, folder: Path, images: Sequence[tuple[str, Path]]) -> None:
        for start in range(0, len(images), PER_SHEET):
            number = f"_{start // PER_SHEET + 1}" if len(images) > PER_SHEET else ""
            path = self._output.claim(f"{folder.resolve().name}_contact_sheet{number}.png")
            self._write_png(path, contact_sheet(images[start : start + PER_SHEET]))
            self.files.append(path)

    def _write_png(self, path: Path, image: np.ndarray) -> None:
        write_png(path, image)
        self._output.written(path)

    def _is_unchanged(self, name: str, entry: dict[str, list]) -> bool:
        try:
            outputs = [self._output.folder / file for file in entry["files"]]
            return entry["signature"] == _signature(Path(name)) and all(map(self._output.owns, outputs))
        except (OSError, KeyError, TypeError):
            return False


class _SequenceFiles:
    """The annotated video and the plot of one video or recording, and the copy of a recording."""

    def __init__(self, item: Input, output: OutputFolder, blur: Sequence[Detector] | None, bag: BagCopy | None):
        self._bag = bag
        self._name = item.path.name
        self._output = output
        self._path = output.claim(f"{self._name}_faces{browser_video_suffix()}")
        self._video = Video(self._path)
        self._blur = None if blur is None else FaceBlur(blur, is_sequence=True)
        self._timeline = Timeline()

    def add(self, frame: InputFrame, faces: Sequence[FaceResult]) -> None:
        stamp = frame.stamp or 0
        self._timeline.add(stamp, faces)
        if self._bag and frame.message:
            height, width = frame.image.shape[:2]
            self._bag.add(frame.message, _seconds(stamp) or 0.0, (width, height), faces)
        if self._blur:
            self._write(self._blur.add(frame.bgr(), stamp, [face.box for face in faces]))
        else:
            self._video.add(draw(frame.bgr(), faces), stamp)

    def close(self, listener: Listener) -> list[Path]:
        """Complete the files, and return those that exist."""
        if self._blur:
            self._write(self._blur.flush())
        self._video.close()
        self._output.written(self._path)
        files = [self._path] if self._path.exists() else []
        if files and self._bag:
            files += self._write_bag(self._bag, listener)
        if not self._timeline.is_empty:
            plot = self._output.claim(f"{self._name}_timeline.png")
            try:
                self._timeline.plot(plot, self._name)
                files.append(plot)
            except ImportError:
                reason = "the package matplotlib is not installed (pip install matplotlib)"
                listener.warn(f"{plot.name} is left out: {reason}")
            finally:
                self._output.written(plot)
        return files

    def _write_bag(self, bag: BagCopy, listener: Listener) -> list[Path]:
        if listener.is_stopped():
            return []
        copy = self._output.claim(f"{self._name}_emotions")
        with writing(copy):
            bag.write(copy, listener.is_stopped)
        self._output.written(copy)
        return [copy] if copy.exists() else []

    def _write(self, images: Iterator[tuple[np.ndarray, int]]) -> None:
        for image, stamp in images:
            self._video.add(image, stamp)


def _seconds(stamp: int | None) -> float | None:
    """Return a stamp in seconds, exactly as the emotion node computes it."""
    return None if stamp is None else stamp * 1e-9


def _signature(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
