"""Data sets of acted emotions, on small files in the exact published naming."""

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


@pytest.mark.parametrize(("naming", "files", "labels"), PUBLISHED.values(), ids=PUBLISHED)
def test_the_faces_of_a_data_set_are_read_with_the_labels_in_its_names(tmp_path, person, naming, files, labels):
    for name in files:
        write(tmp_path / name, person)
    images = registry.read([tmp_path], 60)
    assert corpus_naming.recognize(tmp_path) is naming
    assert images.labels == naming.labels
    each = 1 if naming is KDEF else emotion_corpora.FRAMES
    by_path = dict(zip(files, labels, strict=True))
    expected = [by_path[name] for name in sorted(files) for _ in range(each)]
    assert [images.labels[target] for target in images.targets] == expected
    assert images.pixels.shape == (each * len(files), 60, 60)
    # The box that Viola-Jones finds, and not the whole picture.
    face = person[44:107, 68:131]
    assert np.corrcoef(images.pixels[0].ravel(), cv2.resize(face, (60, 60)).ravel())[0, 1] > 0.8


def test_all_labels_of_the_data_set_are_there_in_this_packages_order():
    words = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert KDEF.labels == SAVEE.labels == tuple(words)
    assert RAVDESS.labels == (*words, "calm")
    assert MEAD.labels == (*words, "contempt")


def test_of_two_versions_of_a_recording_one_is_read_and_its_sound_is_not(tmp_path, person):
    for modality in ("01", "02", "03"):
        write(tmp_path / f"Actor_01/{modality}-01-03-01-01-01-01.mp4", person)
    write(tmp_path / "Actor_01/02-01-04-01-01-01-01.mp4", person)
    assert len(registry.read([tmp_path], 48)) == 2 * emotion_corpora.FRAMES


def test_only_the_front_is_read_unless_other_views_are_asked_for(tmp_path):
    for view in ("S", "HL", "FR"):
        (tmp_path / f"AF01NE{view}.JPG").touch()
    assert [clip.path.name for clip in KDEF.clips(tmp_path)] == ["AF01NES.JPG"]
    assert len(KDEF.clips(tmp_path, ("S", "HL"))) == 2
    (tmp_path / "AF01NES.JPG").unlink()
    with pytest.raises(DataError, match="has no KDEF file of the view S"):
        KDEF.clips(tmp_path)


@pytest.fixture
def ten_speakers(tmp_path, monkeypatch):
    """A folder of RAVDESS, five clips a speaker; its videos are not really read."""
    for speaker in range(1, 11):
        for emotion in range(1, 6):
            path = tmp_path / f"Actor_{speaker:02}/02-01-{emotion:02}-01-01-01-{speaker:02}.mp4"
            path.parent.mkdir(exist_ok=True)
            path.touch()

    def faces(path, _, image_size):
        return [np.full((image_size, image_size), int(path.stem[-2:]), np.uint8)] * emotion_corpora.FRAMES

    monkeypatch.setattr(emotion_corpora, "_faces", faces)
    return tmp_path


def test_a_fifth_of_the_clips_is_held_back_with_all_their_frames(ten_speakers):
    images = emotion_corpora.read(ten_speakers, RAVDESS, 8)
    public = images.split("public")
    assert len(public) == len(images) / 5
    for target in range(5):
        assert (public.targets == images.targets[target * emotion_corpora.FRAMES]).sum() == 2 * emotion_corpora.FRAMES
    again = emotion_corpora.read(ten_speakers, RAVDESS, 8)
    assert np.array_equal(images.splits, again.splits)


def test_a_speaker_is_kept_on_one_side_when_asked(ten_speakers):
    images = emotion_corpora.read(ten_speakers, RAVDESS, 8, by_speaker=True)
    speakers = [set(images.split(name).pixels[:, 0, 0]) for name in ("training", "public")]
    assert [len(side) for side in speakers] == [8, 2]
    assert speakers[0] & speakers[1] == set()


def test_one_speaker_cannot_be_split(tmp_path):
    for code in ("a01", "h02"):
        (tmp_path / f"DC_{code}.avi").touch()
    with pytest.raises(DataError, match="has one speaker only, DC"):
        emotion_corpora.read(tmp_path, SAVEE, 48, by_speaker=True)


@pytest.mark.parametrize(
    ("naming", "name", "message"),
    [
        (KDEF, "AF01XYS.JPG", r"AF01XYS\.JPG: 'xy' is no emotion of KDEF; it has: af \(fear\)"),
        (KDEF, "AF31V.JPG", r"AF31V\.JPG: not named as KDEF names its files, such as AF01/AF01ANS\.JPG"),
        (RAVDESS, "02-01-09-01-02-01-12.mp4", "'09' is no emotion of RAVDESS"),
        (SAVEE, "DC/x01.avi", "'x' is no emotion of SAVEE"),
        (MEAD, "M003/video/front/bored/level_1/001.mp4", "'bored' is no emotion of MEAD"),
    ],
)
def test_a_name_that_does_not_fit_is_refused_with_the_reason(tmp_path, naming, name, message):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(DataError, match=message):
        naming.clips(tmp_path)


def test_files_that_cannot_be_used_are_named_with_the_reason_or_left_out(tmp_path, person, caplog):
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


def test_a_face_missed_in_one_frame_is_taken_where_the_next_has_it(tmp_path, person):
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
def test_a_model_is_trained_on_acted_emotions_split_by_speaker_and_evaluated(ten_speakers, tmp_path_factory, capsys):
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
