# SPDX-License-Identifier: Apache-2.0
"""Options and help layout of every command."""

from __future__ import annotations

import argparse

from fer_ros import resources

_EXIT_CODES = """\
exit codes:
  0 success, 1 failed while running, 2 unusable options or input, 130 stopped by Ctrl-C"""


def command_parser(program: str, description: str, examples: str) -> argparse.ArgumentParser:
    """Return a parser with --version and --debug.

    Args:
        program: name of the command.
        description: one or two sentences.
        examples: command lines with what they do, indented, below the line "examples:".
    """
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=f"{examples.rstrip()}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {resources.version()}")
    parser.add_argument("--debug", action="store_true", help="on an error, print its traceback too")
    return parser
