"""What was recognized is found again in the files: each row, each picture, at the rate it was taken."""

import csv
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_ros.recording.console import LiveReport
from fer_ros.recording.files import BestImage, EmotionsCsv, Recording, RecordingError, Video, fitted, frame_rate
from fer_ros.recording.synchronizer import Answer, Pair, Pairing
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


def _answer(stamp: int, *faces: FaceResult, labels: tuple[str, ...] = LABELS) -> Answer:
    return Answer(stamp, labels, faces)


def _picture(level: int = 0, width: int = 64, height: int = 48) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def _rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


# --- csv ---


def test_every_face_of_every_answer_is_a_row(tmp_path):
    table = EmotionsCsv(tmp_path / "e.csv")
    table.add(_answer(12 * SECOND + 34, _face("a"), _face("b", 0.5)))
    table.add(_answer(13 * SECOND))
    rows = _rows(tmp_path / "e.csv")  # before closing: nothing is lost when the process dies
    table.close()
    assert list(rows[0]) == ["stamp", "face_id", "x", "y", "width", "height", "label", *LABELS]
    assert [row["face_id"] for row in rows] == ["a", "b"]
    assert list(rows[0].values()) == ["12.000000034", "a", "1", "2", "30", "40", "happy", "0.750000", *["0.125000"] * 2]
    assert table.emotions == {"happy": 2}


def test_scores_stay_under_their_label_when_the_model_changes(tmp_path):
    table = EmotionsCsv(tmp_path / "e.csv")
    table.add(_answer(1, _face()))
    table.add(_answer(2, _face(), labels=("sad", "calm", "happy")))
    table.close()
    last = _rows(tmp_path / "e.csv")[-1]
    assert (last["sad"], last["happy"], last["neutral"]) == ("0.750000", "0.125000", "")


def test_a_recording_without_answers_has_a_csv_with_its_fixed_columns(tmp_path):
    Recording(tmp_path / "new" / "folder").close()
    assert (tmp_path / "new/folder/emotions.csv").read_text() == "stamp,face_id,x,y,width,height,label\n"
    assert [path.name for path in (tmp_path / "new/folder").iterdir()] == ["emotions.csv"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_reported_at_the_first_row(tmp_path):
    (tmp_path / "e.csv").symlink_to("/dev/full")
    table = EmotionsCsv(tmp_path / "e.csv")
    with pytest.raises(RecordingError, match=r"e\.csv: No space left"):
        table.add(_answer(1, _face()))


def test_an_unwritable_folder_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=r"cannot write .*file/demo: Not a directory"):
        Recording(tmp_path / "file" / "demo")


# --- video and picture ---


def _frames(path: Path) -> tuple[list[np.ndarray], float]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return frames, capture.get(cv2.CAP_PROP_FPS)


@pytest.mark.parametrize("pictures", [1, 3, 50])
def test_the_video_holds_every_picture_at_the_rate_of_the_stamps(tmp_path, pictures):
    video = Video(tmp_path / "v.mp4")
    for index in range(pictures):
        video.add(_picture(4 * index), 1000 * SECOND + index * SECOND // 15)
    video.close()
    frames, rate = _frames(tmp_path / "v.mp4")
    assert len(frames) == pictures
    assert abs(float(frames[-1].mean()) - 4 * (pictures - 1)) < 6
    assert rate == pytest.approx(15 if pictures > 1 else 10, rel=0.01)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (63, 47), (3840, 2160)])
def test_any_size_makes_a_video_that_can_be_read(tmp_path, width, height):
    video = Video(tmp_path / "v.mp4")
    for index in range(2):
        video.add(_picture(200, width, height), index * SECOND)
    video.add(_picture(100, 32, 64), 2 * SECOND)
    video.close()
    assert len(_frames(tmp_path / "v.mp4")[0]) == 3


def test_a_picture_is_fitted_with_its_proportions():
    frame = fitted(_picture(255, 20, 10), (40, 40))
    assert frame.shape == (40, 40, 3)
    assert frame[:, :, 0].sum() == 255 * 40 * 20
    assert frame[20, 20, 0] == 255
    assert frame[0, 0, 0] == 0


def test_one_pause_does_not_change_the_rate():
    assert frame_rate([0, 100, 200, 2 * SECOND, 2 * SECOND + 100]) == 240.0
    assert frame_rate([0, SECOND // 10, SECOND // 5, 9 * SECOND]) == pytest.approx(10)
    assert frame_rate([5, 5, 5]) == 10.0


def test_the_best_picture_has_the_most_faces_the_surest_and_these_in_the_middle(tmp_path):
    best = BestImage(tmp_path / "p.png")
    best.offer(_picture(1), _answer(1))
    best.offer(_picture(2), _answer(2, _face(happy=0.6)))
    best.offer(_picture(3), _answer(3, _face(happy=0.92, x=20)))
    best.offer(_picture(4), _answer(4, _face(happy=0.93, x=30)))
    best.offer(_picture(4), _answer(4, _face(happy=0.8, x=20)))
    best.offer(_picture(5), _answer(5))
    best.close()
    assert cv2.imread(str(tmp_path / "p.png")).max() == 3


# --- pairing ---


def test_pairs_come_in_order_whichever_arrives_first():
    pairing = Pairing()
    one, two = _answer(1), _answer(2)
    assert pairing.add_image(1, "image 1", 10) == []
    assert pairing.add_answer(one) == [Pair("image 1", one)]
    assert pairing.add_answer(two) == []
    assert pairing.add_image(2, "image 2", 10) == [Pair("image 2", two)]


def test_an_image_that_never_came_is_not_awaited_once_a_later_one_is_there():
    pairing = Pairing()
    one, two = _answer(1), _answer(2)
    pairing.add_answer(one)
    pairing.add_answer(two)
    assert pairing.add_image(2, "image 2", 10) == [Pair(None, one), Pair("image 2", two)]


def test_answers_do_not_wait_for_ever_and_the_rest_is_given():
    pairing = Pairing(patience=2)
    answers = [_answer(stamp) for stamp in range(4)]
    decided = [pair for answer in answers for pair in pairing.add_answer(answer)]
    assert decided == [Pair(None, answers[0]), Pair(None, answers[1])]
    assert pairing.rest() == [Pair(None, answers[2]), Pair(None, answers[3])]


def test_images_that_nobody_answers_do_not_pile_up():
    pairing = Pairing(most_bytes=100)
    for stamp in range(50):
        pairing.add_image(stamp, f"image {stamp}", 30)
    assert [pair.image for pair in pairing.add_answer(_answer(46))] == []
    assert [pair.image for pair in pairing.add_answer(_answer(47))] == [None, "image 47"]
    assert [pair.image for pair in pairing.add_answer(_answer(49))] == ["image 49"]
    assert pairing._bytes == 0


# --- live report ---


def test_the_live_line_tells_rate_latency_faces_and_scores():
    report = LiveReport(colorful=False)
    for stamp in range(15):
        report.add(_answer(stamp, _face("1")), 0.020)
    line = report.line(3.0, 1.0)
    assert line == "   3.0 s  15.0 images/s    20 ms  1 face  1: happy 75% [happy:#### sad:# neutral:#]"
    assert report.line(4.0, 1.0) == "   4.0 s  no emotions arrive"


def test_colors_are_for_terminals_and_many_faces_stay_one_line():
    report = LiveReport(colorful=True)
    report.add(_answer(1, *(_face(str(number)) for number in range(5))), 0.5)
    line = report.line(1.0, 1.0)
    assert "\033[" in line
    assert "▆" in line
    assert "5 faces" in line
    assert line.endswith("and 2 more")
    assert "\n" not in line


def test_the_summary_tells_shares_and_latency():
    report = LiveReport(colorful=False)
    for latency in (0.010, 0.020, 0.090):
        report.add(_answer(1, _face()), latency)
    lines = report.summary(4, Counter(happy=3, sad=1), [Path("out/emotions.csv")]).splitlines()
    assert lines == [
        "3 of 4 images processed, 20 ms after they were taken (median; 95 % within 90 ms)",
        "4 faces recorded: happy 75.0%, sad 25.0%",
        "  out/emotions.csv",
    ]
    assert LiveReport(colorful=False).summary(0, Counter(), []).splitlines() == [
        "0 of 0 images processed",
        "0 faces recorded",
    ]
