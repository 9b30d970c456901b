"""Edges of the rules on accident insurance.

The numbers are the defaults of the pack `accident`; where it names a source, they are its.
"""

from __future__ import annotations

from ..clock import DAY, HOUR
from ..geography import CITIES, CLINICS
from .auto import YEAR, window
from .auto_records import case_many_claims
from .scheme import Planter, Scheme

WEEKS = 100 * DAY
"""Well inside of the windows of half a year and more."""


def _account_many_insured(p: Planter, people: int = 4, apart: int = WEEKS) -> None:
    account = p.new_account()
    for person, after in zip(p.persons(people, 4), p.spread(4, apart), strict=True):
        p.at(after, insured=person, account=account)


def _collector_many_insured(p: Planter, people: int = 4, apart: int = WEEKS) -> None:
    collector = p.new("person")
    for person, after in zip(p.persons(people, 4), p.spread(4, apart), strict=True):
        p.at(after, insured=person, claimant=collector)


def _hospital_one_reporter(p: Planter, people: int = 4, apart: int = WEEKS) -> None:
    hospital, phone = clinic(p), p.new("phone")
    for person, after in zip(p.persons(people, 4), p.spread(4, apart), strict=True):
        p.at(after, insured=person, phone=phone, hospital=hospital)


def _long_stays(p: Planter, number: int = 3, nights: int = 20, apart: int = WEEKS) -> None:
    """The first is of `nights`, the others are longer."""
    person, hospital = p.new("person"), clinic(p)
    for n, after in enumerate(p.spread(number, apart)):
        p.at(after, insured=person, hospital=hospital, nights=nights if n == 0 else 21 + p.below(9))


def _new_policy_losses(p: Planter, number: int = 3, days: int = 12, second: int = 0) -> None:
    """The first is `days` after its policy began, at `second` of the day; others are sooner."""
    person = p.new("person")
    for n in range(number):
        after = -10 * HOUR + (second if n == 0 else n * 40 * DAY + p.below(DAY))
        p.at(after, insured=person, policy_days=days if n == 0 else 1 + p.below(20))


def _person_many_cities(p: Planter, cities: int = 3, apart: int = WEEKS) -> None:
    person = p.new("person")
    for n, after in enumerate(p.spread(3, apart)):
        p.at(after, city=(p.city + n % cities) % len(CITIES), insured=person)


def _person_many_companies(p: Planter, companies: int = 3, days: int = 60) -> None:
    """Policies begin `days` apart; accidents come two years later, days apart."""
    person = p.new("person")
    for n, begun in enumerate((0, days, days // 2)):
        policy_days = 700 + 2 * n - begun
        p.at(2 * n * DAY, insured=person, company=n % companies, policy_days=policy_days)


def _phone_many_insured(p: Planter, people: int = 5, apart: int = WEEKS) -> None:
    phone = p.new("phone")
    for person, after in zip(p.persons(people, 5), p.spread(5, apart), strict=True):
        p.at(after, insured=person, phone=phone)


def _same_loss_many_companies(p: Planter, companies: int = 3, apart: int = 5 * HOUR) -> None:
    """The policies began long apart, so that only the accident is one."""
    person = p.new("person")
    for n, after in enumerate(p.spread(3, apart)):
        p.at(after, insured=person, company=n % companies, policy_days=300 + 150 * n)


def clinic(p: Planter) -> int:
    """Returns a hospital of the group's city."""
    return p.city * len(CLINICS) + p.below(len(CLINICS))


SCHEMES = {
    "account-many-insured": Scheme(
        _account_many_insured, {"within": window(), "least": ({}, {"people": 3})}
    ),
    "case-many-claims": Scheme(case_many_claims, {"least": ({}, {"number": 2})}),
    "collector-many-insured": Scheme(
        _collector_many_insured, {"within": window(), "least": ({}, {"people": 3})}
    ),
    "hospital-one-reporter": Scheme(
        _hospital_one_reporter, {"within": window(180 * DAY), "least": ({}, {"people": 3})}
    ),
    "long-stays": Scheme(
        _long_stays,
        {
            "within": window(YEAR),
            "least": ({}, {"number": 2}),
            "nights": ({"nights": 20}, {"nights": 19}),
        },
    ),
    "new-policy-losses": Scheme(
        _new_policy_losses,
        {
            "within": ({"days": 29, "second": DAY - 1}, {"days": 30, "second": 0}),
            "begin": ({"days": 0, "second": 0}, {"days": -1, "second": DAY - 1}),
            "least": ({}, {"number": 2}),
        },
    ),
    "person-many-cities": Scheme(
        _person_many_cities, {"within": window(180 * DAY), "least": ({}, {"cities": 2})}
    ),
    "person-many-companies": Scheme(
        _person_many_companies,
        {"within": ({"days": 90}, {"days": 91}), "least": ({}, {"companies": 2})},
    ),
    "phone-many-insured": Scheme(
        _phone_many_insured, {"within": window(), "least": ({}, {"people": 4})}
    ),
    "same-loss-many-companies": Scheme(
        _same_loss_many_companies, {"within": window(DAY), "least": ({}, {"companies": 2})}
    ),
}
