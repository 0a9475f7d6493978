"""The `[review]` settings as the store wants them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from capture.settings import Settings
from store.desk import Rules
from store.risk import Levels, Weights


def rules_of(settings: Settings) -> Rules:
    """The rules of the desk."""
    chosen = settings.review
    return Rules(
        weights=Weights({str(name): value for name, value in chosen.class_weights.items()},
                        {str(name): value for name, value in chosen.band_scores.items()}, chosen.unread_band),
        levels=Levels({str(band): value for band, value in chosen.level_hours.items()},
                      {str(band): value for band, value in chosen.level_days.items()},
                      frozenset(day - 1 for day in chosen.work_days), frozenset(chosen.holidays),
                      ZoneInfo(chosen.timezone)),
        second_bands=frozenset(chosen.second_bands), second_persons=chosen.second_persons,
        second_bulk=chosen.second_bulk, second_unread=chosen.second_unread, claim_hours=chosen.claim_hours,
        keep_original_days=chosen.keep_original_days)
