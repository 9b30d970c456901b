"""A block of claims: numbers for each column, then the Arrow table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from .cells import chosen, dates, money, numbered, timestamps
from .clock import DAY, FIRST, HOUR, SPAN
from .geography import BRANDS, CITIES, CLINICS, HOSPITALS, PLACES, ROADS
from .pools import Index, Mask, heavy, mixed
from .rings import ACCIDENT, AUTO, DELAY

if TYPE_CHECKING:
    from .plan import World

LINES = pa.array(["auto", "accident", "flight delay"])
COMPANIES = pa.array([f"insurer-{n:02d}" for n in range(1, 13)])
FLIGHTS_A_LINE = 150
_CARRIERS = ("CA", "MU", "CZ", "HU", "3U", "MF", "ZH", "SC", "FM", "GS")
FLIGHT_NUMBERS = len(_CARRIERS) * FLIGHTS_A_LINE
FLIGHTS = pa.array(
    [
        style.format(carrier, 100 + 37 * n)
        for style in ("{}{}", "{}0{}", "{} {}")
        for carrier in _CARRIERS
        for n in range(FLIGHTS_A_LINE)
    ]
)
"""Each flight number in three spellings: as it should be, with a leading zero, with a space."""

FIELDS = (
    *("line", "insured", "driver", "claimant", "phone", "plate", "vin", "time", "policy_days"),
    *("place", "shop", "hospital", "flight", "amount", "company"),
)


def numbers(world: World, rows: Index, rng: np.random.Generator) -> dict[str, Index]:
    """Returns for each field the number of each row, rings not yet laid over; -1 for none."""
    count = len(rows)
    planted = world.claims.planted(rows, world.pools, rng)
    vehicle_planted = (planted["plate"] >= 0) | (planted["vin"] >= 0)
    line = np.searchsorted((0.70, 0.92), rng.random(count), side="right")
    line = np.where(vehicle_planted, AUTO, line)
    auto = line == AUTO
    vehicle = heavy(rng, count, world.plates.pool.own)
    time = FIRST + rng.integers(0, SPAN, count)
    joint = (planted["person"] >= 0) & (planted["person"] < world.people.pool.joint)
    soon = joint_time(planted["person"]) + rng.integers(HOUR // 2, 6 * HOUR, count)
    city = rng.integers(0, len(CITIES), count)
    shop = np.where(auto, city * len(BRANDS) + heavy(rng, count, len(BRANDS)), -1)
    u = rng.random(count)
    fen = 30_000 + (u * u * u * u * np.array((9e6, 4e6, 2e5))[line]).astype(np.int64)
    people = _people(world, planted["person"], auto, rng)
    return {
        "line": line,
        **people,
        "phone": _phones(world, planted["phone"], people["insured"], shop, rng),
        "plate": _replaced(
            np.where(auto, world.plates.pool.own_start + vehicle, -1), planted["plate"]
        ),
        "vin": _replaced(
            np.where(auto & (rng.random(count) > 0.05), world.vins.pool.own_start + vehicle, -1),
            planted["vin"],
        ),
        "time": np.where(joint, soon, time),
        "policy_days": rng.integers(1, 366, count),
        "place": city * len(ROADS) + rng.integers(0, len(ROADS), count),
        "shop": shop,
        "hospital": np.where(
            (line == ACCIDENT) | (auto & (rng.random(count) < 0.2)),
            city * len(CLINICS) + rng.integers(0, len(CLINICS), count),
            -1,
        ),
        "flight": np.where(line == DELAY, rng.integers(0, 1 << 30, count), -1),
        "amount": fen,
        "company": rng.integers(0, len(COMPANIES), count),
    }


def joint_time(person: Index) -> Index:
    """The moment of the police record of a joint identity; its claims follow within six hours."""
    return FIRST + mixed(person, 2) % (SPAN - DAY)


def _people(world: World, planted: Index, auto: Mask, rng: np.random.Generator) -> dict[str, Index]:
    """A planted person stands in one of the three columns, and in those that name the same one."""
    count, pool = len(planted), world.people.pool
    insured, driver, claimant = (pool.own_start + heavy(rng, count, pool.own) for _ in range(3))
    # Insured in 60 % of the rows, driver in 25 % (where the row has one), claimant in 15 %.
    column = np.searchsorted((0.60, 0.85), rng.random(count), side="right")
    column = np.where(~auto & (column == 1), 0, column)
    insured = np.where((planted >= 0) & (column == 0), planted, insured)
    driver = np.where(rng.random(count) < 0.6, insured, driver)
    driver = np.where(auto & (rng.random(count) > 0.08), driver, -1)
    driver = np.where((planted >= 0) & (column == 1), planted, driver)
    claimant = np.where(rng.random(count) < 0.8, insured, claimant)
    claimant = np.where(rng.random(count) > 0.1, claimant, -1)
    claimant = np.where((planted >= 0) & (column == 2), planted, claimant)
    return {"insured": insured, "driver": driver, "claimant": claimant}


def _phones(
    world: World, planted: Index, insured: Index, shop: Index, rng: np.random.Generator
) -> Index:
    """The insured person's own phone, or in a quarter of the repairs that of the shop."""
    pool = world.phones.pool
    own = pool.own_start + mixed(insured, 3) % pool.own
    of_shop = pool.own_start + mixed(shop, 4) % pool.own
    phone = np.where((shop >= 0) & (rng.random(len(shop)) < 0.25), of_shop, own)
    return _replaced(np.where(rng.random(len(shop)) > 0.03, phone, -1), planted)


def _replaced(ids: Index, planted: Index) -> Index:
    return np.where(planted >= 0, planted, ids)


def table(
    world: World,
    rows: Index,
    fields: dict[str, Index],
    texts: dict[str, pa.StringArray],
    rng: np.random.Generator,
) -> pa.Table:
    """Builds the block; `texts` holds the soiled identifiers by column name."""
    f = fields
    delay = f["line"] == DELAY
    spelling = np.searchsorted((0.85, 0.95), rng.random(len(rows)), side="right")
    return pa.table(
        {
            "claim_no": numbered("CL", rows, 10),
            "policy_no": numbered("PN", mixed(f["insured"] * 3 + f["line"], 5) % 10**12, 12),
            "company": chosen(COMPANIES, f["company"]),
            "line": chosen(LINES, f["line"]),
            "insured_name": world.people.names(f["insured"]),
            "insured_id": texts["insured_id"],
            "driver_name": world.people.names(f["driver"]),
            "driver_id": texts["driver_id"],
            "claimant_name": world.people.names(f["claimant"]),
            "claimant_id": texts["claimant_id"],
            "report_phone": texts["report_phone"],
            "plate": texts["plate"],
            "vin": texts["vin"],
            "flight_no": chosen(
                FLIGHTS,
                np.where(delay, f["flight"] % FLIGHT_NUMBERS + spelling * FLIGHT_NUMBERS, -1),
            ),
            "flight_date": dates(np.where(delay, f["time"] // DAY, -1)),
            "policy_start": dates(f["time"] // DAY - f["policy_days"]),
            "accident_time": timestamps(f["time"]),
            "accident_place": chosen(PLACES, f["place"]),
            "repair_shop": chosen(world.shops, f["shop"]),
            "hospital": chosen(HOSPITALS, f["hospital"]),
            "amount": money(f["amount"]),
        }
    )
