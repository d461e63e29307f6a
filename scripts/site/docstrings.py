# SPDX-License-Identifier: Apache-2.0
"""Extension of Griffe, which reads the docstrings for the site: shows doctests as code."""

import re

import griffe

_EXAMPLE = re.compile(r"^(>>> .*(?:\n(?!\n).+)*)", flags=re.MULTILINE)


class FencedExamples(griffe.Extension):
    """Puts the examples of docstrings between fences; Markdown would quote them."""

    def on_object(self, *, obj: griffe.Object, **_) -> None:
        """Change the docstring of a class, function, attribute or module."""
        if obj.docstring:
            obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\1\n```", obj.docstring.value)
