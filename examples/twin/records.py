"""A block of police records: numbers for each column, then the Arrow table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from .cells import chosen, dates, numbered, timestamps
from .claims import FLIGHTS, joint_time
from .clock import DAY, FIRST, SPAN
from .geography import CITIES, CREWS, PLACES, ROADS, STATIONS
from .plan import World
from .pools import Index, heavy, mixed
from .rings import RECORD_CASE

TYPES = pa.array(["accident", "violation", "theft", "drunk driving", "case", "impound"])
FIELDS = (
    *("type", "person", "phone", "plate", "vin", "time"),
    *("place", "station", "passport", "flight", "flight_day"),
)
# Per type: the shares of records that name a person, a phone, a plate, a VIN.
_FILLED = {
    "person": (0.95, 0.70, 0.80, 1.00, 0.95),
    "phone": (0.80, 0.10, 0.90, 0.70, 0.85),
    "plate": (0.98, 1.00, 0.70, 0.95, 0.15),
    "vin": (0.60, 0.05, 0.90, 0.50, 0.10),
}


def numbers(world: World, rows: Index, rng: np.random.Generator) -> dict[str, Index]:
    """Returns for each field the number of each row, rings not yet laid over; -1 for none."""
    count = len(rows)
    planted = world.records.planted(rows, world.pools, rng)
    type_ = np.searchsorted((0.35, 0.85, 0.89, 0.93), rng.random(count), side="right")
    person = heavy(rng, count, world.people.pool.their)
    vehicle = heavy(rng, count, world.plates.pool.their)
    own = {
        "person": world.people.pool.their_start + person,
        "phone": world.phones.pool.their_start + mixed(person, 6) % world.phones.pool.their,
        "plate": world.plates.pool.their_start + vehicle,
        "vin": world.vins.pool.their_start + vehicle,
    }
    ids = {
        kind: np.where(
            planted[kind] >= 0,
            planted[kind],
            np.where(rng.random(count) < np.array(_FILLED[kind])[type_], own[kind], -1),
        )
        for kind in own
    }
    time = FIRST + rng.integers(0, SPAN, count)
    joint = (planted["person"] >= 0) & (planted["person"] < world.people.pool.joint)
    city = rng.integers(0, len(CITIES), count)
    # One case in fifty is about flights: it names a flight and a passport.
    aloft = (type_ == RECORD_CASE) & (rng.random(count) < 0.02)
    return {
        "type": type_,
        **ids,
        "time": np.where(joint, joint_time(planted["person"]), time),
        "place": city * len(ROADS) + rng.integers(0, len(ROADS), count),
        "station": city * len(CREWS) + rng.integers(0, len(CREWS), count),
        "passport": np.where(aloft, rng.integers(0, 10**8, count), -1),
        "flight": np.where(aloft, rng.integers(0, 1 << 30, count), -1),
        "flight_day": np.where(aloft, time // DAY, -1),
    }


def table(
    world: World,
    rows: Index,
    fields: dict[str, Index],
    texts: dict[str, pa.StringArray],
    rng: np.random.Generator,
) -> pa.Table:
    """Builds the block; `texts` holds the soiled identifiers by column name."""
    f = fields
    flights = len(FLIGHTS) // 3
    cases = numbered("A", mixed(rows, 7) % 10**18, 18)
    passports = numbered("E", np.maximum(f["passport"], 0), 8)
    here = np.arange(len(rows))
    return pa.table(
        {
            "record_no": numbered("RC", rows, 10),
            "record_type": chosen(TYPES, f["type"]),
            "case_no": chosen(cases, np.where(f["type"] == RECORD_CASE, here, -1)),
            "station": chosen(STATIONS, f["station"]),
            "person_name": world.people.names(f["person"]),
            "person_id": texts["person_id"],
            "phone": texts["phone"],
            "plate": texts["plate"],
            "vin": texts["vin"],
            "event_time": timestamps(f["time"]),
            "place": chosen(PLACES, f["place"]),
            "passport": chosen(passports, np.where(f["passport"] >= 0, here, -1)),
            "flight_no": chosen(FLIGHTS, np.where(f["flight"] >= 0, f["flight"] % flights, -1)),
            "flight_date": dates(f["flight_day"]),
        }
    )
