# SPDX-License-Identifier: Apache-2.0
"""Every form of data set gives the same images; the error for a broken one names the place."""

import json
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from training_data import arrays, bars, class_folders, csv, csv_rows, recipe

from fer_ros.cli import train
from fer_ros.datasets import image_folder, registry
from fer_ros.datasets.registry import DATASETS, DataError, FaceImages
from fer_ros.emotion.labels import FER2013
from fer_ros.registry import Entry


def test_csv_and_arrays_hold_the_same_images(tmp_path):
    rows = csv_rows(14, "Training", 1) + csv_rows(7, "PublicTest", 2) + csv_rows(7, "PrivateTest", 3)
    table = registry.read([csv(tmp_path / "fer2013.csv", rows)], 48)
    for usage, count in enumerate((14, 7, 7)):
        arrays(tmp_path / f"{usage}.npz", count, usage, seed=usage + 1)
    files = registry.read([tmp_path / f"{usage}.npz" for usage in range(3)], 48)

    assert table.pixels.dtype == np.uint8
    assert table.labels == files.labels == FER2013
    for name in ("pixels", "targets", "splits"):
        np.testing.assert_array_equal(getattr(table, name), getattr(files, name))
    assert [len(table.split(name)) for name in ("training", "public", "private", "all")] == [14, 7, 7, 28]


def test_npz_files_are_listed_with_commas_or_in_a_folder(tmp_path):
    one, two = arrays(tmp_path / "1.npz", 7, 0, seed=1), arrays(tmp_path / "2.npz", 7, 1, seed=2)
    expected = registry.read([one, two], 48).fingerprint()
    assert registry.read([f"{one},{two}"], 48).fingerprint() == expected
    assert registry.read([f"{one}, {two}"], 48).fingerprint() == expected
    assert registry.read([tmp_path], 48).fingerprint() == expected


def test_images_are_scaled_to_the_input_size(tmp_path):
    assert registry.read([arrays(tmp_path / "a.npz", 7, 0, seed=1)], 32).pixels.shape == (7, 32, 32)


def test_images_keep_their_proportions_in_every_form(tmp_path):
    narrow = bars(np.arange(7), seed=1)[:, :, 6:42]
    expected = np.pad(narrow, ((0, 0), (0, 0), (6, 6)), mode="edge")
    files = registry.read([arrays(tmp_path / "a.npz", 7, 0, seed=1, pixels=narrow)], 48)
    np.testing.assert_array_equal(files.pixels, expected)
    for label, image in zip(FER2013, narrow, strict=True):
        (tmp_path / "faces" / label).mkdir(parents=True)
        cv2.imwrite(str(tmp_path / "faces" / label / "1.png"), image)
    images = registry.read([tmp_path / "faces"], 48)
    np.testing.assert_array_equal(images.pixels[np.argsort(images.targets)], expected)


def test_image_folder_with_splits(tmp_path):
    class_folders(tmp_path / "train", per_class=2, seed=1, size=96)
    class_folders(tmp_path / "test", per_class=1, seed=2)
    images = registry.read([tmp_path], 48)
    assert images.pixels.shape == (21, 48, 48)
    assert np.bincount(images.split("training").targets).tolist() == [2] * 7
    public = images.split("public")
    order = np.argsort(public.targets)
    np.testing.assert_array_equal(public.pixels[order], bars(np.arange(7), 2))


@pytest.mark.parametrize(
    ("folders", "expected", "warned"),
    [
        (("train", "val", "test"), {"training": "train", "public": "val", "private": "test"}, False),
        (("Train", "Validation", "Test"), {"training": "Train", "public": "Validation", "private": "Test"}, False),
        (("train", "valid"), {"training": "train", "public": "valid"}, False),
        (("train", "test"), {"training": "train", "public": "test"}, True),
    ],
)
def test_test_folder_is_private_beside_a_validation_folder(folders, expected, warned, tmp_path, caplog):
    counts = {folder: number for number, folder in enumerate(folders, 1)}
    for folder, count in counts.items():
        class_folders(tmp_path / folder, per_class=count, seed=count)
    images = registry.read([tmp_path], 48)
    assert {split: len(images.split(split)) // 7 for split in expected} == {
        split: counts[folder] for split, folder in expected.items()
    }
    assert len(images) == 7 * sum(counts.values())
    assert ("there is no folder 'val' beside 'test'" in caplog.text) == warned


def test_image_folder_without_splits_holds_out_validation_images(tmp_path):
    images = registry.read([class_folders(tmp_path, per_class=12, seed=1)], 48)
    training, validation = images.for_training(seed=3)
    assert np.bincount(training.targets).tolist() == [11] * 7
    assert np.bincount(validation.targets).tolist() == [1] * 7
    assert not training.also_in(validation).any()
    assert images.for_training(seed=3)[0].fingerprint() == training.fingerprint()


@pytest.mark.parametrize(("hold_out", "count"), [(21, 21), (0.25, 21), (1, 1), (83, 83)])
def test_hold_out_takes_a_number_or_share_in_proportion(hold_out, count):
    targets = np.repeat(np.arange(2), (28, 56))
    splits = np.zeros(84 + 5, np.uint8)
    splits[84:] = 1
    images = FaceImages(np.zeros((89, 1, 1), np.uint8), np.append(targets, [0] * 5), ("angry", "happy"), splits)
    training, validation = images.for_training(3, hold_out)
    assert (len(training), len(validation)) == (84 - count, count)
    assert not validation.splits.any()  # the split public is in neither part
    assert abs(np.bincount(validation.targets, minlength=2)[0] - count / 3) < 1


def test_hold_out_of_all_training_images_is_refused():
    images = FaceImages(np.zeros((9, 1, 1), np.uint8), np.arange(9) % 2, ("angry", "happy"), np.zeros(9, np.uint8))
    with pytest.raises(DataError, match="only 9 training images; give --hold-out fewer, or a share"):
        images.for_training(1, 9)


def test_image_folder_understands_synonyms(tmp_path):
    class_folders(tmp_path, per_class=1, seed=1)
    (tmp_path / "happy").rename(tmp_path / "Happiness")
    (tmp_path / "fear").rename(tmp_path / "fearful")
    assert registry.read([tmp_path], 48).labels == FER2013


def test_npz_votes_are_shares_of_images_with_known_rows(tmp_path):
    crowd_votes = np.zeros((7, 10), np.uint8)
    crowd_votes[:, 1], crowd_votes[:, 0], crowd_votes[:, 8] = 6, 2, 2  # happiness, neutral, unknown
    source = np.array([0, 1, 2, 0, 0, 0, 0], np.uint8)
    images = registry.read([arrays(tmp_path / "a.npz", 7, 0, seed=1, ferplus_votes=crowd_votes, source=source)], 48)
    happy, neutral = FER2013.index("happy"), FER2013.index("neutral")
    assert images.crowd_votes[0, [happy, neutral]] == pytest.approx([0.75, 0.25])
    assert images.crowd_votes[2].sum() == pytest.approx(1)
    assert images.crowd_votes[1].sum() == 0


def test_duplicates_are_found_by_pixels(tmp_path):
    images = registry.read([arrays(tmp_path / "a.npz", 14, 0, seed=1)], 48)
    some = images.take(np.array([3, 5]))
    assert np.flatnonzero(images.also_in(some)).tolist() == [3, 5]
    assert some.also_in(images).all()


def broken_row(tmp_path, change):
    rows = csv_rows(14, "Training", 1)
    rows[4] = change(rows[4])
    return csv(tmp_path / "broken.csv", rows)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: row.replace(" ", "  ", 1).replace(" 1", "", 1), "has 2303 pixels, not 2304"),
        (lambda row: row.replace(" ", " x", 1), "is not a whole number"),
        (lambda row: row.replace(" ", " -", 1), "outside 0 to 255"),
        (lambda row: "7" + row[1:], "emotion '7' is not 0 to 6"),
        (lambda row: "happy" + row[1:], "emotion 'happy' is not 0 to 6"),
        (lambda row: row.replace("Training", "Trainin"), "Usage 'Trainin' is not one of"),
        (lambda row: row[:900], "has 2 columns, not 3"),
        (lambda row: row.replace(",", ',"', 1), "has 2 columns, not 3"),
    ],
)
def test_csv_names_a_broken_row(tmp_path, change, reason):
    with pytest.raises(DataError, match=r"broken\.csv, row 6: ") as raised:
        registry.read([broken_row(tmp_path, change)], 48)
    assert reason in str(raised.value)


def test_csv_without_usage_is_for_training(tmp_path):
    rows = [row.rpartition(",")[0] for row in csv_rows(14, "Training", 1)]
    path = tmp_path / "train.csv"
    path.write_text("\n".join(["emotion,pixels", *rows]))
    images = registry.read([path], 48)
    assert [len(images), len(images.split("training"))] == [14, 14]


FERPLUS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def ferplus_table(path, rows):
    path.write_text("\n".join([FERPLUS, *rows]) + "\n")
    return path


def test_ferplus_table_gives_the_votes_of_the_rows(tmp_path):
    table = csv(tmp_path / "fer2013.csv", csv_rows(2, "Training", 1) + csv_rows(1, "PublicTest", 2))
    votes = ["Training,fer0000000.png,2,6,0,0,0,0,0,1,1,0", "Training,,0,0,0,0,0,0,0,0,0,10"]
    votes.append("PublicTest,fer0000002.png,0,0,0,0,10,0,0,0,0,0")
    paths = [ferplus_table(tmp_path / "fer2013new.csv", votes), table]
    images = registry.read(paths, 48)
    happy, neutral, angry = (FER2013.index(label) for label in ("happy", "neutral", "angry"))
    assert images.crowd_votes[0, [happy, neutral]] == pytest.approx([0.75, 0.25])
    assert images.crowd_votes[1].sum() == 0
    assert images.crowd_votes[2, angry] == 1


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        (["Training,a,1,1,1,1,1,1,1,1,1,1"], "has 1 rows, but .* has 2"),
        (["Training,a,1,1,1,1,1,1,1,1,1,1"] * 2, "row 3: Usage is 'training', but .* has the split public there"),
        (["Training,a,1,1,x,1,1,1,1,1,1,1"] * 2, "row 2: votes 'x' are not 0 to 1000"),
    ],
)
def test_ferplus_table_of_other_rows_is_refused(tmp_path, votes, reason):
    table = csv(tmp_path / "fer2013.csv", csv_rows(1, "Training", 1) + csv_rows(1, "PublicTest", 2))
    path = ferplus_table(tmp_path / "fer2013new.csv", votes)
    with pytest.raises(DataError, match=rf"fer2013new\.csv[:,] {reason}"):
        registry.read([table, path], 48)
    with pytest.raises(DataError, match=r"has FERPlus' votes, but no pixels; give FER2013's table beside it"):
        registry.read([path], 48)


def image_list(folder, rows, header="path,label,split"):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), np.full((48, 48), 90, np.uint8))
    path = folder / "faces.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_list_of_files_has_labels_and_splits(tmp_path):
    rows = ["a.png,Happiness,Training", f"{tmp_path}/b.png,sad,test", "b.png,happy,val", ""]
    images = registry.read([image_list(tmp_path, rows)], 48)
    assert images.labels == ("happy", "sad")
    assert (images.targets.tolist(), images.splits.tolist()) == ([0, 1, 0], [0, 2, 1])
    images = registry.read([image_list(tmp_path, ["happy,a.png", "sad,b.png"], "label,path")], 48)
    assert (images.targets.tolist(), images.splits.tolist()) == ([0, 1], [0, 0])


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.png,hapy,val", "row 3: 'hapy' is not an emotion, did you mean 'happy'?"),
        ("c.png,happy,val", "row 3: there is no file "),
        ("a.png,happy,dev", "row 3: split 'dev' is none of train, "),
        ("a.png", "row 3: has 1 columns, not 3"),
    ],
)
def test_unusable_row_of_a_list_is_named_or_left_out(tmp_path, row, reason, caplog):
    path = image_list(tmp_path, ["b.png,happy,train", row])
    with pytest.raises(DataError, match=r"faces\.csv, row 3") as raised:
        registry.read([path], 48)
    assert reason in str(raised.value)
    if "columns" not in reason:
        assert len(registry.read([path], 48, skip_faulty=True)) == 1
        assert reason in caplog.text


def test_faces_in_a_folder_are_found_if_a_detector_is_named(tmp_path, astronaut):
    (tmp_path / "happy").mkdir()
    cv2.imwrite(str(tmp_path / "happy" / "a.png"), astronaut)
    whole, face = (registry.read([tmp_path], 48, detector=name).pixels[0] for name in ("", "viola_jones"))
    assert np.abs(whole.astype(float) - face).mean() > 20
    with pytest.raises(DataError, match="--align needs a --detector"):
        registry.read([tmp_path], 48, align=True)
    cv2.imwrite(str(tmp_path / "happy" / "b.png"), np.full((48, 48), 200, np.uint8))
    with pytest.raises(DataError, match=r"b\.png: is blank, there is no face in it"):
        registry.read([tmp_path], 48, detector="viola_jones")


def test_test_folder_with_both_splits_of_fer2013_is_named(tmp_path, caplog, monkeypatch):
    for folder, count in {"train": 2, "test": 1}.items():
        class_folders(tmp_path / folder, per_class=count, seed=count)
    registry.read([tmp_path], 48)
    assert "together" not in caplog.text
    monkeypatch.setattr(image_folder, "_FER2013_TEST", dict.fromkeys(FER2013, 1))
    registry.read([tmp_path], 48)
    assert "These 7 images are FER2013's PublicTest and PrivateTest together" in caplog.text


def test_csv_without_fer2013_columns_is_refused(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("label,image\n1,2\n")
    with pytest.raises(DataError, match=r"other\.csv, row 1: no column 'emotion'"):
        registry.read([path], 48)
    with pytest.raises(DataError, match=r"fer2013\.csv: the table has no rows"):
        registry.read([csv(tmp_path / "fer2013.csv", [])], 48)
    path.write_bytes(b"emotion,pixels,Usage\n\xff\xfe\x00")
    with pytest.raises(DataError, match=r"other\.csv, row 2: not a readable csv"):
        registry.read([path], 48)


def test_wrong_path_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: there is no such file or folder"):
        registry.read([tmp_path / "nowhere"], 48)
    image = tmp_path / "face.png"
    image.touch()
    with pytest.raises(DataError, match=r"face\.png: not a data set of a known form \(a folder per emotion, "):
        registry.read([image], 48)


def test_folder_without_classes_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has neither \.npz files nor a folder per emotion"):
        registry.read([tmp_path], 48)


def test_empty_class_is_named(tmp_path):
    class_folders(tmp_path, per_class=1, seed=1)
    for image in (tmp_path / "fear").iterdir():
        image.unlink()
    with pytest.raises(DataError, match=r"fear: the class 'fear' is empty"):
        registry.read([tmp_path], 48)


def test_unknown_class_is_named_with_the_nearest(tmp_path):
    class_folders(tmp_path, per_class=1, seed=1)
    (tmp_path / "happy").rename(tmp_path / "hapy")
    with pytest.raises(DataError, match=r"'hapy' is not an emotion, did you mean 'happy'\?"):
        registry.read([tmp_path], 48)
    images = registry.read([tmp_path], 48, skip_faulty=True)
    assert (len(images), "happy" in images.labels) == (6, False)


def test_unreadable_image_is_named(tmp_path):
    class_folders(tmp_path, per_class=1, seed=1)
    (tmp_path / "sad" / "half.jpg").write_bytes(b"\xff\xd8\xff\xe0 not an image")
    (tmp_path / "sad" / "none.jpg").touch()
    with pytest.raises(DataError, match=r"half\.jpg: not a readable image"):
        registry.read([tmp_path], 48)


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        ({"label": None}, "has no array 'label'; it has: pixels, usage"),
        ({"pixels": np.zeros((7, 48, 48), np.float32)}, "pixels must be"),
        ({"label": np.zeros(6, np.uint8)}, "7 images but 6 entries in 'label'"),
        ({"label": np.full(7, 9, np.uint8)}, "'label' of image 0 is 9, not 0 to 6"),
        ({"usage": np.array([0, 0, 3, 0, 0, 0, 0], np.uint8)}, "'usage' of image 2 is 3, not 0 to 2"),
    ],
)
def test_npz_with_unusable_arrays_is_named(tmp_path, replaced, reason):
    path = arrays(tmp_path / "odd.npz", 7, 0, seed=1, **replaced)
    with pytest.raises(DataError, match=r"odd\.npz: ") as raised:
        registry.read([path], 48)
    assert reason in str(raised.value)


def test_npz_that_is_not_an_archive_is_named(tmp_path):
    path = tmp_path / "text.npz"
    path.write_text("not arrays")
    with pytest.raises(DataError, match=r"text\.npz: not a readable npz file"):
        registry.read([path], 48)


def test_missing_split_is_named(tmp_path):
    images = registry.read([arrays(tmp_path / "a.npz", 7, 0, seed=1)], 48)
    with pytest.raises(DataError, match=r"no image in the split 'public'; it has: training \(7\)"):
        images.split("public")


@dataclass(frozen=True)
class ToyOptions:
    count: int = field(default=14, metadata={"help": "images of the toy data set"})


class ToyReader:
    """A data set of another package: an empty file with the suffix .toy."""

    def __init__(self, count):
        self._count = count

    def matches(self, paths):
        return paths[0].suffix == ".toy"

    def read(self, paths, image_size):
        targets = np.arange(self._count) % 7
        return FaceImages(bars(targets, seed=1), targets, FER2013, np.repeat([0, 1], self._count // 2).astype(np.uint8))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("undrawn", "tiny_network")
def test_data_set_of_another_package_is_trained_on(tmp_path):
    DATASETS.register("toy", Entry(lambda options: ToyReader(options.count), ToyOptions, description=".toy files"))
    try:
        (tmp_path / "faces.toy").touch()
        short = recipe(tmp_path / "short.yaml", epochs=1)
        arguments = ["--data", tmp_path / "faces.toy", "--count", 28, "--recipe", short, "--output", tmp_path / "run"]
        assert train.main([*map(str, arguments), "--threads", "1"]) == 0
    finally:
        DATASETS.unregister("toy")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["training_images"] == 14
