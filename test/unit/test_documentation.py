# SPDX-License-Identifier: Apache-2.0
"""The pages: what they name exists, the navigation of the site has each of them, and the tutorial's commands run."""

import itertools
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import cv2
import hooks
import pytest
import reference
import yaml

from benchmarks import model_tables
from fer_ros.cli import annotate
from fer_ros.emotion.backends import registry as backends
from fer_ros.emotion.model_file import read_metadata
from fer_ros.media.synthetic_scene import SyntheticScene

ROOT = Path(__file__).parents[2]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in (*ROOT.glob("docs/**/*.md"), ROOT / "README.md"))
PARAMETERS = set(re.findall(r"^\| `([\w.]+)` \| \w+ \|", (ROOT / "docs/reference/parameters.md").read_text(), re.M))
GROUPS = {name.partition(".")[0] for name in PARAMETERS if "." in name}
EXECUTABLES = set(re.findall(r"^install_program\((\S+)", (ROOT / "CMakeLists.txt").read_text(), re.M))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
INTERFACES = {path.stem for kind in ("msg", "srv", "action") for path in (ROOT / kind).iterdir()}
OPTIONS = {
    name: {option for action in create()._actions for option in action.option_strings}
    for name, create in reference.commands().items()
}


def code_blocks(name, *languages):
    """Return the contents of a page's fenced blocks in these languages; indented ones count as shell."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", (ROOT / name).read_text(), re.M | re.S)
    return [text for _, language, text in found if language in languages]


def command_lines(name):
    """Return the words of each command in a page's shell blocks."""
    for block in code_blocks(name, "sh", ""):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r" && | \| ", re.sub(r"\s#.*", "", line)):
                try:
                    words = shlex.split(part)
                except ValueError:  # output, or a sentence
                    continue
                if words:
                    yield words


def launch_arguments(file):
    """Return the names of the arguments of a launch file and of those that it may include."""
    [path] = [*ROOT.glob(f"*/{file}")]
    texts = [path.read_text(), (ROOT / "fer_ros/nodes/common/launch.py").read_text()]
    texts += [(ROOT / "launch" / name).read_text() for name in re.findall(r'"(\w+\.launch\.py)"', texts[0])]
    texts += [(ROOT / "launch/emotion.launch.py").read_text()] if file == "behaviors.launch.py" else []
    return {argument for text in texts for argument in re.findall(r'"(\w+)": \(', text)}


@pytest.mark.parametrize("name", PAGES)
def test_commands_in_pages_exist(name):
    for words in command_lines(name):
        if words[0] in OPTIONS:
            options = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert options <= OPTIONS[words[0]], words
        elif words[0] == "make":
            target = next((word for word in words[1:] if "=" not in word and not word.startswith("-")), None)
            assert target in TARGETS, words
        elif words[:2] == ["ros2", "run"] and words[2] == "fer_ros" and "<" not in words[3]:
            assert words[3] in EXECUTABLES, words
        elif words[:3] == ["ros2", "launch", "fer_ros"]:
            given = {word.partition(":=")[0] for word in words[4:] if ":=" in word}
            assert given <= launch_arguments(words[3]), words
        elif words[:2] == ["python", "-m"] and words[2].startswith(("fer_ros", "benchmarks")):
            assert find_spec(words[2]), words
        elif words[0].startswith("fer-"):
            pytest.fail(f"no such command: {words}")


@pytest.mark.parametrize("name", PAGES)
def test_parameters_in_pages_exist(name):
    text = (ROOT / name).read_text()
    named = {word for word in re.findall(r"`([a-z_]+\.[a-z_]+)`", text) if word.partition(".")[0] in GROUPS}
    for words in command_lines(name):
        if words[:3] == ["ros2", "param", "set"]:
            named.add(words[4])
        if words[0] == "ros2":
            named |= {word.partition(":=")[0] for flag, word in itertools.pairwise(words) if flag == "-p"}
    unknown = {word for word in named - PARAMETERS if not word.startswith("qos_overrides.")}
    assert {word for word in unknown if word != "publish.<name>"} == set()


@pytest.mark.parametrize("name", PAGES)
def test_interfaces_in_pages_exist(name):
    found = re.findall(r"\bfer_ros(?:/(?:msg|srv|action)/|/|::msg::|\.msg\.)([A-Z]\w+)", (ROOT / name).read_text())
    assert set(found) <= INTERFACES


def test_reference_has_the_topics_and_services_of_each_node():
    text = (ROOT / "config/sros2/policies.xml").read_text()  # test/ros compares it with the running nodes
    page = (ROOT / "docs/reference/topics.md").read_text()
    every_node = r"/(parameter_events|rosout|clock)$|~/(\w*parameter\w*|get_\w+|change_state|transition_event)$"
    for node in re.findall(r'node="(\w+)"', text):
        profile = text[text.index(f'node="{node}"') :].partition("</profile>")[0]
        names = re.findall(r"<(?:topic|service|action)>(.*?)<", profile)
        missing = [name for name in names if not re.match(every_node, name) and f"`{name}`" not in page]
        assert [name for name in missing if name != "emotion_node/load_model"] == [], node


TOPICS = r"`(/?(?:emotions|emotion_events|training|~)(?:/[a-z_]+)*)`"


@pytest.mark.parametrize("name", PAGES)
def test_topics_in_pages_exist(name):
    known = {
        topic.lstrip("/")
        for page in ("docs/reference/topics.md", "docs/reference/publishers.md")
        for topic in re.findall(r"`([^` ]+)`", (ROOT / page).read_text())
    }
    if name not in ("docs/reference/topics.md", "docs/reference/publishers.md"):
        assert {topic.lstrip("/") for topic in re.findall(TOPICS, (ROOT / name).read_text())} - {"~"} <= known


def test_navigation_of_the_site_has_each_page():
    text = re.sub(r"^hooks:.*$", "", (ROOT / "mkdocs.yml").read_text(), flags=re.M)
    listed = re.findall(r"([\w/.-]+\.md)$", yaml.dump(yaml.safe_load(text)["nav"]), re.M)
    assert len(listed) == len(set(listed))
    pages = {hooks.site_path(name) for name in PAGES if name != "README.md"} | set(map(hooks.site_path, hooks.PAGES))
    assert set(listed) == pages


def test_first_page_links_to_each_page():
    links = set(re.findall(r"\]\(([\w/-]+\.md)", (ROOT / "docs/README.md").read_text()))
    assert {f"docs/{link}" for link in links} == {name for name in PAGES if name.count("/") > 1}


@pytest.mark.parametrize("name", [*PAGES, *hooks.PAGES])
def test_lists_and_code_are_indented_as_both_renderers_need(name):
    """GitHub takes two spaces for a paragraph or block within a list, Python-Markdown only four."""
    text = re.sub(r"^```.*?^```$", "", (ROOT / name).read_text(), flags=re.M | re.S)
    wrong = re.findall(r"\n\n( {1,3}[^ \n-].*)", text)
    assert wrong == []


@pytest.mark.parametrize("name", [*PAGES, *hooks.PAGES])
def test_no_text_is_taken_for_a_tag(name):
    """`<name>` outside of code is not shown."""
    text = re.sub(r"^( *)```.*?^\1```$|^    .*$|`[^`]*`|<!--.*?-->", "", (ROOT / name).read_text(), flags=re.M | re.S)
    assert re.findall(r"<[a-z]\S*>", text) == []


def test_links_lead_to_pages_or_to_the_repository():
    text = "[a](../reference/api.md#x) [b](../../CONTRIBUTING.md) [c](../../msg/A.msg) [d](https://e.org) [e](#f)"
    assert hooks.rewrite_links(text, "how-to/library.md", "https://r") == (
        "[a](../reference/api.md#x) [b](../project/CONTRIBUTING.md) [c](https://r/blob/main/msg/A.msg) "
        "[d](https://e.org) [e](#f)"
    )
    assert hooks.rewrite_links("[a](docs/how-to/x.md)", "project/CONTRIBUTING.md", "") == "[a](../how-to/x.md)"


def test_anchors_are_those_of_github():
    assert hooks.anchor("... a `data set`: What's new") == "-a-data-set-whats-new"


def test_site_refuses_what_comes_from_another_host(tmp_path):
    page = tmp_path / "index.html"
    config = type("Config", (), {"site_dir": str(tmp_path)})
    page.write_text('<a href="https://e.org">e</a><link rel="canonical" href="https://e.org"><img src="x.png">')
    hooks.on_post_build(config)
    page.write_text('<script src="https://e.org/x.js"></script>')
    with pytest.raises(SystemExit, match="loads from another host"):
        hooks.on_post_build(config)


def test_interfaces_become_tables_with_all_fields():
    page = reference.interfaces()
    assert "| `face_id` | `string` | as in FaceEmotion |" in page
    assert '| `ANGRY` | `"angry"` |' in page
    assert "held with the emotion while the scores contradict it |" in page  # a comment of two lines
    assert "**Result**\n\n" in page
    fields = re.findall(r"^[\w/\[\]]+ +(\w+)\b", (ROOT / "msg/FaceEmotion.msg").read_text(), re.M)
    assert all(f"`{field}`" in page for field in fields)


def test_commands_become_tables_with_all_options():
    page = reference.fill("a\n\n<!-- generated: commands, by ... -->\n\nb")
    assert page.startswith("a\n\n## fer-annotate\n\n")
    assert all(
        f"`{option}`" in page for options in OPTIONS.values() for option in options - {"-h", "--help"} - {"--version"}
    )


def test_api_page_names_each_public_member():
    import fer_ros

    named = set(re.findall(r"^::: \S+\.(\w+)$", reference.api(), re.M))
    assert named == set(fer_ros.__all__) - {"__version__"}
    text = (ROOT / "docs/reference/api.md").read_text()
    assert all(f"`{name}`" in text for name in named)


@pytest.fixture
def without_torch(monkeypatch):
    """Run models as on a robot without torch, which takes seconds to import."""
    monkeypatch.setattr(backends, "find_spec", lambda _: None)


def test_laptop_tutorial_runs_as_written(without_torch, tmp_path, monkeypatch, capsys):
    """`make demo`, its first step, is run by test/ros/test_demo.py."""
    monkeypatch.chdir(tmp_path)
    video, scene = tmp_path / "out/demo/annotated.mp4", SyntheticScene()
    video.parent.mkdir(parents=True)
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"mp4v"), 10.0, (640, 480))
    for number in range(5):
        writer.write(scene.image(number / 10))
    writer.release()
    page = "docs/tutorial/laptop.md"
    [command] = [words for words in command_lines(page) if words[0] == "fer-annotate"]
    assert annotate.main(command[1:]) == 0
    assert (tmp_path / "out/tutorial/annotated.mp4_timeline.png").is_file()
    header = (tmp_path / "out/tutorial/emotions.csv").read_text().splitlines()[0]
    assert header in (ROOT / page).read_text()
    capsys.readouterr()
    [code] = code_blocks(page, "python")
    exec(code, {})
    assert "f1: happy" in capsys.readouterr().out


def test_library_examples_run_as_written(without_torch, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    image = SyntheticScene().image(0.0)
    cv2.imwrite("photo.jpg", image)
    frames = iter([(True, image)] * 2 + [(False, None)])
    monkeypatch.setattr(cv2, "VideoCapture", lambda _: type("Webcam", (), {"read": lambda self: next(frames)})())
    one_image, webcam, _ = code_blocks("docs/how-to/library.md", "python")
    exec(one_image, {})
    assert "happy" in capsys.readouterr().out
    assert Path("photo_faces.png").is_file()
    exec(webcam, {})
    assert capsys.readouterr().out.startswith("f1 happy")


@pytest.mark.parametrize("name", model_tables.DOCUMENTS)
def test_marked_tables_can_be_measured_anew(name):
    text = (ROOT / name).read_text()
    marked = model_tables.MARKED_TABLE.findall(text)
    assert len(marked) == text.count("model_tables: ") > 0
    for _, table, models in marked:
        assert table in model_tables.TABLES
        assert all((ROOT / f"models/{model}.pt").is_file() for model in models.split())


@pytest.mark.parametrize("model", ["mini_xception", "res_se"])
def test_pages_give_the_accuracy_of_the_shipped_file(model):
    accuracy = 100 * read_metadata(ROOT / f"models/{model}.pt").scores["validation"]["accuracy"]
    for page in (f"models/{model}.md", "docs/reports/models.md", "docs/reports/results.md"):
        assert f"{accuracy:.2f} %" in (ROOT / page).read_text()
    for page in ("README.md", "CHANGELOG.rst"):
        assert f"{accuracy:.1f} %" in (ROOT / page).read_text()
