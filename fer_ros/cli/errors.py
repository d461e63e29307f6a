# SPDX-License-Identifier: Apache-2.0
"""How every command ends on an error: with one line on standard error and an exit code.

Imports no other module of the package: importing the exceptions would load torch to report a mistyped file name.
"""

from __future__ import annotations

import functools
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

FAILED = 1
"""Exit code: the command failed while running."""
BAD_INPUT = 2
"""Exit code: unusable options or input, as argparse has it."""
STOPPED = 130
"""Exit code: interrupted by SIGINT."""

CODES = {
    "builtins.ImportError": BAD_INPUT,
    "builtins.OSError": BAD_INPUT,
    "fer_ros.cli.errors.OptionError": BAD_INPUT,
    "fer_ros.emotion.model_file.ModelFileError": BAD_INPUT,
    "fer_ros.training.checkpoint.CheckpointError": BAD_INPUT,
    "fer_ros.training.run_folder.RunFolderError": BAD_INPUT,
    "fer_ros.datasets.face_images.DataError": BAD_INPUT,
    "fer_ros.media.bags.BagError": BAD_INPUT,
    "fer_ros.media.sources.SourceError": BAD_INPUT,
    "fer_ros.recording.files.RecordingError": BAD_INPUT,
    "fer_ros.registry.UnknownNameError": BAD_INPUT,
    "fer_ros.training.train.TrainingError": FAILED,
    "fer_ros.training.recipe_keys.RecipeError": BAD_INPUT,
    "fer_ros.training.distributed.DeviceError": BAD_INPUT,
}
"""Exit codes of the errors that a user can correct, by the name of the exception's class."""

_EXTRAS = {"onnx": "onnx", "onnxruntime": "onnx", "rosbags": "bags"}
"""Extras of the wheel by the module they install; all other optional modules come with [train]."""


class OptionError(Exception):
    """A value of the command line that cannot be used; the message is one line."""


@contextmanager
def values_from_options() -> Iterator[None]:
    """Context manager that turns a ValueError into an OptionError, where a value of the command line is the cause."""
    try:
        yield
    except ValueError as error:
        raise OptionError(str(error)) from error


def one_line_errors(program: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Decorate the `main` of a command, so that an error ends it with one line and an exit code.

    The codes are those of `CODES`, and FAILED for any other error. With --debug the traceback is printed first.

    Args:
        program: name of the command, in front of each message.
    """

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def wrapper(arguments: Sequence[str] | None = None) -> int:
            try:
                return main(arguments)
            except KeyboardInterrupt:
                stop_now(f"{program}: stopped")
            except BrokenPipeError:  # the reader of standard output is gone: `fer-compare ... | head`
                return FAILED
            except Exception as error:
                if "--debug" in (sys.argv[1:] if arguments is None else arguments):
                    traceback.print_exc()
                code, message = describe(error)
                print(f"{program}: error: {message}", file=sys.stderr)
                return code

        return wrapper

    return decorate


def describe(error: Exception) -> tuple[int, str]:
    """Return the exit code of an error, and a message of one line with what to do."""
    message = " ".join(str(error).split())
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("fer_ros."):
        module = error.name.partition(".")[0]
        remedy = f"pip install '.[{_EXTRAS.get(module, 'train')}]' in the source folder of fer_ros"
        return BAD_INPUT, f"the Python package '{module}' is not installed; install it with: {remedy}"
    code = _exit_code(error)
    if code is not None:
        return code, message
    first_line = (str(error).splitlines() or [""])[0]
    return FAILED, f"unexpected {type(error).__name__}: {first_line}; --debug prints the traceback, for a bug report"


def stop_now(message: str) -> NoReturn:
    """Print `message` to standard error and exit with STOPPED, as `end_now` does."""
    print(message, file=sys.stderr, flush=True)
    end_now(STOPPED)


def end_now(status: int) -> NoReturn:
    """Exit without the interpreter's shutdown, which takes seconds with torch loaded. Files must be closed already."""
    sys.stdout.flush()
    os._exit(status)


def _exit_code(error: Exception) -> int | None:
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((CODES[name] for name in names if name in CODES), None)
