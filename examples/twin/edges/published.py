"""Claims with the figures of published reports, for each rule whose source gives any.

Those of the eight kinds of ring stand in `schemes`; `ring_rules` has what rules say of them.
Where a report counts more insurers than the twin has, there are as many as it has.
"""

from __future__ import annotations

from collections.abc import Callable

from ..claims import COMPANIES, FLIGHT_NUMBERS
from ..clock import DAY, FIRST, HOUR
from ..geography import CITIES
from .accident import clinic
from .scheme import Planter

INSURERS = len(COMPANIES)


def _arong_banner(p: Planter) -> None:
    """One person at 8 insurers, stays of over 20 days, policies within a short period."""
    begun, person, hospital = p.begin("accident", "arong-banner"), p.new("person"), clinic(p)
    for n in range(8):
        after = n * 3 * DAY
        nights = 21 + p.below(20)
        p.at(after, insured=person, company=n, policy_days=25, hospital=hospital, nights=nights)
    for rule in ("long-stays", "new-policy-losses", "person-many-companies"):
        p.expect(rule, "lead", "published", range(begun, begun + 8))


def _arong_banner_one_accident(p: Planter) -> None:
    """One accident of one person is claimed at 8 insurers."""
    begun, person = p.begin("accident", "arong-banner-one-accident"), p.new("person")
    for n in range(8):
        p.at(0, insured=person, company=n, policy_days=60 + n)
    for rule in ("same-loss-many-companies", "person-many-companies"):
        p.expect(rule, "lead", "published", range(begun, begun + 8))


def _guangxi(p: Planter) -> None:
    """57 people at many insurers, each with accidents elsewhere; one collects, by one account."""
    begun, account = p.begin("accident", "guangxi"), p.new_account()
    collector, phone = p.new("person"), p.new("phone")
    people = [p.new("person") for _ in range(57)]
    for n, person in enumerate(people):
        p.at(
            n * 6 * DAY + p.below(DAY),
            city=p.below(len(CITIES)),
            insured=person,
            claimant=collector,
            phone=phone,
            account=account,
            company=n % INSURERS,
        )
    for rule in ("account-many-insured", "collector-many-insured", "phone-many-insured"):
        p.expect(rule, "lead", "published", range(begun, begun + 57))


def _sas(p: Planter) -> None:
    """89 claims of strangers from one phone."""
    begun, phone = p.begin("accident", "sas"), p.new("phone")
    for n in range(89):
        p.at(n * 4 * DAY, insured=p.new("person"), phone=phone, city=p.below(len(CITIES)))
    p.expect("phone-many-insured", "lead", "published", range(begun, begun + 89))


def _qingdao_plates(p: Planter) -> None:
    """36 claims in 11 provinces under forged plates: here one vehicle, a plate a province."""
    begun, vin = p.begin("auto", "qingdao-plates"), p.new("vin")
    plates = [p.new("plate") for _ in range(11)]
    for n in range(36):
        p.at(n * 10 * DAY, insured=p.new("person"), vin=vin, plate=plates[n % 11])
    p.expect("vehicle-many-plates", "lead", "published", range(begun, begun + 36))


def _shanghai_one_car(p: Planter) -> None:
    """Of nine cars with 16 accidents in a year at 8 insurers, one: here with all the accidents."""
    begun, car, owner = p.begin("auto", "shanghai-one-car"), p.vehicle(luxury=True), p.new("person")
    drivers = [p.new("person") for _ in range(5)]  # the driver was not the owner
    for n in range(16):
        p.at(n * 22 * DAY, insured=owner, driver=drivers[n % 5], company=n % 8, **car)
    for rule in ("vehicle-many-claims", "vehicle-other-drivers"):
        p.expect(rule, "lead", "published", range(begun, begun + 16))


def _nanjing_one_flight(p: Planter) -> None:
    """35 policies of one identity on one flight, whose tickets were given back before take-off."""
    begun, person = p.begin("flight_delay", "nanjing-one-flight"), p.new("person")
    phone, flight, leaves = p.new("phone"), p.below(FLIGHT_NUMBERS), p.start - 3 * HOUR
    for n in range(35):
        p.at(
            0,
            insured=person,
            phone=phone,
            flight=flight,
            company=n % INSURERS,
            departure=leaves,
            refunded=leaves - HOUR - p.below(DAY),
        )
    for rule in (
        "flight-one-reporter",
        "person-many-companies",
        "person-many-policies",
        "refunded-before-departure",
    ):
        p.expect(rule, "lead", "published", range(begun, begun + 35))


def _nanjing_one_account(p: Planter) -> None:
    """Payouts of 20 identities go to one account."""
    begun, account = p.begin("flight_delay", "nanjing-one-account"), p.new_account()
    for n in range(20):
        fields = {"account": account, "company": n % INSURERS, "flight": p.below(FLIGHT_NUMBERS)}
        p.at(n * 15 * DAY, insured=p.new("person"), **fields)
    p.expect("account-many-insured", "lead", "published", range(begun, begun + 20))


def _nanjing_many_flights(p: Planter) -> None:
    """900 flights of 20 identities are 45 of each, here in four years; the last 12 are in one."""
    begun, person = p.begin("flight_delay", "nanjing-many-flights"), p.new("person")
    p.start, first = FIRST + p.below(20 * DAY), p.below(FLIGHT_NUMBERS)
    for n in range(45):
        p.at(
            n * 32 * DAY, insured=person, flight=(first + n) % FLIGHT_NUMBERS, company=n % INSURERS
        )
    p.expect("person-many-delays", "lead", "published", range(begun + 33, begun + 45))


PUBLISHED: tuple[Callable[[Planter], None], ...] = (
    _arong_banner,
    _arong_banner_one_accident,
    _guangxi,
    _sas,
    _qingdao_plates,
    _shanghai_one_car,
    _nanjing_one_flight,
    _nanjing_one_account,
    _nanjing_many_flights,
)
