"""Messages made for training: one personal or harmless stretch put into ordinary mail of every style.

Labelled personal mail is mostly personal throughout; in life one sentence stands in a page of business. So
every labelled stretch (evidence, what only looks personal, composed lines) is put once into blindly drawn
harmless mail, once into composed harmless mail, and once stands alone. The words are not joined: a mixed
message has the sentences, cue masks and scores of both. Pairs stay within a fold, so scores out of fold
stay that; they are drawn with a fixed seed.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pii_scan.semantic.features import NOTHING, Message
from pii_scan.semantic.fit import Material
from pii_scan.semantic.segment import Unit

_SEED = 3


@dataclass(frozen=True, slots=True, repr=False)
class Mixed:
    """Made messages with their label (1 personal, 0 harmless) and fold."""

    messages: tuple[Message, ...]
    personal: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]


def mixed(material: Material, logit: npt.NDArray[np.float64], row_fold: npt.NDArray[np.int64],
          hosts: Sequence[tuple[int, str, Message]]) -> Mixed:
    """Put every labelled stretch into hosts of its fold.

    `logit` and `row_fold` run over the sentences of `material`; a host is (fold, style, message).
    """
    by_style: dict[tuple[int, str], list[Message]] = defaultdict(list)
    for fold, style, message in hosts:
        by_style[fold, style].append(message)
    styles = sorted({style for _, style, _ in hosts})
    rng = random.Random(_SEED)  # noqa: S311 - draws training pairs, guards nothing
    made: list[Message] = []
    personal: list[int] = []
    folds: list[int] = []
    for rows in _stretches(material):
        fold = int(row_fold[rows[0]])
        chosen = [NOTHING, *(rng.choice(by_style[fold, style]) for style in styles if by_style[fold, style])]
        units = [Unit(material.texts[i], 0, 0, 0, 1, "text", quoted=False, first=True) for i in rows]
        for host in chosen:
            made.append(replace(host, units=[*host.units, *units],
                                masks=np.concatenate([host.masks, material.encoded.masks[rows]]),
                                logit=np.concatenate([host.logit, logit[rows]])))
            personal.append(int(material.target[rows[0]]))
            folds.append(fold)
    return Mixed(tuple(made), np.array(personal, np.int64), np.array(folds, np.int64))


def _stretches(material: Material) -> list[list[int]]:
    """Rows of the labelled stretches: of each message together, of each composed line alone."""
    of_message: dict[int, list[int]] = defaultdict(list)
    found: list[list[int]] = []
    for i in np.flatnonzero(material.stretch).tolist():
        owner = int(material.owner[i])
        if owner < 0:
            found.append([i])
        else:
            of_message[owner].append(i)
    return [*of_message.values(), *found]
