# SPDX-License-Identifier: Apache-2.0
"""Training throughput: `python -m benchmarks.training` prints a table and writes JSON.

fer-train keeps all images in memory as bytes and augments a whole batch at a time. It is compared with the loop of most
tutorials: a DataLoader that takes augmented images one by one from a Dataset, in this process or in workers, with the
same augmentation in NumPy and OpenCV. Network, optimizer, batch size and images are equal. The loops alternate, so that
other load on the machine affects them equally; the medians of all rounds are printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.inference import machine
from fer_ros import networks
from fer_ros.training import recipe as recipes
from fer_ros.training.optimizer import create_optimizer
from fer_ros.training.recipe import Recipe

Batch = tuple[torch.Tensor, torch.Tensor]
"""(N, 1, size, size) float32 crops as the network takes them, and (N,) int64 targets."""


def main(arguments: list[str] | None = None) -> None:
    command_line = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__.splitlines()[0])
    command_line.add_argument("--recipe", default="mini_xception_one_cycle", help="the first stage of this recipe")
    command_line.add_argument("--images", type=int, default=1024, help="in each round (default: %(default)s)")
    command_line.add_argument("--rounds", type=int, default=5)
    command_line.add_argument("--workers", type=int, nargs="*", default=[0, 2], help="of the DataLoaders")
    command_line.add_argument("--threads", type=int, default=1, help="of torch")
    command_line.add_argument("--json", type=Path, default=Path("out/bench/training.json"), metavar="FILE")
    options = command_line.parse_args(arguments)
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)

    recipe = recipes.load(options.recipe).stages[0].recipe
    size = recipe.preprocessing.input_size
    pixels = np.random.default_rng(0).integers(0, 255, (options.images, size, size), np.uint8)
    targets = np.arange(options.images) % 7
    ways: dict[str, Callable[[], Iterable[Batch]]] = {
        "fer-train, whole batches": lambda: by_the_batch(recipe, pixels, targets)
    }
    for workers in options.workers:
        name = f"DataLoader, {f'{workers} workers' if workers else 'this process'}"
        ways[name] = lambda workers=workers: one_by_one(recipe, pixels, targets, workers)

    results = measure(recipe, ways, options.images, options.rounds)
    print(f"{recipe.network}, batch {recipe.batch_size}, {options.threads} thread(s), {os.cpu_count()} cores")
    print(f"{'':28}{'images/s':>10}{'images/s of CPU':>18}{'CPU ms per image for batches alone':>46}")
    for name, row in results.items():
        rates = f"{row['images_per_second']:10.0f}{row['images_per_cpu_second']:18.0f}"
        print(f"{name:28}{rates}{row['cpu_milliseconds_for_batches']:46.3f}")
    options.json.parent.mkdir(parents=True, exist_ok=True)
    about = {"machine": machine(), "network": recipe.network, "rounds": options.rounds, "images": options.images}
    options.json.write_text(json.dumps({**about, "ways": results}, indent=1) + "\n")
    print(f"written to {options.json}")


def measure(
    recipe: Recipe, ways: dict[str, Callable[[], Iterable[Batch]]], images: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Return the medians over all rounds for each kind of loop."""
    learners = {name: Learner(recipe) for name in ways}
    learning, loading = ({name: [] for name in ways} for _ in range(2))
    for number in range(rounds + 1):
        for name, batches in ways.items():
            times = seconds(lambda name=name, batches=batches: learners[name].learn(batches()))
            loading_times = seconds(lambda batches=batches: sum(len(crops) for crops, _ in batches()))
            if number:  # the first round warms up
                learning[name].append(times)
                loading[name].append(loading_times)
    results = {}
    for name in ways:
        wall, cpu = np.median(learning[name], axis=0)
        results[name] = {
            "images_per_second": images / wall,
            "images_per_cpu_second": images / cpu,
            "cpu_milliseconds_for_batches": 1000 * float(np.median(loading[name], axis=0)[1]) / images,
        }
    return results


class Learner:
    """A network trained as by `train`, without validation and weight averaging."""

    def __init__(self, recipe: Recipe):
        torch.manual_seed(0)
        network = networks.create(recipe.network, 7, **recipe.network_options)
        self._network = network.to(memory_format=torch.channels_last).train()
        self._optimizer = create_optimizer(recipe, network)

    def learn(self, batches: Iterable[Batch]) -> None:
        for crops, targets in batches:
            logits = self._network(crops.contiguous(memory_format=torch.channels_last))
            loss = functional.cross_entropy(logits, targets)
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()


def by_the_batch(recipe: Recipe, pixels: np.ndarray, targets: np.ndarray) -> Iterator[Batch]:
    images, labels = torch.from_numpy(pixels), torch.from_numpy(targets)
    for chosen in torch.randperm(len(images)).split(recipe.batch_size):
        augmented = recipe.augmentation(images[chosen], images.shape[-1])
        yield recipe.preprocessing.normalize(augmented)[:, None], labels[chosen]


def one_by_one(recipe: Recipe, pixels: np.ndarray, targets: np.ndarray, workers: int) -> Iterable[Batch]:
    faces = Faces(recipe, pixels, targets)
    return DataLoader(faces, recipe.batch_size, shuffle=True, num_workers=workers)


class Faces(Dataset):
    """Augments each face by itself as `Augmentation` augments a batch."""

    def __init__(self, recipe: Recipe, pixels: np.ndarray, targets: np.ndarray):
        self._recipe, self._pixels, self._targets = recipe, pixels, targets
        self._random = np.random.default_rng(0)

    def __len__(self) -> int:
        return len(self._pixels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        face = self._erase(self._adjust_light(self._transform(self._pixels[index].astype(np.float32))))
        return torch.from_numpy(self._recipe.preprocessing.batch([face])[0]), int(self._targets[index])

    def _transform(self, face: np.ndarray) -> np.ndarray:
        by, size = self._recipe.augmentation, len(face)
        if self._random.random() < by.flip:
            face = face[:, ::-1]
        middle, zoom = (size - 1) / 2, 1 + self._random.uniform(-by.scale, by.scale)
        move = cv2.getRotationMatrix2D((middle, middle), self._random.uniform(-by.rotation, by.rotation), zoom)
        move[:, 2] += size * self._random.uniform(-by.shift, by.shift, 2)
        return cv2.warpAffine(face, move, (size, size), borderMode=cv2.BORDER_REPLICATE)

    def _adjust_light(self, face: np.ndarray) -> np.ndarray:
        by = self._recipe.augmentation
        if by.contrast:
            face = ((face - face.mean()) * self._factor(by.contrast) + face.mean()).clip(0, 255)
        if by.brightness:
            face = (face * self._factor(by.brightness)).clip(0, 255)
        return face

    def _factor(self, limit: float) -> float:
        return math.exp(self._random.uniform(-1, 1) * math.log1p(limit))

    def _erase(self, face: np.ndarray) -> np.ndarray:
        if self._random.random() < self._recipe.augmentation.erase:
            area, aspect = self._random.uniform(0.02, 0.15), math.exp(self._random.uniform(-1, 1) * math.log(2.5))
            width, height = (round(len(face) * side) for side in ((area * aspect) ** 0.5, (area / aspect) ** 0.5))
            x, y = self._random.integers(0, len(face) - width), self._random.integers(0, len(face) - height)
            face[y : y + height, x : x + width] = face.mean()
        return face


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU time of `work` in seconds, child processes included."""
    started = time.perf_counter(), _cpu()
    work()
    return time.perf_counter() - started[0], _cpu() - started[1]


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
