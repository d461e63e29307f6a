# SPDX-License-Identifier: Apache-2.0
"""The dashboard in a headless Chromium: what a page shows, its buttons, and what is subscribed to without a page."""

from __future__ import annotations

import http.client
import itertools
import shutil
import sys
import threading
from array import array
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest

pytest.importorskip("fer_ros.msg", reason="needs ROS 2 and the package's own messages: make setup")
pytest.importorskip("nicegui", reason="the page is served by NiceGUI: requirements/dashboard.txt")

from builtin_interfaces.msg import Duration
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.qos import QoSDurabilityPolicy, QoSProfile
from robot import Robot, image_message, jpeg_message
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest
from std_srvs.srv import SetBool, Trigger

from fer_ros.emotion.labels import FER2013
from fer_ros.msg import EmotionEvent, FaceEmotion, FaceEmotionArray, TrainingProgress
from fer_ros.nodes.dashboard.node import DashboardError, DashboardNode
from fer_ros.srv import LoadModel

BROWSERS = ("chromium", "chromium-headless-shell", "google-chrome", "chromium-browser")
LATCHED = QoSProfile(depth=1, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)
DEADLINE = 60_000.0
"""Milliseconds, for what takes a second on an idle machine."""


class Feed:
    """Publishes, as an emotion node and a trainer node do, what the dashboard shows; answers its calls."""

    def __init__(self, robot: Robot):
        self.robot, node = robot, robot.node
        self.emotions = node.create_publisher(FaceEmotionArray, "front/emotions", 10)
        self.events = node.create_publisher(EmotionEvent, "front/emotion_events", 50)
        self.pictures = node.create_publisher(CompressedImage, "front/emotions/image/compressed", 1)
        self.diagnostics = node.create_publisher(DiagnosticArray, "/diagnostics", 1)
        self.progress = node.create_publisher(TrainingProgress, "training/progress", 10)
        self.plots = [
            node.create_publisher(Image, f"training/{name}", LATCHED) for name in ("curves", "confusion_matrix")
        ]
        self.calls: list[str] = []
        node.create_service(SetBool, "emotion_node/enable", self._enable)
        node.create_service(Trigger, "emotion_node/reset", self._reset)
        node.create_service(LoadModel, "emotion_node/load_model", self._load)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def viewed(self) -> list[int]:
        """Return the number of the dashboard's subscriptions to each topic of the emotion node."""
        topics = (self.emotions, self.events, self.pictures)
        return [
            sum(
                endpoint.node_name == "dashboard_node"
                for endpoint in self.robot.node.get_subscriptions_info_by_topic(publisher.topic_name)
            )
            for publisher in topics
        ]

    def _run(self) -> None:
        image = np.full((360, 480, 3), (200, 120, 40), np.uint8)
        cv2.putText(image, "live", (150, 200), cv2.FONT_HERSHEY_DUPLEX, 3, (255, 255, 255), 4)
        picture = jpeg_message(image)
        for step in itertools.count():
            if self._ended.wait(0.1):
                return
            self.pictures.publish(picture)
            # One is surprised now and then, the other is calm.
            surprise = 0.8 if step // 10 % 2 else 0.1
            faces = [face("f1", "surprise" if surprise > 0.5 else "happy", surprise), face("f2", "neutral", 0.1)]
            self.emotions.publish(
                FaceEmotionArray(labels=FER2013, faces=faces, dominant_face_id="f1", model_id="toy@12345678")
            )
            if step % 10 == 0:
                self.diagnostics.publish(self._diagnostics())

    def _diagnostics(self) -> DiagnosticArray:
        values = {"images/s": "10.0", "processed/s": "9.9", "faces": "2", "images skipped": "3"}
        for stage, milliseconds in (("detection", 4), ("classification", 2), ("total", 7)):
            values |= {f"{stage} p50 (ms)": f"{milliseconds}", f"{stage} p95 (ms)": f"{2 * milliseconds}"}
        status = DiagnosticStatus(
            name=f"{self.robot.namespace.strip('/')}/emotion_node: front",
            level=DiagnosticStatus.OK,
            message="processing 9.9 images/s",
            values=[KeyValue(key=key, value=value) for key, value in values.items()],
        )
        return DiagnosticArray(status=[status])

    def _enable(self, request, response):
        self.calls.append(f"enable {request.data}")
        response.success, response.message = True, "enabled" if request.data else "disabled"
        return response

    def _reset(self, request, response):
        self.calls.append("reset")
        response.success, response.message = True, "all tracks dropped"
        return response

    def _load(self, request, response):
        self.calls.append(f"load {request.model}")
        response.message = f"there is no model '{request.model}'"
        return response


def face(face_id: str, emotion: str, surprise: float) -> FaceEmotion:
    scores = dict.fromkeys(FER2013, 0.02) | {"surprise": surprise, "happy": 0.9 - surprise}
    values = array("f", [scores[label] / sum(scores.values()) for label in FER2013])
    region = RegionOfInterest(x_offset=9, y_offset=9, width=60, height=60)
    return FaceEmotion(
        face_id=face_id, roi=region, emotion=emotion, confidence=0.8, scores=values, smoothed_scores=values
    )


@pytest.fixture(scope="module")
def robot(_ros):
    with Robot() as robot:
        yield robot


@pytest.fixture(scope="module")
def feed(robot):
    feed = Feed(robot)
    yield feed
    feed.close()


@pytest.fixture(scope="module")
def dashboard(robot, feed):
    node = robot.start(DashboardNode, port=0, history=10.0, cameras=["front", "back"])
    yield node
    robot.close(node)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="the browser is controlled by playwright")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not path:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser, dashboard):
    page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    page.set_default_timeout(DEADLINE)
    page.requested, page.errors = [], []
    page.on("request", lambda request: page.requested.append(urlsplit(request.url)))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.goto(dashboard.url, timeout=DEADLINE)
    yield page
    page.close()


def is_shown(page, text: str) -> None:
    page.get_by_text(text).locator("visible=true").first.wait_for()


def test_nothing_is_received_without_a_page(robot, dashboard, feed):
    robot.wait_until(lambda: feed.progress.get_subscription_count() == 1, "the subscription to training/progress")
    assert feed.viewed() == [0, 0, 0]


def test_page_shows_people_health_and_live_image(page):
    for text in ("toy@12345678", "f1", "f2", "dominant", "surprise", "processing 9.9 images/s", "classification"):
        is_shown(page, text)
    page.wait_for_function("document.querySelector('.live img').naturalWidth === 480")
    page.wait_for_function("getComputedStyle(document.querySelector('.live .note')).display === 'none'")
    page.wait_for_function("document.querySelectorAll('.person svg path').length >= 14")


def test_page_shows_events(robot, page, feed):
    robot.wait_until(lambda: feed.events.get_subscription_count() == 1, "the subscription to emotion_events")
    feed.events.publish(EmotionEvent(kind=EmotionEvent.CHANGED, face_id="f7", previous="sad", current="<b>happy"))
    is_shown(page, "front f7 sad → <b>happy")


def test_page_shows_training(page, feed):
    for epoch in range(1, 9):
        feed.progress.publish(
            TrainingProgress(
                run_id="evening",
                epoch=epoch,
                epochs=12,
                train_loss=2.0 / epoch,
                validation_loss=1.8 / epoch + 0.2,
                validation_accuracy=0.66 - 0.4 / epoch,
                best_validation_accuracy=0.66 - 0.4 / epoch,
                images_per_second=900.0,
                eta=Duration(sec=130),
            )
        )
    for plot in feed.plots:
        plot.publish(image_message(np.full((300, 400, 3), 255, np.uint8)))
    for text in ("evening", "of 12 epochs", "61.0%", "2 min 10 s"):
        is_shown(page, text)
    # The curves are drawn by the page; the trainer's own plot is shown only when their start is missing.
    page.wait_for_function("document.querySelectorAll('.plots canvas').length === 2")
    page.wait_for_function("document.querySelector('.plots img[alt=\"confusion matrix\"]').naturalWidth === 400")
    assert not page.locator(".plots img[alt='curves']").is_visible()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_cards_fit_the_window_without_overlap(page, tmp_path, width, scheme):
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(f"document.body.classList.contains('body--{scheme}')")
    page.wait_for_function(f"document.documentElement.scrollWidth <= {width}")
    boxes = [card.bounding_box() for card in page.locator(".card").all()]
    assert len(boxes) == 5
    for one, other in itertools.combinations(boxes, 2):
        apart_x = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
        apart_y = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
        assert apart_x or apart_y
    page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)


@pytest.mark.parametrize(
    ("button", "call", "answer"),
    [
        ("Disable", "enable False", "disabled"),
        ("Enable", "enable True", "enabled"),
        ("Reset", "reset", "all tracks dropped"),
    ],
)
def test_button_calls_service_and_shows_its_answer(page, feed, button, call, answer):
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_role("alert").get_by_text(answer, exact=True).first.wait_for()
    assert call in feed.calls


def test_model_that_cannot_be_loaded_is_reported(page, feed):
    page.get_by_label("Model").fill("none.onnx")
    page.get_by_label("Model").press("Enter")
    page.get_by_role("button", name="Load", exact=True).click()
    is_shown(page, "there is no model 'none.onnx'")
    assert "load none.onnx" in feed.calls


def test_page_needs_no_internet(page, dashboard):
    assert {address.netloc for address in page.requested if address.scheme != "data"} == {
        urlsplit(dashboard.url).netloc
    }
    assert page.errors == []


def test_other_camera_can_be_chosen(robot, page, feed):
    robot.wait_until(lambda: feed.viewed() == [1, 1, 1], "the subscriptions")
    page.get_by_role("button", name="back", exact=True).click()
    is_shown(page, "no diagnostics from emotion_node")
    is_shown(page, "no person in the last 10 seconds")
    robot.wait_until(lambda: feed.viewed() == [1, 1, 0], "the end of the subscription to the images")
    page.get_by_role("button", name="front", exact=True).click()
    is_shown(page, "processing 9.9 images/s")
    robot.wait_until(lambda: feed.viewed() == [1, 1, 1], "the subscription to the images")


def test_page_in_the_background_receives_nothing(robot, page, feed):
    page.evaluate("emitEvent('visibility', false)")
    robot.wait_until(lambda: feed.viewed() == [0, 0, 0], "the end of the subscriptions")
    page.evaluate("emitEvent('visibility', true)")
    robot.wait_until(lambda: feed.viewed() == [1, 1, 1], "the subscriptions")


def test_browser_that_comes_and_goes_leaves_nothing(robot, browser, dashboard, page, feed):
    other = browser.new_page()
    other.goto(dashboard.url, timeout=DEADLINE)
    is_shown(other, "f1")
    other.close()
    page.close()
    robot.wait_until(lambda: feed.viewed() == [0, 0, 0], "the end of the subscriptions")
    assert not robot.logged("unhandled error")


def test_request_by_another_name_is_refused(dashboard):
    """A web site whose name resolves to this machine must not read the page."""
    connection = http.client.HTTPConnection(urlsplit(dashboard.url).netloc, timeout=DEADLINE / 1000)
    connection.request("GET", "/", headers={"Host": "site.example"})
    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("127.0.0.1", 0, "the port is in use, maybe by another dashboard: choose another one with -p port:=8081"),
        ("203.0.113.1", 8080, "Cannot assign requested address.*; host is an address or name of this machine"),
        ("no such host", 8080, "Name or service not known.*; host is an address or name of this machine"),
    ],
)
def test_address_that_cannot_be_used_is_explained(robot, dashboard, host, port, reason):
    port = port or urlsplit(dashboard.url).port
    with pytest.raises(DashboardError, match=f"cannot serve the dashboard on {host}, port {port}: {reason}"):
        robot.start(DashboardNode, host=host, port=port)


def test_missing_extra_is_named(robot, monkeypatch):
    monkeypatch.delitem(sys.modules, "fer_ros.nodes.dashboard.server", raising=False)
    monkeypatch.setitem(sys.modules, "nicegui", None)
    with pytest.raises(DashboardError, match="needs the package nicegui: pip install nicegui"):
        robot.start(DashboardNode, port=0)
