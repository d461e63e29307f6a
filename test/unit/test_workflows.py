# SPDX-License-Identifier: Apache-2.0
"""Workflows, Dockerfiles and locked requirements: what they name exists, and their linters have no complaint."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted(path.name for path in (ROOT / ".github" / "workflows").glob("*.yml"))
DOCKERFILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docker").glob("*.Dockerfile"))
DEV_CONTAINER = ".devcontainer/devcontainer.json"
SOURCES = [*(f".github/workflows/{name}" for name in WORKFLOWS), ".github/dependabot.yml", *DOCKERFILES, DEV_CONTAINER]
LOCKS = {
    "kilted": ("kilted.txt", "develop.txt", "dashboard.txt"),
    "jazzy": ("jazzy.txt", "develop.txt", "dashboard.txt"),
    "release": ("release.txt",),
    "workflows": ("workflows.txt",),
    "docs": ("docs.txt",),
}


def read(name):
    return (ROOT / name).read_text()


def workflow(name):
    return yaml.safe_load(read(f".github/workflows/{name}"))


def jobs(name):
    return workflow(name)["jobs"].items()


def commands(name):
    """Return the shell commands of a workflow, Dockerfile or dev container, without comments."""
    if name.endswith(".yml"):
        jobs = yaml.safe_load(read(name)).get("jobs", {})
        text = "\n".join(step.get("run", "") for job in jobs.values() for step in job["steps"])
    else:
        text = read(name)
    return re.sub(r"^\s*(#|//).*$", "", text, flags=re.MULTILINE)


def dev_container():
    return json.loads(re.sub(r"^//.*$", "", read(DEV_CONTAINER), flags=re.MULTILINE))


def matrix(name, job):
    return dict(jobs(name))[job]["strategy"]["matrix"]


def requirements(name):
    lines = (line.partition("#")[0].strip() for line in read(f"requirements/{name}").splitlines())
    return [Requirement(line) for line in lines if line]


def locked(name):
    """Return the entries of a lock file: requirement, and hashes."""
    entries = []
    for line in read(f"requirements/lock-{name}.txt").replace("\\\n", "").splitlines():
        if not line.startswith("#"):
            requirement, *hashes = line.split(" --hash=")
            entries.append((Requirement(requirement.strip()), [text.strip() for text in hashes]))
    return entries


@pytest.mark.parametrize("name", SOURCES)
def test_make_targets_exist(name):
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), flags=re.MULTILINE))
    named = set(re.findall(r"\bmake(?: -C \S+)? ([a-z]+)\b", commands(name)))
    named |= set(re.findall(r'"make", "([a-z]+)"', commands(name)))
    assert named <= targets


@pytest.mark.parametrize("name", SOURCES)
def test_named_files_exist(name):
    folders = r"requirements|docker|docs|scripts|test|\.ci|\.github"
    for path in re.findall(rf"(?<![\w./-])(?:src/fer_ros/|\.\./)?((?:{folders})/[\w./*-]+)", read(name)):
        path = path.rstrip(".")
        if path != "test/fuzz/findings/":  # made by a finding
            assert list(ROOT.glob(path)), f"{path} does not exist"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_dockerfile_copies_existing_files(name):
    for source in re.findall(r"^COPY (?!--from)(?:--\S+ )?(\S+) \S+$", read(name), flags=re.MULTILINE):
        assert (ROOT / source).exists()


def test_workflows_test_each_supported_python():
    versions = re.findall(r"python(3\.\d+)", re.search(r"candidates=\(python3 (.*)\)", read("scripts/setup"))[1])
    tested = matrix("ci.yml", "test")
    assert sorted(tested["python"], key=lambda text: int(text[2:])) == versions[::-1]
    assert f'requires-python = ">={versions[-1]}"' in read("pyproject.toml")
    image = re.search(r"^FROM python:(3\.\d+)-", read("docker/demo.Dockerfile"), flags=re.MULTILINE)[1]
    others = {entry["python"] for entry in tested["include"]} | {image}
    for name in WORKFLOWS:
        others |= set(re.findall(r'python-version: "(.*)"', read(f".github/workflows/{name}")))
    assert others <= set(versions)


def test_workflows_test_each_distribution_of_wheels():
    tested = matrix("ci.yml", "test")
    names = {*tested["wheels"], *(entry["wheels"] for entry in tested["include"])}
    assert names == {name for name, sources in LOCKS.items() if "develop.txt" in sources}
    assert f"WHEELS must be {' or '.join(sorted(names, reverse=True))}" in read("scripts/setup")


def test_workflows_test_each_documented_distribution():
    documented = re.findall(r"^\| ([a-z]+) \| Ubuntu \d", read("docs/reports/compatibility.md"), flags=re.MULTILINE)
    assert documented
    assert matrix("ros.yml", "colcon")["distro"] == documented
    assert matrix("ros.yml", "image")["distro"] == documented
    default = re.search(r"^ARG ROS_DISTRO=(\w+)$", read("docker/robot.Dockerfile"), flags=re.MULTILINE)[1]
    assert {default, dev_container()["build"]["args"]["ROS_DISTRO"]} <= set(documented)


def test_dev_container_builds_a_stage_of_the_robot_image():
    build = dev_container()["build"]
    assert (ROOT / ".devcontainer" / build["dockerfile"]).samefile(ROOT / "docker" / "robot.Dockerfile")
    assert f" AS {build['target']}\n" in read("docker/robot.Dockerfile")


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_pins_actions_by_commit(name):
    used = re.findall(r"uses: (.*)", read(f".github/workflows/{name}"))
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_may_only_read(name):
    assert workflow(name)["permissions"] in ({}, {"contents": "read"})
    for job_name, job in jobs(name):
        if (name, job_name) != ("release.yml", "release"):
            assert job.get("permissions", {"contents": "read"}) == {"contents": "read"}
        assert "timeout-minutes" in job


@pytest.mark.parametrize("name", LOCKS)
def test_lock_pins_each_requirement_with_hashes(name):
    entries = locked(name)
    versions = {}
    for requirement, hashes in entries:
        assert hashes
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", text) for text in hashes)
        [pin] = requirement.specifier
        assert pin.operator == "=="
        versions.setdefault(requirement.name, []).append(pin.version)
    for source in LOCKS[name]:
        for wanted in requirements(source):
            assert wanted.name.lower() in versions, f"{wanted}: run `make lock`"
            assert all(version in wanted.specifier for version in versions[wanted.name.lower()]), "run `make lock`"
    assert "torch" not in versions
    assert "://" not in read(f"requirements/lock-{name}.txt")


def test_each_lock_has_a_source():
    assert {path.name for path in (ROOT / "requirements").glob("lock-*")} == {f"lock-{name}.txt" for name in LOCKS}
    for name, sources in LOCKS.items():
        assert f"lock {name} {' '.join(sources)}\n" in read("scripts/lock")


def test_addresses_of_the_project_agree():
    package = ElementTree.parse(ROOT / "package.xml")
    urls = {url.get("type"): url.text for url in package.iter("url")}
    assert set(urls) == {"website", "bugtracker", "repository"}
    assert f'Homepage = "{urls["website"]}"' in read("pyproject.toml")
    assert f'Issues = "{urls["bugtracker"]}"' in read("pyproject.toml")
    assert f'Repository = "{urls["repository"]}"' in read("pyproject.toml")
    citation = yaml.safe_load(read("CITATION.cff"))
    assert (citation["url"], citation["repository-code"]) == (urls["website"], urls["repository"])


@pytest.mark.parametrize(
    "command",
    [("actionlint",), ("zizmor", "--offline", "--no-progress", "."), ("hadolint", *DOCKERFILES)],
    ids=lambda command: command[0],
)
def test_linter_has_no_complaint(command):
    program = shutil.which(command[0])
    if not program:
        pytest.skip(f"{command[0]} is not installed: requirements/workflows.txt")
    files = [] if command[0] != "actionlint" else [f".github/workflows/{name}" for name in WORKFLOWS]
    result = subprocess.run([program, *command[1:], *files], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
