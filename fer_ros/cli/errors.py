"""How every command ends when something is wrong: one line that says what, and an exit code."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import NoReturn

BAD_INPUT, FAILED, STOPPED = 2, 1, 130

CODES = {
    "builtins.OSError": BAD_INPUT,
    "fer_ros.emotion.model_file.ModelFileError": BAD_INPUT,
    "fer_ros.training.checkpoint.CheckpointError": BAD_INPUT,
    "fer_ros.datasets.face_images.DataError": BAD_INPUT,
    "fer_ros.training.train.TrainingError": FAILED,
    "fer_ros.training.recipe.RecipeError": BAD_INPUT,
    "fer_ros.training.distributed.DeviceError": BAD_INPUT,
}
"""What a user can mend. By name: to import these would load torch, seconds, only to say that a name is mistyped."""


def one_line_errors(program: str) -> Callable:
    """Decorates the `main` of the command `program`: what a user can mend is said in one line, without a traceback.

    Exit codes: 2 for input that cannot be used, 1 where training itself failed, 130 for Ctrl-C.
    """

    def decorate(main: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(main)
        def guarded(arguments: list[str] | None = None) -> int:
            try:
                return main(arguments)
            except KeyboardInterrupt:
                stop_now(f"{program}: stopped")
            except BrokenPipeError:  # who read our output has gone
                return FAILED
            except Exception as error:
                code = _exit_code(error)
                if code is None:
                    raise
                print(f"{program}: error: {error}", file=sys.stderr)
                return code

        return guarded

    return decorate


def stop_now(message: str) -> NoReturn:
    """Ends the process at once, with `message` on standard error.

    Python would first take torch apart, which is seconds on a busy machine; what counts is on disk already.
    """
    print(message, file=sys.stderr, flush=True)
    end_now(STOPPED)


def end_now(status: int) -> NoReturn:
    """Ends the process without taking Python and its libraries apart."""
    sys.stdout.flush()
    os._exit(status)


def _exit_code(error: Exception) -> int | None:
    """None for what is a fault of the program and deserves its traceback."""
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__)
    return next((CODES[name] for name in names if name in CODES), None)
