# SPDX-License-Identifier: Apache-2.0
"""Corpora of acted emotions, on small files that are named as published."""

import json

import cv2
import numpy as np
import pytest

from fer_ros.cli import evaluate, train
from fer_ros.datasets import corpus_naming, emotion_corpora, registry
from fer_ros.datasets.corpus_naming import KDEF, MEAD, RAVDESS, SAVEE
from fer_ros.datasets.options import EmotionCorporaOptions as Options
from fer_ros.datasets.registry import DataError
from fer_ros.registry import UnknownNameError


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
    "SAVEE": (SAVEE, ["AudioVisualClip/DC/a1.avi", "AudioVisualClip/KL/su15.avi"], ["angry", "surprise"]),
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
    assert len(KDEF.recordings(tmp_path, Options(views="S,hl"))) == 2
    (tmp_path / "AF01NES.JPG").unlink()
    with pytest.raises(DataError, match="has no KDEF file of the view S"):
        KDEF.recordings(tmp_path)


MEAD_VIEWS = ("front", "left_30", "left_60", "right_30", "right_60", "top", "down")


@pytest.mark.parametrize(
    ("corpus", "names", "options", "expected"),
    [
        pytest.param(SAVEE, ["DC/a1.avi", "DC/a15.avi", "DC/su03.avi"], {}, [0, 1, 2], id="SAVEE without zeros"),
        pytest.param(KDEF, ["AF31V.JPG", "AM31H.JPG", "AF31ANS.JPG"], {"views": "HL,HR"}, [0, 1], id="KDEF errata"),
        pytest.param(
            KDEF, [f"AF01AN{view}.JPG" for view in KDEF.views], {"views": "all"}, [0, 1, 2, 3, 4], id="KDEF views"
        ),
        pytest.param(
            MEAD,
            [f"M003/video/{view}/sad/level_1/001.mp4" for view in MEAD_VIEWS],
            {"views": "all"},
            [0, 1, 2, 3, 4, 5, 6],
            id="MEAD views",
        ),
        pytest.param(MEAD, [f"M003/video/{view}/sad/level_1/001.mp4" for view in MEAD_VIEWS], {}, [0], id="MEAD front"),
        *(
            pytest.param(
                RAVDESS,
                ["01-01-06-01-02-01-12.mp4", "02-01-06-01-02-01-12.mp4", "01-02-06-01-02-01-12.mp4"],
                options,
                expected,
                id=f"RAVDESS {options}",
            )
            for options, expected in [
                ({}, [0, 2]),
                ({"channel": "speech"}, [0]),
                ({"channel": "song"}, [2]),
                ({"channel": "speech", "both_versions": True}, [0, 1]),
            ]
        ),
    ],
)
def test_recordings_are_those_that_the_options_choose(tmp_path, corpus, names, options, expected):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = corpus.recordings(tmp_path, Options(**options))
    assert {each.path for each in found} == {tmp_path / names[index] for index in expected}
    performances = {each.performance for each in found}
    assert len(performances) == (1 if "views" in options and "AF31V.JPG" not in names else len(performances))


def test_kdef_errata_have_the_label_of_their_right_names(tmp_path):
    for name in ("AF31V.JPG", "AM31H.JPG"):
        (tmp_path / name).touch()
    found = KDEF.recordings(tmp_path, Options(views="all"))
    assert [(each.speaker, each.label) for each in found] == [("F31", "sad"), ("M31", "surprise")]


@pytest.mark.parametrize(
    ("corpus", "options", "message"),
    [
        (KDEF, {"views": "front"}, "KDEF has no view 'front'; it has: S, HL, HR, FL, FR, or all"),
        (SAVEE, {"views": "S"}, "SAVEE has one view only: leave out --views"),
        (RAVDESS, {"channel": "shout"}, "RAVDESS has no channel 'shout'; it has: speech, song"),
        (MEAD, {"channel": "song"}, "MEAD has no channels: leave out --channel"),
    ],
)
def test_option_that_a_corpus_does_not_have_is_refused(tmp_path, corpus, options, message):
    with pytest.raises(DataError, match=message):
        corpus.recordings(tmp_path, Options(**options))


def test_wrongly_named_file_is_left_out_if_asked(tmp_path, caplog):
    for name in ("AF01ANS.JPG", "AF01XYS.JPG", "group.jpg"):
        (tmp_path / name).touch()
    found = KDEF.recordings(tmp_path, Options(skip_faulty=True))
    assert [each.path.name for each in found] == ["AF01ANS.JPG"]
    assert "left out" in caplog.text
    assert "'xy' is not an emotion code" in caplog.text


@pytest.mark.parametrize(("level", "word"), [(3, "black"), (200, "blank")])
def test_image_without_content_is_named_as_such(tmp_path, level, word):
    write(tmp_path / "AF01ANS.JPG", np.full((100, 100), level, np.uint8))
    with pytest.raises(DataError, match=rf"AF01ANS\.JPG: is {word}, there is no face in it"):
        emotion_corpora.read(tmp_path, KDEF, 48)


def test_faces_are_found_by_another_detector_and_aligned(tmp_path, person):
    turned = cv2.warpAffine(
        person, cv2.getRotationMatrix2D((100, 76), 9, 1), (200, 200), borderMode=cv2.BORDER_REPLICATE
    )
    for name, image in (("AF01ANS.JPG", person), ("AF02ANS.JPG", turned)):
        write(tmp_path / name, image)

    def difference(**options):
        first, second = registry.read([tmp_path], 48, **options).pixels.astype(float)
        return np.abs(first - second).mean()

    assert difference(align=True) < 0.7 * difference()
    with pytest.raises(UnknownNameError, match="unknown detector 'dlip', did you mean 'dlib'"):
        registry.read([tmp_path], 48, detector="dlip")


@pytest.fixture
def ten_speakers(tmp_path, monkeypatch):
    """Return a folder of RAVDESS with five recordings per speaker; reading a video is mocked."""
    for speaker in range(1, 11):
        for emotion in range(1, 6):
            path = tmp_path / f"Actor_{speaker:02}/02-01-{emotion:02}-01-01-01-{speaker:02}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.touch()

    def faces(path, finder):
        image_size = finder._crop.__self__.input_size
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
    images = emotion_corpora.read(ten_speakers, RAVDESS, 8, Options(by_speaker=True))
    speakers = [set(images.split(name).pixels[:, 0, 0]) for name in ("training", "public")]
    assert [len(side) for side in speakers] == [8, 2]
    assert speakers[0] & speakers[1] == set()


def test_by_image_has_frames_of_a_recording_in_both_splits(ten_speakers, caplog):
    images = emotion_corpora.read(ten_speakers, RAVDESS, 8, Options(by_image=True))
    assert len(images.split("public")) == len(images) / 5
    of_recording = images.splits.reshape(-1, emotion_corpora.FRAMES)
    assert (of_recording.min(axis=1) != of_recording.max(axis=1)).any()
    assert "the accuracy is higher than on new recordings" in caplog.text
    with pytest.raises(DataError, match="--by-image and --by-speaker exclude each other"):
        emotion_corpora.read(ten_speakers, RAVDESS, 8, Options(by_image=True, by_speaker=True))


def test_versions_of_a_recording_are_in_one_split(ten_speakers):
    for path in list(ten_speakers.rglob("02-*.mp4")):
        path.with_name(path.name.replace("02", "01", 1)).touch()
    images = emotion_corpora.read(ten_speakers, RAVDESS, 8, Options(both_versions=True))
    assert len(images) == 2 * 50 * emotion_corpora.FRAMES
    public = images.split("public")
    pairs = np.bincount(public.pixels[:, 0, 0] * 10 + public.targets)
    assert set(pairs[pairs > 0]) == {2 * emotion_corpora.FRAMES}


def test_by_speaker_refuses_a_single_speaker(tmp_path):
    for code in ("a01", "h02"):
        (tmp_path / f"DC_{code}.avi").touch()
    with pytest.raises(DataError, match="has only one speaker, DC"):
        emotion_corpora.read(tmp_path, SAVEE, 48, Options(by_speaker=True))


@pytest.mark.parametrize(
    ("corpus", "name", "message"),
    [
        (KDEF, "AF01XYS.JPG", r"AF01XYS\.JPG: 'xy' is not an emotion code of KDEF; it has: af \(fear\)"),
        (KDEF, "AF32V.JPG", r"AF32V\.JPG: not named as KDEF names its files, such as AF01/AF01ANS\.JPG"),
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
    empty = np.tile(np.arange(200, dtype=np.uint8), (200, 1))
    faults = {
        "DC_a01.avi": (b"not a video", "not a readable video"),
        "DC_a02.avi": ((empty, 8), "no face found in any of 6 frames"),
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
        emotion_corpora.read(tmp_path, SAVEE, 48, Options(skip_faulty=True))
    write(tmp_path / "JE_h01.avi", person)
    images = emotion_corpora.read(tmp_path, SAVEE, 48, Options(skip_faulty=True))
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
@pytest.mark.usefixtures("undrawn", "tiny_network")
def test_model_is_trained_and_evaluated_by_speaker(ten_speakers, tmp_path_factory, capsys):
    out = tmp_path_factory.mktemp("out")
    recipe = out / "short.yaml"
    recipe.write_text("network: tiny\nepochs: 1\nbatch_size: 64\n")
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
