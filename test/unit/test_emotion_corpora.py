# SPDX-License-Identifier: Apache-2.0
"""Corpora of acted emotions, on small files that are named as published."""

import json

import cv2
import numpy as np
import pytest

from fer_ros.cli import evaluate, train
from fer_ros.datasets import corpus_naming, emotion_corpora, registry
from fer_ros.datasets.corpus_naming import KDEF, MEAD, RAVDESS, SAVEE
from fer_ros.datasets.registry import DataError


@pytest.fixture(scope="module")
def person(astronaut):
    """(200, 200) uint8: head and shoulders."""
    return cv2.resize(astronaut[:300, 75:375], (200, 200), interpolation=cv2.INTER_AREA)


def write(path, image, frames=8):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".JPG":
        assert cv2.imwrite(str(path), image)
        return
    codec = cv2.VideoWriter_fourcc(*("mp4v" if path.suffix == ".mp4" else "MJPG"))
    height, width = image.shape
    video = cv2.VideoWriter(str(path), codec, 25.0, (width, height))
    assert video.isOpened()
    for _ in range(frames):
        video.write(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    video.release()


PUBLISHED = {
    "KDEF": (KDEF, ["AF01/AF01ANS.JPG", "AM35/AM35HAS.JPG", "BF01/BF01SUS.JPG"], ["angry", "happy", "surprise"]),
    "RAVDESS": (RAVDESS, ["Actor_12/02-01-06-01-02-01-12.mp4", "Actor_03/01-02-02-02-01-02-03.mp4"], ["fear", "calm"]),
    "SAVEE": (SAVEE, ["AudioVisualClip/DC/a01.avi", "AudioVisualClip/KL/su15.avi"], ["angry", "surprise"]),
    "SAVEE in one folder": (SAVEE, ["DC_sa03.avi", "JE_n30.avi"], ["sad", "neutral"]),
    "MEAD": (
        MEAD,
        ["M003/video/front/angry/level_1/001.mp4", "W009/video/front/contempt/level_3/021.mp4"],
        ["angry", "contempt"],
    ),
}


@pytest.mark.parametrize(("corpus", "files", "labels"), PUBLISHED.values(), ids=PUBLISHED)
def test_corpus_is_read_with_the_labels_in_its_file_names(tmp_path, person, corpus, files, labels):
    for name in files:
        write(tmp_path / name, person)
    images = registry.read([tmp_path], 60)
    assert corpus_naming.recognize(tmp_path) is corpus
    assert images.labels == corpus.labels
    each = 1 if corpus is KDEF else emotion_corpora.FRAMES
    by_path = dict(zip(files, labels, strict=True))
    expected = [by_path[name] for name in sorted(files) for _ in range(each)]
    assert [images.labels[target] for target in images.targets] == expected
    assert images.pixels.shape == (each * len(files), 60, 60)
    # The box that Viola-Jones finds, not the whole image.
    face = person[44:107, 68:131]
    assert np.corrcoef(images.pixels[0].ravel(), cv2.resize(face, (60, 60)).ravel())[0, 1] > 0.8


def test_corpus_labels_are_in_the_order_of_the_package():
    words = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert KDEF.labels == SAVEE.labels == tuple(words)
    assert RAVDESS.labels == (*words, "calm")
    assert MEAD.labels == (*words, "contempt")


def test_ravdess_reads_one_version_of_a_recording_and_no_sound(tmp_path, person):
    for modality in ("01", "02", "03"):
        write(tmp_path / f"Actor_01/{modality}-01-03-01-01-01-01.mp4", person)
    write(tmp_path / "Actor_01/02-01-04-01-01-01-01.mp4", person)
    assert len(registry.read([tmp_path], 48)) == 2 * emotion_corpora.FRAMES


def test_kdef_reads_the_frontal_view_by_default(tmp_path):
    for view in ("S", "HL", "FR"):
        (tmp_path / f"AF01NE{view}.JPG").touch()
    assert [recording.path.name for recording in KDEF.recordings(tmp_path)] == ["AF01NES.JPG"]
    assert len(KDEF.recordings(tmp_path, ("S", "HL"))) == 2
    (tmp_path / "AF01NES.JPG").unlink()
    with pytest.raises(DataError, match="has no KDEF file of the view S"):
        KDEF.recordings(tmp_path)


@pytest.fixture
def ten_speakers(tmp_path, monkeypatch):
    """Return a folder of RAVDESS with five recordings per speaker; reading a video is mocked."""
    for speaker in range(1, 11):
        for emotion in range(1, 6):
            path = tmp_path / f"Actor_{speaker:02}/02-01-{emotion:02}-01-01-01-{speaker:02}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.touch()

    def faces(path, _, image_size):
        return [np.full((image_size, image_size), int(path.stem[-2:]), np.uint8)] * emotion_corpora.FRAMES

    monkeypatch.setattr(emotion_corpora, "_faces", faces)
    return tmp_path


def test_a_fifth_of_the_recordings_is_public_with_all_frames(ten_speakers):
    images = emotion_corpora.read(ten_speakers, RAVDESS, 8)
    public = images.split("public")
    assert len(public) == len(images) / 5
    for target in range(5):
        assert (public.targets == images.targets[target * emotion_corpora.FRAMES]).sum() == 2 * emotion_corpora.FRAMES
    again = emotion_corpora.read(ten_speakers, RAVDESS, 8)
    assert np.array_equal(images.splits, again.splits)


def test_by_speaker_keeps_each_speaker_in_one_split(ten_speakers):
    images = emotion_corpora.read(ten_speakers, RAVDESS, 8, by_speaker=True)
    speakers = [set(images.split(name).pixels[:, 0, 0]) for name in ("training", "public")]
    assert [len(side) for side in speakers] == [8, 2]
    assert speakers[0] & speakers[1] == set()


def test_by_speaker_refuses_a_single_speaker(tmp_path):
    for code in ("a01", "h02"):
        (tmp_path / f"DC_{code}.avi").touch()
    with pytest.raises(DataError, match="has only one speaker, DC"):
        emotion_corpora.read(tmp_path, SAVEE, 48, by_speaker=True)


@pytest.mark.parametrize(
    ("corpus", "name", "message"),
    [
        (KDEF, "AF01XYS.JPG", r"AF01XYS\.JPG: 'xy' is not an emotion code of KDEF; it has: af \(fear\)"),
        (KDEF, "AF31V.JPG", r"AF31V\.JPG: not named as KDEF names its files, such as AF01/AF01ANS\.JPG"),
        (RAVDESS, "02-01-09-01-02-01-12.mp4", "'09' is not an emotion code of RAVDESS"),
        (SAVEE, "DC/x01.avi", "'x' is not an emotion code of SAVEE"),
        (MEAD, "M003/video/front/bored/level_1/001.mp4", "'bored' is not an emotion code of MEAD"),
    ],
)
def test_unusable_file_name_is_refused_with_the_reason(tmp_path, corpus, name, message):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(DataError, match=message):
        corpus.recordings(tmp_path)


def test_unusable_file_is_named_or_left_out(tmp_path, person, caplog):
    blank = np.full_like(person, 90)
    faults = {
        "DC_a01.avi": (b"not a video", "not a readable video"),
        "DC_a02.avi": ((blank, 8), "no face found in any of 6 frames"),
        "DC_a03.avi": ((person, 4), "only 4 of 6 frames could be read"),
    }
    for name, (content, reason) in faults.items():
        folder = tmp_path / name[:-4]
        folder.mkdir()
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            write(folder / name, *content)
        with pytest.raises(DataError, match=f"{name}: {reason}"):
            emotion_corpora.read(folder, SAVEE, 48)
    with pytest.raises(DataError, match="none of its 3 files could be used"):
        emotion_corpora.read(tmp_path, SAVEE, 48, skip_faulty=True)
    write(tmp_path / "JE_h01.avi", person)
    images = emotion_corpora.read(tmp_path, SAVEE, 48, skip_faulty=True)
    assert [images.labels[target] for target in images.targets] == ["happy"] * emotion_corpora.FRAMES
    assert "left out" in caplog.text
    assert "DC_a02.avi: no face found" in caplog.text


def test_frame_without_detection_takes_the_nearest_box(tmp_path, person):
    path = tmp_path / "DC_a01.avi"
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, person.shape[::-1])
    hidden = person.copy()
    hidden[34:114, 62:142] = 128
    for image in (person, person, hidden, person, person, person):
        video.write(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
    video.release()
    images = emotion_corpora.read(tmp_path, SAVEE, 48)
    assert len(images) == emotion_corpora.FRAMES
    assert images.pixels[2].std() < 0.6 * images.pixels[1].std()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("undrawn")
def test_model_is_trained_and_evaluated_by_speaker(ten_speakers, tmp_path_factory, capsys):
    out = tmp_path_factory.mktemp("out")
    recipe = out / "short.yaml"
    recipe.write_text("network: mini_xception\nepochs: 1\nbatch_size: 64\n")
    data = ["--data", str(ten_speakers), "--by-speaker"]
    for emotion in ("06", "07", "08"):
        for speaker in range(1, 11):
            (ten_speakers / f"Actor_{speaker:02}" / f"02-01-{emotion}-01-01-01-{speaker:02}.mp4").touch()
    assert train.main([*data, "--recipe", str(recipe), "--output", str(out / "run"), "--threads", "1"]) == 0
    about = json.loads((out / "run" / "run.json").read_text())
    assert about["by_speaker"] is True
    assert about["validation_images"] == 2 * 8 * emotion_corpora.FRAMES
    assert evaluate.main([*data, "--model", str(out / "run" / "best.pt"), "--output", str(out)]) == 0
    assert f"on {2 * 8 * emotion_corpora.FRAMES} images, public" in capsys.readouterr().out


@pytest.mark.parametrize("claimed", [0, 9, 40])
def test_frame_count_of_a_container_is_only_a_hint(tmp_path, monkeypatch, claimed):
    writer = cv2.VideoWriter(str(tmp_path / "v.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 16))
    for level in range(12):
        writer.write(np.full((16, 32, 3), 20 * level, np.uint8))
    writer.release()

    class Capture:
        def __init__(self, path, capture=cv2.VideoCapture):
            self._capture = capture(path)

        def __getattr__(self, name):
            return getattr(self._capture, name)

        def get(self, name):
            return claimed if name == cv2.CAP_PROP_FRAME_COUNT else self._capture.get(name)

    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    frames = emotion_corpora._frames(tmp_path / "v.avi")
    expected = [1, 3, 5, 7, 9, 11] if claimed != 9 else [0, 2, 3, 5, 6, 8]
    assert np.abs([frame.mean() for frame in frames] - 20.0 * np.array(expected)).max() < 5


@pytest.fixture
def counted(monkeypatch):
    """Return the files that faces were searched in."""
    searched, find = [], emotion_corpora._faces

    def count(path, *arguments):
        searched.append(path.name)
        return find(path, *arguments)

    monkeypatch.setattr(emotion_corpora, "_faces", count)
    return searched


def test_faces_of_a_corpus_are_searched_once(ten_speakers, counted, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    first = registry.read([ten_speakers], 8, cache=str(cache))
    assert len(counted) == 50
    again = registry.read([ten_speakers], 8, cache=str(cache))
    assert len(counted) == 50
    for name in ("pixels", "targets", "splits"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    registry.read([ten_speakers], 9, cache=str(cache))
    assert len(counted) == 100, "another size is another crop"
    changed = next(ten_speakers.rglob("*.mp4"))
    changed.write_bytes(b"longer")
    registry.read([ten_speakers], 8, cache=str(cache))
    assert counted[100:] == [changed.name]


def truncated(content: bytes) -> bytes:
    return content[:-30]


def marked_as_encrypted(content: bytes) -> bytes:
    start, mark, entry = content.rpartition(b"PK\x01\x02")
    return start + mark + entry[:4] + bytes([entry[4] | 1]) + entry[5:]


@pytest.mark.parametrize("damage", [truncated, marked_as_encrypted])
def test_damaged_cache_is_made_again(damage, ten_speakers, counted, tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    first = registry.read([ten_speakers], 8, cache=str(cache))
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert len(registry.read([ten_speakers], 8, cache=str(cache))) == len(first)
    assert len(counted) == 100


def test_faces_found_before_an_interruption_are_kept(ten_speakers, counted, tmp_path_factory, monkeypatch):
    cache = tmp_path_factory.mktemp("cache")
    find = emotion_corpora._faces

    def interrupt(path, *arguments):
        if len(counted) == 20:
            raise KeyboardInterrupt
        return find(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(emotion_corpora, "_faces", interrupt)
        with pytest.raises(KeyboardInterrupt):
            emotion_corpora.read(ten_speakers, RAVDESS, 8, cache=cache)
    emotion_corpora.read(ten_speakers, RAVDESS, 8, cache=cache)
    assert len(counted) == 50


def test_corpus_is_read_where_no_cache_can_be_written(ten_speakers, tmp_path_factory, caplog):
    blocked = tmp_path_factory.mktemp("cache") / "file"
    blocked.touch()
    assert len(emotion_corpora.read(ten_speakers, RAVDESS, 8, cache=blocked)) == 300
    assert "the faces found are not kept for the next time" in caplog.text
