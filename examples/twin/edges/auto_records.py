"""Edges of the rules on motor insurance that hold claims against records.

No source gives a window for any of them; the numbers are the defaults of the pack `auto`.
"""

from __future__ import annotations

from ..clock import DAY, HOUR
from ..rings import (
    RECORD_ACCIDENT,
    RECORD_CASE,
    RECORD_DRUNK,
    RECORD_IMPOUND,
    RECORD_THEFT,
    RECORD_VIOLATION,
)
from .scheme import Make, Planter, Scheme


def case_many_claims(p: Planter, number: int = 3) -> None:
    """Claims of strangers from one phone, which a record of a case names."""
    phone = p.new("phone")
    p.noted(RECORD_CASE, phone=phone)
    for after in p.spread(number, 100 * DAY):
        p.at(after, insured=p.new("person"), phone=phone)


def _drink_driving_before(p: Planter, gap: int = 3 * HOUR) -> None:
    """By the vehicle or by the person, in turns."""
    owner, car = p.new("person"), p.vehicle()
    p.noted(RECORD_DRUNK, **(car if p.below(2) else {"person": owner}))
    p.at(gap, insured=owner, driver=p.new("person"), **car)


def _driver_other_than_recorded(p: Planter, gap: int = HOUR) -> None:
    owner, car = p.new("person"), p.vehicle()
    kind = (RECORD_ACCIDENT, RECORD_VIOLATION)[p.below(2)]
    p.noted(kind, person=owner, **car)
    p.at(gap, insured=owner, driver=p.new("person"), **car)


def _meanwhile(type_: int) -> Make:
    def make(p: Planter, gap: int = 70 * DAY, ended: int = -1) -> None:
        """The record ends `ended` seconds after it began; -1 if it has not."""
        car = p.vehicle()
        p.noted(type_, ended=-1 if ended < 0 else p.start + ended, **car)
        p.at(gap, insured=p.new("person"), **car)

    return make


def _stolen_before(p: Planter, gap: int = 30 * DAY) -> None:
    """It was found before the loss, so that only the rule that does not ask for that points."""
    car = p.vehicle()
    p.noted(RECORD_THEFT, ended=p.start + max(gap, 0), **car)
    p.at(gap, insured=p.new("person"), **car)


_ENDED = ({"ended": 70 * DAY + 1}, {"ended": 70 * DAY})
"""The loss is a second before the vehicle was back, and at that second."""
_BEGIN = ({"gap": 0}, {"gap": -1})
"""The loss is at the second of the record, and a second before it."""


def _until(gap: int) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the end of a window after the record, and a second more."""
    return {"gap": gap}, {"gap": gap + 1}


SCHEMES = {
    "case-many-claims": Scheme(case_many_claims, {"least": ({}, {"number": 2})}),
    "drink-driving-before": Scheme(
        _drink_driving_before, {"within": _until(6 * HOUR), "begin": _BEGIN}
    ),
    "driver-other-than-recorded": Scheme(
        _driver_other_than_recorded,
        {
            "within:after": _until(2 * HOUR),
            "within:before": ({"gap": -2 * HOUR}, {"gap": -2 * HOUR - 1}),
        },
    ),
    "impounded-meanwhile": Scheme(
        _meanwhile(RECORD_IMPOUND),
        {"within": _until(90 * DAY), "begin": _BEGIN, "ended": _ENDED},
    ),
    "stolen-before": Scheme(_stolen_before, {"within": _until(60 * DAY), "begin": _BEGIN}),
    "stolen-meanwhile": Scheme(
        _meanwhile(RECORD_THEFT),
        {"within": _until(365 * DAY), "begin": _BEGIN, "ended": _ENDED},
        also=("stolen-before",),
    ),
}
