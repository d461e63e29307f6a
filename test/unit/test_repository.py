# SPDX-License-Identifier: Apache-2.0
"""The files of the repository as a whole: licenses of source files, and links between pages."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "models/*.md", ".github/**/*.md")
    for page in ROOT.glob(pattern)
)
SOURCES = sorted(
    source.relative_to(ROOT).as_posix()
    for pattern in (
        *("fer_ros/**/*.py", "test/**/*.py", "benchmarks/*.py", "examples/*.py", "launch/*.py", "setup.py"),
        *("scripts/*", "scripts/site/*.py", ".ci/*", "Makefile", "CMakeLists.txt", "mkdocs.yml"),
    )
    for source in ROOT.glob(pattern)
    if source.is_file()
)


@pytest.mark.parametrize("name", SOURCES)
def test_source_file_names_its_license(name):
    first_lines = (ROOT / name).read_text().splitlines()[:2]
    assert "# SPDX-License-Identifier: Apache-2.0" in first_lines


def anchors(page):
    """Return the anchors that GitHub gives to the headings of a page."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", PAGES)
def test_page_links_lead_to_files_and_headings(name):
    page = ROOT / name
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link} leads to no heading"


def test_no_text_installs_this_package_from_an_index():
    """The name belongs to no one there, so anyone could publish another package under it."""
    for name in sorted({*PAGES, *SOURCES, "CHANGELOG.rst"}):
        found = re.search(r"pip install [\"']?fer[-_]ros\b(?!/)", (ROOT / name).read_text())
        assert not found, f"{name}: {found[0]}"
