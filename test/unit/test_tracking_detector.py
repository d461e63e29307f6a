"""Finding the faces of a camera frame by frame: known ones where they are expected, new ones within a set time."""

import cv2
import numpy as np
import pytest

from fer_ros.faces import tracking_detector as search_module
from fer_ros.faces.detectors.base import Detector
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracker import OverlapTracker
from fer_ros.faces.tracking_detector import TrackingDetector
from fer_ros.types import Box, Detection, Frame

RATE = 30


class CountingViolaJones(ViolaJones):
    """Counts the pixels of the reduced images that are scanned."""

    scanned = 0
    full_scans = 0

    def detect(self, gray, region=None, *sizes, **more):
        """See `ViolaJones`."""
        self.full_scans += region is None
        return super().detect(gray, region, *sizes, **more)

    def _hits(self, level, gray, region, sparse=False):
        for _, part in level.parts(gray, region, sparse):
            self.scanned += part.size
        return super()._hits(level, gray, region, sparse)


@pytest.fixture(scope="module")
def head(astronaut):
    """The astronaut's face with its surroundings; the face is 95 pixels wide."""
    return astronaut[36:216, 140:310]


def scene(head, *places, shape=(480, 640), scale=1.0):
    """A plain room with heads; a place is the center of a head."""
    image = np.full(shape, 120, np.uint8)
    small = cv2.resize(head, None, fx=scale, fy=scale)
    height, width = small.shape
    for x, y in places:
        left, top = round(x - width / 2), round(y - height / 2)
        inside = Box(left, top, width, height).clipped(shape[1], shape[0])
        image[inside.y : inside.bottom, inside.x : inside.right] = small[
            inside.y - top : inside.bottom - top, inside.x - left : inside.right - left
        ]
    return image


def searched(search, images, start=0.0, rate=RATE):
    return [search.find(Frame(image, start + step / rate)) for step, image in enumerate(images)]


def test_a_search_gives_the_largest_face_first(astronaut):
    small = cv2.resize(astronaut, (256, 256))
    both = np.zeros((512, 768), np.uint8)
    both[:256, :256], both[:, 256:] = small, astronaut
    areas = [face.box.area for face in TrackingDetector(ViolaJones(), OverlapTracker()).find(Frame(both, 0.0))]
    assert len(areas) == 2
    assert areas[0] > areas[1]


def test_known_faces_get_the_boxes_of_the_full_scan(head):
    images = [scene(head, (150 + 4 * step, 200), (480, 250 + 3 * step)) for step in range(20)]
    plain = ViolaJones()
    for image, faces in zip(images, searched(TrackingDetector(ViolaJones(), OverlapTracker()), images), strict=True):
        expected = plain.detect(image)
        assert len(faces) == len(expected) == 2
        assert all(max(face.box.iou(other.box) for other in expected) > 0.75 for face in faces)


def test_new_faces_are_sought_beside_the_known_ones_alone(head):
    seen = []

    class Noting(ViolaJones):
        def proposals(self, gray, tile):
            seen.append(gray)
            return super().proposals(gray, tile)

    images = [scene(head, (150 + step, 200)) for step in range(5)]
    *_, (face,) = searched(TrackingDetector(Noting(), OverlapTracker()), images)
    x, y = map(round, face.box.center)
    assert seen[-1][y - 20 : y + 20, x - 20 : x + 20].std() == 0
    assert np.array_equal(seen[-1][:, x + 80 :], images[-1][:, x + 80 :])
    assert images[-1][y - 20 : y + 20, x - 20 : x + 20].std() > 10, "the image itself stays"


def test_turned_off_every_frame_is_scanned_in_full(head):
    detector = CountingViolaJones()
    images = [scene(head, (150 + 8 * step, 200)) for step in range(6)]
    found = searched(TrackingDetector(detector, OverlapTracker(), detect_by_tracking=False), images)
    assert detector.full_scans == len(images)
    for image, faces in zip(images, found, strict=True):
        assert [face.box for face in faces] == [one.box for one in ViolaJones().detect(image)]


@pytest.mark.parametrize(("scale", "within"), [(1.0, 0.3), (0.5, 0.6)])
def test_a_new_face_is_found_within_the_set_time_and_keeps_its_identity(head, scale, within):
    search = TrackingDetector(ViolaJones(), OverlapTracker(), full_scan_period=0.25)
    assert not any(searched(search, [scene(head)] * 5))
    images = [scene(head, (200, 240 + 2 * step), scale=scale) for step in range(30)]
    found = searched(search, images, start=5 / RATE)
    first = next(step for step, faces in enumerate(found) if faces)
    assert first <= within * RATE
    assert all([face.id for face in faces] == ["f1"] for faces in found[first:])


def test_no_frame_pays_for_the_full_scan(head):
    detector = CountingViolaJones()
    search = TrackingDetector(detector, OverlapTracker())
    image = scene(head, (200, 200))
    search.find(Frame(image, 0.0))
    costs = []
    for step in range(1, 40):
        before = detector.scanned
        search.find(Frame(image, step / RATE))
        costs.append(detector.scanned - before)
    assert detector.full_scans == 1
    # Faces of 32 pixels and more: the image reduced by 1.1 to the power of 3, 4, 5, ...
    full_scan = sum(image.size / 1.1 ** (2 * power) for power in range(3, 32))
    assert max(costs) < full_scan / 4
    assert sum(costs) / len(costs) < full_scan / 6


def test_slow_images_are_scanned_in_full(head):
    detector = CountingViolaJones()
    found = searched(TrackingDetector(detector, OverlapTracker()), [scene(head, (200, 200))] * 3, rate=1)
    assert detector.full_scans == 3
    assert all(found)


def test_images_that_are_slow_because_others_were_passed_over_are_not_scanned_in_full(head):
    detector = CountingViolaJones()
    search = TrackingDetector(detector, OverlapTracker(), full_scan_period=0.4)
    seen = [search.find(Frame(scene(head, (200, 200)), second, lagging=True)) for second in np.arange(0, 6, 0.6)]
    assert detector.full_scans == 1
    assert all(len(faces) == 1 for faces in seen[2:])


def test_a_looped_recording_and_another_image_size_start_with_a_full_scan(head):
    detector = CountingViolaJones()
    search = TrackingDetector(detector, OverlapTracker())
    searched(search, [scene(head, (200, 200))] * 3, start=100.0)
    (again,) = search.find(Frame(scene(head, (200, 200)), 99.0))
    assert again.id == "f2"
    (smaller,) = search.find(Frame(scene(head, (100, 100), shape=(240, 320)), 99.03))
    assert smaller.box.right <= 320
    assert detector.full_scans == 3


def test_a_face_at_the_border_is_followed_out_and_forgotten(head):
    search = TrackingDetector(ViolaJones(), OverlapTracker(keep_for=0.3))
    found = searched(search, [scene(head, (200 - 8 * step, 240)) for step in range(50)])
    assert all([face.id for face in faces] in (["f1"], []) for faces in found)
    assert all(face.box.x >= 0 for faces in found for face in faces)
    assert found[15]
    assert not found[-1]
    assert search.known_ids == set()


@pytest.mark.parametrize("shape", [(1, 1), (10, 200), (30, 30), (31, 400)])
def test_tiny_images_have_no_faces(shape):
    search = TrackingDetector(ViolaJones(), OverlapTracker())
    assert not any(searched(search, [np.zeros(shape, np.uint8)] * 8))


def test_only_whole_images_are_scanned_in_several_threads(head, monkeypatch):
    """Parts are too small to share: a second thread would but wait for them, which costs as much as a core."""
    usual = cv2.getNumThreads()
    monkeypatch.setattr(search_module, "_THREADS", 2)
    images = [scene(head, (320, 240))] * 2
    threads = []

    class Watching(ViolaJones):
        def detect(self, gray, region=None, *sizes, **more):
            threads.append((region is None, cv2.getNumThreads()))
            return super().detect(gray, region, *sizes, **more)

    try:
        searched(TrackingDetector(Watching(), OverlapTracker()), images)
        assert threads[0] == (True, 2)
        assert set(threads[1:]) == {(False, 1)}
        threads.clear()
        searched(TrackingDetector(Watching(), OverlapTracker(), detect_by_tracking=False), images)
        assert threads == [(True, 2)] * 2
    finally:
        cv2.setNumThreads(usual)


def test_a_detector_with_nothing_but_detect_works_too():
    class Fixed(Detector):
        def sizes(self, shape):
            return 20, min(shape)

        def detect(self, gray, region=None, smallest=0, largest=0, evidence=1.0):
            return [Detection(Box(50, 60, 40, 40), 1.0)]

    found = searched(TrackingDetector(Fixed(), OverlapTracker()), [np.zeros((240, 320), np.uint8)] * 10)
    assert [[face.id for face in faces] for faces in found] == [["f1"]] * 10


def test_a_period_that_is_none_is_refused():
    with pytest.raises(ValueError, match="full_scan_period"):
        TrackingDetector(ViolaJones(), OverlapTracker(), full_scan_period=0.0)
