"""Edges of the rules on flight delay insurance.

The numbers are the defaults of the pack `flight_delay`; where it names a source, they are its.
"""

from __future__ import annotations

from ..claims import FLIGHT_NUMBERS
from ..clock import DAY
from ..rings import RECORD_CASE
from .auto import MONTHS, window
from .scheme import Planter, Scheme


def _account_many_insured(p: Planter, people: int = 4, apart: int = MONTHS) -> None:
    account = p.new_account()
    for person, after in zip(p.persons(people, 4), p.spread(4, apart), strict=True):
        p.at(after, insured=person, account=account, flight=p.below(FLIGHT_NUMBERS))


def _case_flight(p: Planter, number: int = 3) -> None:
    phone, flight = p.new("phone"), p.below(FLIGHT_NUMBERS)
    p.noted(RECORD_CASE, phone=phone)
    for _ in range(number):
        p.at(0, insured=p.new("person"), phone=phone, flight=flight)


def _flight_one_reporter(p: Planter, number: int = 10) -> None:
    phone, flight = p.new("phone"), p.below(FLIGHT_NUMBERS)
    for _ in range(number):
        p.at(0, insured=p.new("person"), phone=phone, flight=flight)


def _one_flight(p: Planter, number: int = 4, companies: int = 1, channels: int = 1) -> None:
    person, flight = p.new("person"), p.below(FLIGHT_NUMBERS)
    for n in range(number):
        fields = {"company": n % companies, "channel": n % channels}
        p.at(0, insured=person, flight=flight, **fields)


def _three_companies(p: Planter, companies: int = 3) -> None:
    _one_flight(p, 3, companies=companies)


def _three_channels(p: Planter, channels: int = 3) -> None:
    _one_flight(p, 3, channels=channels)


def _person_many_delays(p: Planter, flights: int = 8, apart: int = MONTHS) -> None:
    person, first = p.new("person"), p.below(FLIGHT_NUMBERS)
    for n, after in enumerate(p.spread(8, apart)):
        p.at(after, insured=person, flight=(first + n % flights) % FLIGHT_NUMBERS)


def _refunded_before_departure(p: Planter, number: int = 2, before: int = 3_600) -> None:
    """The first ticket is given back `before` seconds before departure, the others an hour."""
    person, first = p.new("person"), p.below(FLIGHT_NUMBERS)
    for n in range(number):
        after, early = n * 20 * DAY, before if n == 0 else 3_600
        leaves = p.start + after
        p.at(
            after,
            insured=person,
            flight=(first + n) % FLIGHT_NUMBERS,
            departure=leaves,
            refunded=leaves - early,
        )


SCHEMES = {
    "account-many-insured": Scheme(
        _account_many_insured, {"within": window(), "least": ({}, {"people": 3})}
    ),
    "case-flight": Scheme(_case_flight, {"least": ({}, {"number": 2})}),
    "flight-one-reporter": Scheme(_flight_one_reporter, {"least": ({}, {"number": 9})}),
    "person-many-channels": Scheme(_three_channels, {"least": ({}, {"channels": 2})}),
    "person-many-companies": Scheme(_three_companies, {"least": ({}, {"companies": 2})}),
    "person-many-delays": Scheme(
        _person_many_delays, {"within": window(), "least": ({}, {"flights": 7})}
    ),
    "person-many-policies": Scheme(_one_flight, {"least": ({}, {"number": 3})}),
    "refunded-before-departure": Scheme(
        _refunded_before_departure,
        {"before": ({"before": 60}, {"before": 59}), "least": ({}, {"number": 1})},
    ),
}
