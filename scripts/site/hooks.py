# SPDX-License-Identifier: Apache-2.0
"""Hooks of MkDocs: pages outside of docs/, links to the source, generated parts, and a check that nothing is external.

The pages are written for GitHub too. There links between files of the repository work as they are, also to files that
are no page of the site; here these lead to the repository's address.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from xml.etree import ElementTree

from reference import fill

ROOT = Path(__file__).parents[2]
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "models/mini_xception.md", "models/res_se.md")
"""Files outside of docs/ that are pages of the site, below project/."""
_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)\s#]+)")
_EXTERNAL = re.compile(
    r"<(?:script|img|iframe|link(?! rel=\"(?:canonical|next|prev))) [^>]*(?:src|href)=\"?https?:[^>]*>"
)


def site_path(path: str) -> str | None:
    """Return where a file of the repository is in the site's sources, or None if it is not."""
    if path in PAGES:
        return f"project/{path}"
    return path.removeprefix("docs/") if path.startswith("docs/") else None


def repository_path(path: str) -> str:
    """Return the file of the repository that a page of the site was made from."""
    name = path.removeprefix("project/")
    return name if name != path else f"docs/{path}"


def anchor(heading: str, separator: str = "-") -> str:
    """Return GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


def rewrite_links(markdown: str, page: str, repository: str) -> str:
    """Make the links of a page lead to pages of the site, or else to the repository's address."""
    here = repository_path(page)

    def rewrite(link: re.Match[str]) -> str:
        target = os.path.normpath(os.path.join(os.path.dirname(here), link[1]))
        in_site = site_path(target)
        if in_site and not (ROOT / target).is_dir():
            return f"]({os.path.relpath(in_site, os.path.dirname(page) or '.')}"
        return f"]({repository}/blob/main/{target}"

    return _LINK.sub(rewrite, markdown)


def on_config(config):
    """Take the addresses from package.xml, and anchors as GitHub makes them."""
    urls = {url.get("type"): url.text for url in ElementTree.parse(ROOT / "package.xml").iter("url")}
    config.site_url, config.repo_url, config.repo_name = urls["website"], urls["repository"], "Source"
    config.mdx_configs.setdefault("toc", {}).update(slugify=anchor, permalink=True)
    return config


def on_files(files, config):
    """Add the pages outside of docs/."""
    from mkdocs.structure.files import File

    for name in PAGES:
        files.append(File.generated(config, site_path(name), abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Insert the generated parts, and rewrite the links."""
    return fill(rewrite_links(markdown, page.file.src_uri, config.repo_url))


def on_post_build(config):
    """Fail if a page would load anything from another host: the site must work on a robot without internet.

    Raises:
        SystemExit: names the page and what it loads.
    """
    for page in Path(config.site_dir).rglob("*.html"):
        if external := _EXTERNAL.search(page.read_text()):
            raise SystemExit(f"{page}: {external[0]} loads from another host")
