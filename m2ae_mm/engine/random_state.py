"""Random numbers that depend on seed, epoch and step alone, so that a resumed training draws those of a whole one.

Every step starts its generators anew from the seed and its number, every sample from the seed, the epoch and its
place in it. Nothing has to be stored, draws in between (validation, pictures, a linear probe) change nothing, and it
makes no difference how many processes load the data, or whether they were restarted.
"""
import hashlib
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler, get_worker_info


def derive(*numbers: int) -> int:
    """A seed of 63 bits that depends on all numbers and their order."""
    digest = hashlib.blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, 'little') >> 1


def seed_generators(seed: int) -> None:
    """Start the generators of Python, NumPy and PyTorch on the CPU from a seed."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)


def seed_step(*numbers: int) -> None:
    """Start all generators, those of the accelerator in use, too, from :func:`derive`."""
    seed = derive(*numbers)
    seed_generators(seed)
    # torch.manual_seed would queue the seed, with a stack trace, for an accelerator that is not in use.
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed(seed)
    elif torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


class Draw(int):
    """An index into a data set, with the seed for what is random about its sample."""

    seed: int

    def __new__(cls, index: int, seed: int) -> 'Draw':
        draw = super().__new__(cls, index)
        draw.seed = seed
        return draw

    def __reduce__(self) -> tuple:
        return Draw, (int(self), self.seed)


class ResumableSampler(Sampler):
    """The order of ``sampler``, with a seed for every sample; after a resume it starts at a later place.

    Attributes:
        base: Seed of the pass.
        skipped: Samples to leave out of the next pass.
    """

    def __init__(self, sampler: Sampler) -> None:
        self.sampler, self.base, self.skipped = sampler, 0, 0

    def __iter__(self) -> Iterator[Draw]:
        skipped, self.skipped = self.skipped, 0
        epoch = getattr(self.sampler, 'epoch', 0)
        for place, index in enumerate(self.sampler):
            if place >= skipped:
                yield Draw(index, derive(self.base, 0, epoch, place))

    def __len__(self) -> int:
        return len(self.sampler)

    def __getattr__(self, name: str) -> Any:
        if name == 'sampler':  # not there yet
            raise AttributeError(name)
        return getattr(self.sampler, name)


class SeededItems:
    """What a loader takes for ``dataset.__getitems__``: samples with random numbers of their own."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __call__(self, draws: Sequence[int]) -> list:
        """The samples of a batch."""
        if get_worker_info() is not None:
            return [self._sample(draw) for draw in draws]
        # The training's own random numbers are not those of its data.
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            return [self._sample(draw) for draw in draws]
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])

    def _sample(self, draw: int) -> Any:
        if isinstance(draw, Draw):
            seed_generators(draw.seed)
        return self.dataset[int(draw)]


def make_resumable(loader: DataLoader) -> None:
    """Have a loader that has not started yet draw every sample's random numbers from a seed of the sample's place."""
    batches = loader.batch_sampler
    if resumable_sampler(loader) is not None or not hasattr(batches, 'sampler') or hasattr(
            loader.dataset, '__getitems__'):
        return
    batches.sampler = ResumableSampler(batches.sampler)
    loader.dataset.__getitems__ = SeededItems(loader.dataset)


def resumable_sampler(loader: DataLoader) -> ResumableSampler | None:
    """The sampler of a loader, if it is one that can begin in the middle of an epoch."""
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    return sampler if isinstance(sampler, ResumableSampler) else None
