"""The kinds of ring, after those that published reports describe.

Numbers in brackets are those of the report; some are made smaller here. Where no number stands, the
kind is plausible but no report gives figures.
"""

from __future__ import annotations

import numpy as np

from .clock import DAY, HOUR
from .geography import BRANDS, CITIES, CLINICS, PROVINCES
from .rings import (
    ACCIDENT,
    DELAY,
    RECORD_ACCIDENT,
    RECORD_CASE,
    RECORD_DRUNK,
    RECORD_THEFT,
    RECORD_VIOLATION,
    Maker,
)


def plant_rings(maker: Maker, groups: int) -> None:
    """Makes every kind of ring once a group."""
    for maker.group in range(groups):
        for maker.name, ring in RINGS.items():
            ring(maker)


def _one_shop_nine_cars(maker: Maker) -> None:
    """One shop, nine luxury cars, 16 accidents in a year, one report phone (Shanghai, 2025)."""
    city, phone = maker.below(len(CITIES)), maker.new("phone")
    shop = city * len(BRANDS) + maker.below(len(BRANDS))
    cars, drivers = (
        [maker.vehicle(luxury=True) for _ in range(9)],
        [maker.new("person") for _ in range(5)],
    )
    start = maker.moment()
    for n in range(16):
        owner, driver = drivers[n % 5], drivers[(n + 2) % 5]  # the driver is not the owner
        maker.claim(
            start + n * 22 * DAY,
            city,
            insured=owner,
            driver=driver,
            claimant=owner,
            phone=phone,
            shop=shop,
            amount=15_000_000 + maker.below(10_000_000),
            **cars[n % 9],
        )
    for car, driver in zip(cars[:6], (*drivers, drivers[0]), strict=True):
        maker.record(RECORD_ACCIDENT, start + maker.below(300) * DAY, city, person=driver, **car)


def _one_driver_many_plates(maker: Maker) -> None:
    """One driver, 13 cars of other people, 26 accidents in three years (Zhenhai)."""
    city, driver = maker.below(len(CITIES)), maker.new("person")
    start, phone = maker.moment(), maker.new("phone")
    for n in range(13):
        car, owner = maker.vehicle(), maker.new("person")
        for again in range(2):
            maker.claim(
                start + (n * 27 + again * 351) * DAY,
                city,
                insured=owner,
                driver=driver,
                claimant=driver,
                phone=phone,
                **car,
            )
        if n % 3 == 0:
            maker.record(RECORD_VIOLATION, start + n * 27 * DAY, city, person=driver, **car)


def _family_many_places(maker: Maker) -> None:
    """A family insured at many companies, each claim in another place (Guangxi: 57 people)."""
    phone, start = maker.new("phone"), maker.moment()
    family = [maker.new("person") for _ in range(12)]
    for n, member in enumerate(family):
        for company in range(3):
            city = maker.below(len(CITIES))
            maker.claim(
                start + (n * 9 + company) * DAY,
                city,
                line=ACCIDENT,
                insured=member,
                claimant=family[0],
                phone=phone,
                company=(n + company * 4) % 12,
                policy_days=25,
                hospital=city * len(CLINICS) + maker.below(len(CLINICS)),
            )
    for member in family[:4]:
        maker.record(RECORD_CASE, start + 400 * DAY, 0, person=member, phone=phone)


def _one_phone_many_claimants(maker: Maker) -> None:
    """One report phone behind the claims of many strangers (89 claims in the report; here 24)."""
    phone, start, city = maker.new("phone"), maker.moment(), maker.below(len(CITIES))
    for n in range(24):
        person = maker.new("person")
        maker.claim(
            start + n * 11 * DAY,
            city,
            insured=person,
            driver=person,
            claimant=person,
            phone=phone,
            **maker.vehicle(),
        )
    maker.record(RECORD_CASE, start + 300 * DAY, city, person=maker.new("person"), phone=phone)


def _one_injured_many_provinces(maker: Maker) -> None:
    """One injured person, 36 claims, 11 provinces, plates that are forged (Qingdao)."""
    injured, start, phone = maker.new("person"), maker.moment(), maker.new("phone")
    ends = np.cumsum([len(province.cities) for province in PROVINCES])
    cities = [int(ends[p]) - 1 for p in range(11)]
    for n in range(36):
        city, car = cities[n % 11], maker.vehicle()
        maker.claim(
            start + n * 10 * DAY,
            city,
            insured=maker.new("person"),
            driver=maker.new("person"),
            claimant=injured,
            phone=phone,
            plate=car["plate"],
            hospital=city * len(CLINICS) + maker.below(len(CLINICS)),
        )
        if n % 12 == 0:
            maker.record(
                RECORD_CASE, start + n * 10 * DAY, city, person=injured, plate=car["plate"]
            )


def _drunk_driving_before(maker: Maker) -> None:
    """A record of drunk driving one to five hours before the accident; another driver is named."""
    for _ in range(4):
        owner, sober = maker.new("person"), maker.new("person")
        car, city, time = maker.vehicle(), maker.below(len(CITIES)), maker.moment()
        maker.record(RECORD_DRUNK, time, city, person=owner, **car)
        maker.claim(
            time + HOUR + maker.below(4 * HOUR),
            city,
            insured=owner,
            driver=sober,
            claimant=owner,
            phone=maker.new("phone"),
            **car,
        )


def _reported_stolen_before(maker: Maker) -> None:
    """A claim for an accident two to thirty days after the vehicle was reported stolen."""
    for _ in range(4):
        owner, car, city = maker.new("person"), maker.vehicle(), maker.below(len(CITIES))
        time, phone = maker.moment(), maker.new("phone")
        maker.record(RECORD_THEFT, time, city, person=owner, phone=phone, **car)
        maker.claim(
            time + 2 * DAY + maker.below(28 * DAY),
            city,
            insured=owner,
            driver=maker.new("person"),
            claimant=owner,
            phone=phone,
            **car,
        )


def _one_flight_many_policies(maker: Maker) -> None:
    """Forty delay policies of five identities on one flight, one phone (Nanjing)."""
    phone, time, city = maker.new("phone"), maker.moment(), maker.below(len(CITIES))
    flight, group = maker.below(1 << 30), [maker.new("person") for _ in range(5)]
    for n in range(40):
        maker.claim(
            time,
            city,
            line=DELAY,
            insured=group[n % 5],
            claimant=group[n % 5],
            phone=phone,
            flight=flight,
            company=n % 12,
            policy_days=1 + n % 3,
            amount=50_000,
        )
    for n, person in enumerate(group):
        maker.record(
            RECORD_CASE,
            time + 200 * DAY,
            city,
            person=person,
            phone=phone if n == 0 else -1,
            flight=flight,
            flight_day=time // DAY,
            passport=maker.below(10**8),
        )


RINGS = {
    "one-shop-nine-cars": _one_shop_nine_cars,
    "one-driver-many-plates": _one_driver_many_plates,
    "family-many-places": _family_many_places,
    "one-phone-many-claimants": _one_phone_many_claimants,
    "one-injured-many-provinces": _one_injured_many_provinces,
    "drunk-driving-before": _drunk_driving_before,
    "reported-stolen-before": _reported_stolen_before,
    "one-flight-many-policies": _one_flight_many_policies,
}

GROUPS = (
    "one-shop-nine-cars",
    "one-driver-many-plates",
    "family-many-places",
    "one-phone-many-claimants",
    "one-injured-many-provinces",
)
"""Rings that things tie; of the others each claim stands alone, or its flight ties it."""
