# SPDX-License-Identifier: Apache-2.0
"""Detection by tracking."""

import cv2
import numpy as np
import pytest

from fer_ros.faces import tracking_detector
from fer_ros.faces.detectors.base import WHOLE_IMAGE, Detector
from fer_ros.faces.detectors.viola_jones import ViolaJones
from fer_ros.faces.tracking_detector import TrackingDetector, TrackingSettings
from fer_ros.types import Box, Detection, Frame

RATE = 30


class CountingViolaJones(ViolaJones):
    """Counts the pyramid pixels that are scanned, and the full scans."""

    scanned = 0
    full_scans = 0

    def detect(self, image, query=WHOLE_IMAGE):
        """See `ViolaJones`."""
        self.full_scans += query.region is None
        return super().detect(image, query)

    def _hits(self, level, image, region, sparse=False):
        for _, crop in level.crops(image, region, sparse):
            self.scanned += crop.size
        return super()._hits(level, image, region, sparse)


@pytest.fixture(scope="module")
def head(astronaut):
    """Return a face of 95 pixels with its surroundings."""
    return astronaut[36:216, 140:310]


def scene(head, *places, shape=(480, 640), scale=1.0):
    """Return a gray image with heads; a place is the center of a head."""
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


def detect_all(detector, images, start=0.0, rate=RATE):
    return [detector.detect(Frame(image, start + step / rate)) for step, image in enumerate(images)]


def test_largest_face_comes_first(astronaut):
    small = cv2.resize(astronaut, (256, 256))
    both = np.zeros((512, 768), np.uint8)
    both[:256, :256], both[:, 256:] = small, astronaut
    areas = [face.box.area for face in TrackingDetector(ViolaJones()).detect(Frame(both, 0.0))]
    assert len(areas) == 2
    assert areas[0] > areas[1]


def test_tracked_boxes_equal_those_of_a_full_scan(head):
    images = [scene(head, (150 + 4 * step, 200), (480, 250 + 3 * step)) for step in range(20)]
    plain = ViolaJones()
    for image, faces in zip(images, detect_all(TrackingDetector(ViolaJones()), images), strict=True):
        expected = plain.detect(image)
        assert len(faces) == len(expected) == 2
        assert all(max(face.box.iou(other.box) for other in expected) > 0.75 for face in faces)


def test_search_for_new_faces_masks_known_faces(head):
    seen = []

    class RecordingViolaJones(ViolaJones):
        def proposals(self, image, tile):
            seen.append(image)
            return super().proposals(image, tile)

    images = [scene(head, (150 + step, 200)) for step in range(5)]
    *_, (face,) = detect_all(TrackingDetector(RecordingViolaJones()), images)
    x, y = map(round, face.box.center)
    assert seen[-1][y - 20 : y + 20, x - 20 : x + 20].std() == 0
    assert np.array_equal(seen[-1][:, x + 80 :], images[-1][:, x + 80 :])
    assert images[-1][y - 20 : y + 20, x - 20 : x + 20].std() > 10, "the image itself is not modified"


def test_disabled_tracking_scans_every_frame_in_full(head):
    detector = CountingViolaJones()
    images = [scene(head, (150 + 8 * step, 200)) for step in range(6)]
    found = detect_all(TrackingDetector(detector, TrackingSettings(enabled=False)), images)
    assert detector.full_scans == len(images)
    for image, faces in zip(images, found, strict=True):
        assert [face.box for face in faces] == [one.box for one in ViolaJones().detect(image)]


def detect_deferred(tracking, images):
    """Return the faces of each image, all returned before its scan for new ones if any is known."""
    found = []
    for step, image in enumerate(images):
        found.append(tracking.detect(Frame(image, step / RATE), defer_scan=True))
        tracking.scan_deferred()
    return found


def test_deferred_scan_reports_new_face_with_next_frame(head):
    images = [scene(head, (150, 200), *([(450, 240)] if step >= 3 else [])) for step in range(30)]
    together = detect_all(TrackingDetector(ViolaJones()), images)
    deferred = detect_deferred(TrackingDetector(ViolaJones()), images)
    first = next(step for step, faces in enumerate(together) if len(faces) == 2)
    counts = [len(faces) for faces in deferred]
    assert counts == [1] * (first + 1) + [2] * (len(images) - first - 1)
    assert {face.id for face in deferred[-1]} == {"f1", "f2"}
    newcomer = max(deferred[first + 1], key=lambda face: face.id)
    assert newcomer.tracked_for == pytest.approx(1 / RATE)


def test_known_faces_are_returned_before_the_scan(head):
    class Spy(ViolaJones):
        scans = 0

        def proposals(self, image, tile):
            self.scans += 1
            return super().proposals(image, tile)

    detector = Spy()
    tracking = TrackingDetector(detector)
    image = scene(head, (150, 200))
    for step in range(5):
        before = detector.scans
        assert len(tracking.detect(Frame(image, step / RATE), defer_scan=True)) == 1
        assert detector.scans == before
        tracking.scan_deferred()
    assert detector.scans > 0
    done = detector.scans
    tracking.scan_deferred()
    assert detector.scans == done, "a frame is scanned once"


def test_scan_is_not_deferred_without_known_faces(head):
    empty, shown = [scene(head)] * 5, [scene(head, (200, 240))] * 20
    together = detect_all(TrackingDetector(ViolaJones()), empty + shown)
    deferred = detect_deferred(TrackingDetector(ViolaJones()), empty + shown)
    assert [len(faces) for faces in deferred] == [len(faces) for faces in together]


@pytest.mark.parametrize(("scale", "within"), [(1.0, 0.3), (0.5, 0.6)])
def test_new_face_is_found_within_the_scan_period(head, scale, within):
    tracking = TrackingDetector(ViolaJones(), TrackingSettings(scan_period=0.25))
    assert not any(detect_all(tracking, [scene(head)] * 5))
    images = [scene(head, (200, 240 + 2 * step), scale=scale) for step in range(30)]
    found = detect_all(tracking, images, start=5 / RATE)
    first = next(step for step, faces in enumerate(found) if faces)
    assert first <= within * RATE
    assert all([face.id for face in faces] == ["f1"] for faces in found[first:])


def test_no_frame_costs_as_much_as_a_full_scan(head):
    detector = CountingViolaJones()
    tracking = TrackingDetector(detector)
    image = scene(head, (200, 200))
    tracking.detect(Frame(image, 0.0))
    costs = []
    for step in range(1, 40):
        before = detector.scanned
        tracking.detect(Frame(image, step / RATE))
        costs.append(detector.scanned - before)
    assert detector.full_scans == 1
    # Faces from 32 pixels on: the image reduced by 1.1 to the power of 3, 4, 5, ...
    full_scan = sum(image.size / 1.1 ** (2 * power) for power in range(3, 32))
    assert max(costs) < full_scan / 4
    assert sum(costs) / len(costs) < full_scan / 6


def test_slow_frames_are_scanned_in_full(head):
    detector = CountingViolaJones()
    found = detect_all(TrackingDetector(detector), [scene(head, (200, 200))] * 3, rate=1)
    assert detector.full_scans == 3
    assert all(found)


def test_lagging_frames_are_not_scanned_in_full(head):
    detector = CountingViolaJones()
    tracking = TrackingDetector(detector, TrackingSettings(scan_period=0.4))
    seen = [tracking.detect(Frame(scene(head, (200, 200)), second, lagging=True)) for second in np.arange(0, 6, 0.6)]
    assert detector.full_scans == 1
    assert all(len(faces) == 1 for faces in seen[2:])


def test_stamp_jump_and_new_image_size_force_a_full_scan(head):
    detector = CountingViolaJones()
    tracking = TrackingDetector(detector)
    detect_all(tracking, [scene(head, (200, 200))] * 3, start=100.0)
    (again,) = tracking.detect(Frame(scene(head, (200, 200)), 99.0))
    assert again.id == "f2"
    (smaller,) = tracking.detect(Frame(scene(head, (100, 100), shape=(240, 320)), 99.03))
    assert smaller.box.right <= 320
    assert detector.full_scans == 3


def test_face_leaving_the_image_is_tracked_and_dropped(head):
    tracking = TrackingDetector(ViolaJones(), TrackingSettings(keep_for=0.3))
    found = detect_all(tracking, [scene(head, (200 - 8 * step, 240)) for step in range(50)])
    assert all([face.id for face in faces] in (["f1"], []) for faces in found)
    assert all(face.box.x >= 0 for faces in found for face in faces)
    assert found[15]
    assert not found[-1]
    assert tracking.known_ids == set()


@pytest.mark.parametrize("shape", [(1, 1), (10, 200), (30, 30), (31, 400)])
def test_tiny_images_have_no_faces(shape):
    tracking = TrackingDetector(ViolaJones())
    assert not any(detect_all(tracking, [np.zeros(shape, np.uint8)] * 8))


def test_only_full_scans_use_several_threads(head, monkeypatch):
    before = cv2.getNumThreads()
    monkeypatch.setattr(tracking_detector, "_THREADS", 2)
    images = [scene(head, (320, 240))] * 2
    threads = []

    class RecordingViolaJones(ViolaJones):
        def detect(self, image, query=WHOLE_IMAGE):
            threads.append((query.region is None, cv2.getNumThreads()))
            return super().detect(image, query)

    try:
        detect_all(TrackingDetector(RecordingViolaJones()), images)
        assert threads[0] == (True, 2)
        assert set(threads[1:]) == {(False, 1)}
        threads.clear()
        detect_all(TrackingDetector(RecordingViolaJones(), TrackingSettings(enabled=False)), images)
        assert threads == [(True, 2)] * 2
    finally:
        cv2.setNumThreads(before)


def test_detector_needs_only_the_abstract_methods():
    class FixedDetector(Detector):
        def size_limits(self, shape):
            return 20, min(shape)

        def detect(self, image, query=WHOLE_IMAGE):
            return [Detection(Box(50, 60, 40, 40), 1.0)]

    found = detect_all(TrackingDetector(FixedDetector()), [np.zeros((240, 320), np.uint8)] * 10)
    assert [[face.id for face in faces] for faces in found] == [["f1"]] * 10


def test_scan_period_of_0_is_rejected():
    with pytest.raises(ValueError, match="scan_period"):
        TrackingSettings(scan_period=0.0)
