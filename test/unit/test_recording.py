# SPDX-License-Identifier: Apache-2.0
"""Files of a recording, synchronization of results and images, and the console report."""

import csv
import math
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_ros.recording.console import ConsoleReport
from fer_ros.recording.files import BestImage, EmotionsCsv, Recording, RecordingError, Video, frame_rate, letterbox
from fer_ros.recording.synchronizer import ImageResult, Pair, Synchronizer
from fer_ros.types import Box, FaceResult

LABELS = ("happy", "sad", "neutral")
SECOND = 10**9


def _face(face_id: str = "7", happy: float = 0.75, x: int = 1) -> FaceResult:
    scores = np.array([happy, (1 - happy) / 2, (1 - happy) / 2], np.float32)
    return FaceResult(
        box=Box(x, 2, 30, 40),
        id=face_id,
        labels=LABELS,
        scores=scores[::-1],
        smoothed_scores=scores,
        emotion="happy",
        confidence=happy,
    )


def _result(stamp: int, *faces: FaceResult, labels: tuple[str, ...] = LABELS) -> ImageResult:
    return ImageResult(stamp, labels, faces)


def _image(level: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- csv ---


def test_csv_has_a_row_for_every_face(tmp_path):
    table = EmotionsCsv(tmp_path / "e.csv")
    table.add(_result(12 * SECOND + 34, _face("a"), _face("b", 0.5)))
    table.add(_result(13 * SECOND))
    rows = _rows(tmp_path / "e.csv")  # before close(): nothing is lost if the process crashes
    table.close()
    assert list(rows[0]) == ["stamp", "face_id", "x", "y", "width", "height", "label", *LABELS]
    assert [row["face_id"] for row in rows] == ["a", "b"]
    assert list(rows[0].values()) == ["12.000000034", "a", "1", "2", "30", "40", "happy", "0.750000", *["0.125000"] * 2]
    assert table.emotions == {"happy": 2}


def test_csv_keeps_scores_in_columns_when_labels_change(tmp_path):
    table = EmotionsCsv(tmp_path / "e.csv")
    table.add(_result(1, _face()))
    table.add(_result(2, _face(), labels=("sad", "calm", "happy")))
    table.close()
    last = _rows(tmp_path / "e.csv")[-1]
    assert (last["sad"], last["happy"], last["neutral"]) == ("0.750000", "0.125000", "")


def test_csv_writes_stamps_before_the_epoch(tmp_path):
    table = EmotionsCsv(tmp_path / "e.csv")
    table.add(_result(-3 * SECOND // 2, _face()))
    table.close()
    assert _rows(tmp_path / "e.csv")[0]["stamp"] == "-1.500000000"


def test_recording_touches_nothing_before_first_result(tmp_path):
    old = {tmp_path / name: name.encode() for name in ("emotions.csv", "annotated.mp4", "annotated.png")}
    for path, content in old.items():
        path.write_bytes(content)
    recording = Recording(tmp_path)
    recording.close()
    assert recording.paths == []
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == old
    Recording(tmp_path / "new" / "folder").close()
    assert not (tmp_path / "new").exists()
    recording = Recording(tmp_path)
    recording.add_result(_result(SECOND))
    recording.close()
    assert recording.paths == [tmp_path / "emotions.csv"] == list(tmp_path.iterdir())
    assert (tmp_path / "emotions.csv").read_text() == "stamp,face_id,x,y,width,height,label,happy,sad,neutral\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_csv_reports_full_disk_at_first_row(tmp_path):
    (tmp_path / "e.csv").symlink_to("/dev/full")
    table = EmotionsCsv(tmp_path / "e.csv")
    with pytest.raises(RecordingError, match=r"e\.csv: No space left"):
        table.add(_result(1, _face()))


def test_recording_names_unwritable_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=r"file/demo cannot be written: .*file: Not a directory"):
        Recording(tmp_path / "file" / "demo")


# --- video and best image ---


def _frames(path: Path) -> tuple[list[np.ndarray], float]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("count", [1, 3, 50])
def test_video_has_every_image_at_the_rate_of_the_stamps(tmp_path, count):
    video = Video(tmp_path / "v.mp4")
    for index in range(count):
        video.add(_image(4 * index), 1000 * SECOND + index * SECOND // 15)
    video.close()
    frames, rate = _frames(tmp_path / "v.mp4")
    assert len(frames) == count
    assert abs(float(frames[-1].mean()) - 4 * (count - 1)) < 6
    assert rate == pytest.approx(15 if count > 1 else 10, rel=0.01)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (63, 47), (3840, 2160)])
def test_video_of_any_size_can_be_read(tmp_path, width, height):
    video = Video(tmp_path / "v.mp4")
    for index in range(2):
        video.add(_image(200, width, height), index * SECOND)
    video.add(_image(100, 32, 64), 2 * SECOND)
    video.close()
    assert len(_frames(tmp_path / "v.mp4")[0]) == 3


def test_letterbox_keeps_aspect_ratio():
    frame = letterbox(_image(255, 20, 10), (40, 40))
    assert frame.shape == (40, 40, 3)
    assert frame[:, :, 0].sum() == 255 * 40 * 20
    assert frame[20, 20, 0] == 255
    assert frame[0, 0, 0] == 0


def test_frame_rate_ignores_a_pause():
    assert frame_rate([0, 100, 200, 2 * SECOND, 2 * SECOND + 100]) == 240.0
    assert frame_rate([0, SECOND // 10, SECOND // 5, 9 * SECOND]) == pytest.approx(10)
    assert frame_rate([5, 5, 5]) == 10.0


@pytest.mark.parametrize(("period", "rate"), [(2, 0.5), (10, 0.1), (60, 0.1)])
def test_video_of_slow_camera_has_its_rate(tmp_path, period, rate):
    video = Video(tmp_path / "v.mp4")
    for number in range(5):
        video.add(_image(), number * period * SECOND)
    video.close()
    assert cv2.VideoCapture(str(tmp_path / "v.mp4")).get(cv2.CAP_PROP_FPS) == pytest.approx(rate, rel=0.01)


def test_best_image_ranks_faces_confidence_and_position(tmp_path):
    best = BestImage(tmp_path / "p.png")
    best.offer(_image(1), _result(1))
    best.offer(_image(2), _result(2, _face(happy=0.6)))
    best.offer(_image(3), _result(3, _face(happy=0.92, x=20)))
    best.offer(_image(4), _result(4, _face(happy=0.93, x=30)))
    best.offer(_image(4), _result(4, _face(happy=0.8, x=20)))
    best.offer(_image(5), _result(5))
    best.close()
    assert cv2.imread(str(tmp_path / "p.png")).max() == 3


# --- synchronizer ---


def test_synchronizer_pairs_in_any_order_of_arrival():
    synchronizer = Synchronizer()
    one, two = _result(1), _result(2)
    assert synchronizer.add_image(1, "image 1", 10) == []
    assert synchronizer.add_result(one) == [Pair("image 1", one)]
    assert synchronizer.add_result(two) == []
    assert synchronizer.add_image(2, "image 2", 10) == [Pair("image 2", two)]


def test_synchronizer_gives_up_image_when_a_later_one_matches():
    synchronizer = Synchronizer()
    one, two = _result(1), _result(2)
    synchronizer.add_result(one)
    synchronizer.add_result(two)
    assert synchronizer.add_image(2, "image 2", 10) == [Pair(None, one), Pair("image 2", two)]


def test_synchronizer_limits_waiting_results_and_flushes():
    synchronizer = Synchronizer(max_results=2)
    results = [_result(stamp) for stamp in range(4)]
    complete = [pair for result in results for pair in synchronizer.add_result(result)]
    assert complete == [Pair(None, results[0]), Pair(None, results[1])]
    assert synchronizer.flush() == [Pair(None, results[2]), Pair(None, results[3])]


def test_synchronizer_drops_images_without_results():
    synchronizer = Synchronizer(max_bytes=100)
    for stamp in range(50):
        synchronizer.add_image(stamp, f"image {stamp}", 30)
    assert [pair.image for pair in synchronizer.add_result(_result(46))] == []
    assert [pair.image for pair in synchronizer.add_result(_result(47))] == [None, "image 47"]
    assert [pair.image for pair in synchronizer.add_result(_result(49))] == ["image 49"]
    assert synchronizer._bytes == 0


# --- console ---


def test_console_line_has_rate_latency_faces_and_scores():
    report = ConsoleReport(color=False)
    for stamp in range(15):
        report.add(_result(stamp, _face("1")), 0.020)
    line = report.line(3.0, 1.0)
    assert line == "   3.0 s  15.0 images/s    20 ms  1 face  1: happy 75% [happy:#### sad:# neutral:#]"
    assert report.line(4.0, 1.0) == "   4.0 s  no emotions arrive"


def test_console_lines_follow_a_slow_camera():
    report = ConsoleReport(color=False)
    heads = []
    for second in range(1, 15):
        if second in (1, 3, 5, 7):  # one image in two seconds, then none
            report.add(_result(second * SECOND), 0.02)
        heads.append(report.line(float(second), 1.0)[10:33].strip())
    assert heads[3:9] == ["", "0.5 images/s    20 ms", "", "0.5 images/s    20 ms", "", ""]
    assert [head for head in heads[9:] if head] == ["no emotions arrive"]


def test_console_leaves_out_an_unknown_latency():
    report = ConsoleReport(color=False)
    report.add(_result(0, _face("1")), math.nan)
    assert report.line(1.0, 1.0).startswith("   1.0 s   1.0 images/s  1 face  1: happy")
    assert report.summary(1, Counter(happy=1), []).splitlines()[0] == "1 of 1 images processed"


def test_console_line_limits_faces():
    report = ConsoleReport(color=True)
    report.add(_result(1, *(_face(str(number)) for number in range(5))), 0.5)
    line = report.line(1.0, 1.0)
    assert "\033[" in line
    assert "▆" in line
    assert "5 faces" in line
    assert line.endswith("and 2 more")
    assert "\n" not in line


def test_console_summary_has_shares_and_latency():
    report = ConsoleReport(color=False)
    for latency in (0.010, 0.020, 0.090):
        report.add(_result(1, _face()), latency)
    lines = report.summary(4, Counter(happy=3, sad=1), [Path("out/emotions.csv")]).splitlines()
    assert lines == [
        "3 of 4 images processed, latency 20 ms (median), 90 ms (95th percentile)",
        "4 faces recorded: happy 75.0%, sad 25.0%",
        "  out/emotions.csv",
    ]
    assert ConsoleReport(color=False).summary(0, Counter(), []).splitlines() == [
        "0 of 0 images processed",
        "0 faces recorded",
    ]
