"""Edges of the rules on motor insurance that look at claims alone.

The numbers are the defaults of the pack `auto`; where it names a source, they are its.
"""

from __future__ import annotations

from ..clock import DAY, HOUR
from ..geography import CITIES
from .scheme import Planter, Scheme

YEAR = 365 * DAY
MONTHS = 200 * DAY
"""Well inside of a year."""
NIGHT = 13 * HOUR
"""From ten in the morning, a group's moment, to eleven at night."""


def _claimant_many_cities(
    p: Planter, number: int = 6, cities: int = 4, apart: int = MONTHS
) -> None:
    claimant = p.new("person")
    for n, after in enumerate(p.spread(number, apart)):
        city = (p.city + n % cities) % len(CITIES)
        p.at(after, city=city, insured=p.new("person"), claimant=claimant, **p.plate())


def _driver_many_vehicles(p: Planter, vehicles: int = 6, apart: int = MONTHS) -> None:
    driver, plates = p.new("person"), [p.plate() for _ in range(vehicles)]
    for n, after in enumerate(p.spread(6, apart)):
        p.at(after, insured=p.new("person"), driver=driver, **plates[n % vehicles])


def _phone_many_insured(
    p: Planter, people: int = 6, number: int = 6, at_shop: int = 0, apart: int = MONTHS
) -> None:
    phone, shop, persons = p.new("phone"), p.new_shop(), p.persons(people, number)
    for n, after in enumerate(p.spread(number, apart)):
        p.at(after, insured=persons[n], phone=phone, shop=shop if n < at_shop else -1)


def _new_policy_loss(p: Planter, days: int = 10, after: int = 0, amount: int = 20_000_000) -> None:
    p.at(-10 * HOUR + after, insured=p.new("person"), policy_days=days, amount=amount)


def _cover_raised_before(
    p: Planter, days: int = 10, after: int = 0, amount: int = 8_000_000
) -> None:
    raised = p.start // DAY - days
    p.at(-10 * HOUR + after, insured=p.new("person"), cover_raised=raised, amount=amount)


def _shop_late_night(
    p: Planter, late: int = 8, early: int = 3, first: int = 0, last: int = 6 * HOUR - 1
) -> list[int]:
    """Late ones from eleven at night on; `first` and `last` are seconds of one of them after it."""
    shop, begun = p.new_shop(), len(p.claims)
    night = [first, *(1 + p.below(6 * HOUR - 2) for _ in range(late - 2)), last]
    for n, after in enumerate(night[:late]):
        p.at(n * 3 * DAY + NIGHT + after, insured=p.new("person"), shop=shop)
    for n in range(early):
        p.at(n * 3 * DAY + p.below(12 * HOUR), insured=p.new("person"), shop=shop)
    return list(range(begun, begun + late))


def _shop_same_reporter(p: Planter, vehicles: int = 4, apart: int = MONTHS) -> None:
    """The first comes back after `apart`, the others sooner."""
    shop, phone = p.new_shop(), p.new("phone")
    for n in range(vehicles):
        car, owner = p.vehicle(luxury=True), p.new("person")
        for after in (n * DAY, n * DAY + (apart if n == 0 else 10 * DAY + p.below(MONTHS))):
            p.at(after, insured=owner, shop=shop, phone=phone, **car)


def _vehicle_many_claims(p: Planter, number: int = 5, apart: int = MONTHS) -> None:
    car, owner = p.vehicle(), p.new("person")
    for after in p.spread(number, apart):
        p.at(after, insured=owner, **car)


def _vehicle_many_plates(p: Planter, plates: int = 3, apart: int = MONTHS) -> None:
    vin, owner, borne = p.new("vin"), p.new("person"), [p.plate() for _ in range(plates)]
    for n, after in enumerate(p.spread(3, apart)):
        p.at(after, insured=owner, vin=vin, **borne[n % plates])


def _vehicle_other_drivers(
    p: Planter, number: int = 3, drivers: int = 3, apart: int = MONTHS
) -> None:
    car, owner = p.vehicle(), p.new("person")
    others = [p.new("person") for _ in range(drivers)]
    for n, after in enumerate(p.spread(number, apart)):
        p.at(after, insured=owner, driver=others[n % drivers], **car)


def window(at: int = YEAR) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the edge of a window: first and last as far apart, and a second more."""
    return {"apart": at}, {"apart": at + 1}


def _sooner(days: int) -> tuple[dict[str, int], dict[str, int]]:
    """Returns the edge of "less than so many days after a day": its last second, and the next."""
    return {"days": days - 1, "after": DAY - 1}, {"days": days, "after": 0}


def _not_before() -> tuple[dict[str, int], dict[str, int]]:
    """Returns the other edge: the first second of the day, and the last of the day before."""
    return {"days": 0, "after": 0}, {"days": -1, "after": DAY - 1}


SCHEMES = {
    "claimant-many-cities": Scheme(
        _claimant_many_cities,
        {
            "within": window(),
            "least": ({}, {"number": 5}),
            "cities": ({}, {"cities": 3}),
        },
    ),
    "driver-many-vehicles": Scheme(
        _driver_many_vehicles, {"within": window(3 * YEAR), "least": ({}, {"vehicles": 5})}
    ),
    "phone-many-insured": Scheme(
        _phone_many_insured,
        {
            "within": window(),
            "least": ({}, {"people": 5}),
            "share": ({"number": 10, "at_shop": 6}, {"number": 10, "at_shop": 7}),
        },
    ),
    "new-policy-loss": Scheme(
        _new_policy_loss,
        {
            "within": _sooner(30),
            "begin": _not_before(),
            "floor": ({"amount": 10_000_000}, {"amount": 9_999_999}),
        },
    ),
    "cover-raised-before": Scheme(
        _cover_raised_before,
        {
            "within": _sooner(30),
            "begin": _not_before(),
            "floor": ({"amount": 5_000_000}, {"amount": 4_999_999}),
        },
    ),
    "shop-late-night": Scheme(
        _shop_late_night,
        {
            "night_from": ({"first": 0}, {"first": -1}),
            "night_until": ({"last": 6 * HOUR - 1}, {"last": 6 * HOUR}),
            "least": ({}, {"late": 7}),
            "share": ({"early": 8}, {"early": 9}),
        },
    ),
    "shop-same-reporter": Scheme(
        _shop_same_reporter, {"within": window(), "least": ({}, {"vehicles": 3})}
    ),
    "vehicle-many-claims": Scheme(
        _vehicle_many_claims, {"within": window(), "least": ({}, {"number": 4})}
    ),
    "vehicle-many-plates": Scheme(
        _vehicle_many_plates, {"within": window(), "least": ({}, {"plates": 2})}
    ),
    "vehicle-other-drivers": Scheme(
        _vehicle_other_drivers,
        {
            "within": window(),
            "least": ({}, {"number": 2}),
            "drivers": ({}, {"drivers": 2}),
        },
    ),
}
