# SPDX-License-Identifier: Apache-2.0
"""The page of one browser: reads the state twice a second, and sends what has changed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nicegui import ui

from fer_ros import resources
from fer_ros.emotion.model_file import ONNX_SUFFIX, SUFFIX
from fer_ros.nodes.dashboard import charts, views

if TYPE_CHECKING:
    from fer_ros.nodes.dashboard.commands import Outcome
    from fer_ros.nodes.dashboard.source import Source

TITLE = "fer_ros dashboard"
ICON = "🙂"
_PERIOD = 0.5
"""Seconds between two updates."""
_PICTURE_TIMEOUT = 2.0
"""Seconds without a live image after which the page says why."""
_CSS = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
_VISIBILITY = """<script>
document.addEventListener("visibilitychange", () => emitEvent("visibility", document.visibilityState === "visible"));
</script>"""


class Page:
    """Builds the page for the browser that asks for it, and keeps it up to date.

    Args:
        source: whose state is shown.
    """

    def __init__(self, source: Source):
        self._source = source
        self._camera = source.settings.cameras[0]
        self._shown: dict[Any, Any] = {}
        """What each part of the page was last made of."""
        ui.add_css(_CSS)
        ui.add_body_html(_VISIBILITY)
        self._dark = ui.dark_mode(None)
        self._add_header()
        with ui.element("main").classes("grid"):
            with ui.element("div").classes("column"):
                self._add_picture()
                with _card("Emotions over time"):
                    self._people = _html()
                    self._legend = _html("legend")
            with ui.element("div").classes("column"):
                with _card("Input and processing"):
                    self._health = _html()
                with _card("Events"):
                    self._events = _html("events")
            self._add_training()
        self._timer = ui.timer(_PERIOD, self._update)
        client = ui.context.client
        client.on_connect(lambda: self._look(True))
        # After NiceGUI has waited for the browser to come back, so that no track is dropped when a page is reloaded.
        client.on_delete(lambda: source.set_viewer(client.id, False))
        self._viewer = client.id
        ui.on("visibility", lambda event: self._look(bool(event.args)))

    def _add_header(self) -> None:
        commands = self._source.commands
        with ui.element("header").classes("bar-top"):
            ui.label(TITLE).classes("title")
            self._model = ui.label().classes("model")
            with ui.element("div").classes("controls"):
                _button("Enable", "play_arrow", lambda: self._report(commands.enable(True)))
                _button("Disable", "pause", lambda: self._report(commands.enable(False)))
                _button("Reset", "restart_alt", lambda: self._report(commands.reset()))
                models = resources.names("models", (SUFFIX, ONNX_SUFFIX))
                choice = ui.select(models, label="Model", with_input=True, new_value_mode="add-unique")
                choice.props("dense outlined options-dense")
                _button("Load", "upload", lambda: self._load(choice.value))
                dark = ui.button(icon="contrast", on_click=self._toggle_dark).props("flat round dense")
                dark.tooltip("light or dark").props('aria-label="light or dark"')

    def _add_picture(self) -> None:
        cameras = self._source.settings.cameras
        with ui.element("div").classes("card live"):
            if len(cameras) > 1:
                ui.toggle(list(cameras), value=self._camera, on_change=lambda event: self._show(event.value)).props(
                    'dense no-caps text-color=white padding="2px 12px"'
                )
            # One for each camera: a browser goes on with the stream that it shows until another one has an image.
            self._pictures = {
                camera: ui.element("img").props('alt="live image with the recognized emotions"') for camera in cameras
            }
            self._note = ui.label().classes("note")

    def _add_training(self) -> None:
        with _card("Training").classes("wide") as self._training:
            self._run = _html()
            with ui.element("div").classes("plots"):
                self._accuracy = ui.echart(charts.accuracy(())).classes("chart")
                self._loss = ui.echart(charts.loss(())).classes("chart")
                self._plots = {
                    name: ui.element("img").props(f'alt="{name.replace("_", " ")}"')
                    for name in ("curves", "confusion_matrix")
                }
        self._training.set_visibility(False)

    # --- commands ---

    async def _load(self, model: str | None) -> None:
        if model:
            _notify(f"loading {model} ...", "info")
            await self._report(self._source.commands.load_model(model))
        else:
            _notify("choose a model, or type the name of a file in the emotion node's models.folder", "warning")

    async def _report(self, call: Awaitable[Outcome]) -> None:
        outcome = await call
        _notify(outcome.message, "positive" if outcome.success else "negative")

    async def _toggle_dark(self) -> None:
        is_dark = await ui.run_javascript("document.body.classList.contains('body--dark')")
        self._dark.set_value(not is_dark)

    # --- what is shown ---

    def _look(self, looks: bool) -> None:
        """Follow what the browser shows: nothing is received for a page in the background."""
        self._source.set_viewer(self._viewer, looks)
        self._timer.active = looks
        self._show(self._camera if looks else None)

    def _show(self, camera: str | None) -> None:
        """Show the live images of a camera; None ends all streams."""
        self._camera = self._camera if camera is None else camera
        for number, (name, picture) in enumerate(self._pictures.items()):
            if name == camera:
                # The time makes the browser ask again, also after a stream has ended.
                picture.props(f"src=/pictures/{number}?{time.monotonic_ns()}")
            else:
                picture.props(remove="src")
            picture.set_visibility(name == self._camera)

    def _update(self) -> None:
        source, now = self._source, time.monotonic()
        state, history = source.state, source.settings.history
        camera, status = state.cameras[self._camera], state.health.get(self._camera)
        self._model.set_text(camera.model_id)
        self._people.set_content(views.people(camera, now, history))
        self._health.set_content(views.health(status, source.settings.emotion_node, now))
        is_live = source.pictures.age(self._camera) < _PICTURE_TIMEOUT
        self._note.set_text(views.summary(status, source.settings.emotion_node, now))
        self._note.set_visibility(not is_live)
        if self._changed("labels", camera.labels):
            self._legend.set_content(views.legend(camera))
        if self._changed("events", state.events):
            self._events.set_content(views.events(state.events, len(state.cameras) > 1))
        self._update_training()

    def _update_training(self) -> None:
        training, trainer = self._source.state.training, self._source.state.trainer
        is_training = trainer is not None and trainer.message.startswith("training")
        self._training.set_visibility(bool(training.epochs or training.plots or is_training))
        if self._changed("run", (training, trainer)):
            self._run.set_content(views.training(training, trainer))
        # Without the first epochs, which were before this node's start, the trainer's own plot shows more.
        is_complete = bool(training.epochs) and training.epochs[0].number == 1
        if self._changed("epochs", training.epochs):
            for chart, options in (
                (self._accuracy, charts.accuracy(training.epochs)),
                (self._loss, charts.loss(training.epochs)),
            ):
                chart.set_visibility(bool(training.epochs))
                chart.options.update(options)
                chart.update()
        for name, image in self._plots.items():
            png = training.plots.get(name)
            image.set_visibility(png is not None and not (name == "curves" and is_complete))
            if png and self._changed(name, png):
                image.props(f"src=/plots/{name}?{time.monotonic_ns()}")

    def _changed(self, part: str, value: Any) -> bool:
        """Return whether a part of the page has to be made again."""
        if part in self._shown and self._shown[part] is value:
            return False
        is_same = part in self._shown and self._shown[part] == value
        self._shown[part] = value
        return not is_same


def _card(title: str) -> ui.element:
    card = ui.element("section").classes("card")
    with card:
        ui.html(f"<h2>{title}</h2>", sanitize=False)
    return card


def _html(classes: str = "") -> ui.html:
    """Return a part of the page whose content `views` makes, which escapes all texts."""
    return ui.html("", sanitize=False).classes(classes)


def _notify(message: str, kind: Literal["positive", "negative", "warning", "info"]) -> None:
    """Show a message in a corner for some seconds; what went wrong stays longer."""
    milliseconds = 10_000 if kind == "negative" else 2500
    ui.notify(message, type=kind, position="bottom-right", multi_line=True, timeout=milliseconds, close_button="OK")


def _button(label: str, icon: str, on_click: Callable[[], Awaitable[None]]) -> None:
    ui.button(label, icon=icon, on_click=on_click).props("flat dense no-caps")
