"""A count tells the receiver a number and the sender nothing: of no element is anything told.

Each side's view is compared with what a simulator of its peer says (`reference.count`), which knows
size classes, the number for the receiver, and no element. What is determined is compared exactly:
who says what, of which length, with which fields and relations. What is to look random is compared
by statistics of many runs and many simulations. All entropy is fixed, so a test that passes does so
each time; bounds are such that chance would have exceeded one with less than 2^-20. The same
comparisons must find each protocol that tells more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from functools import cache
from itertools import combinations
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pytest
from counting_views import COMMON, SIZE, STEP, TAG, TOTAL, View, real, sets, simulated
from reference import curve25519
from wiretap import RECEIVER, SENDER

from psi import Elements, Output, _core
from psi.parameters import Role
from psi.protocols import PROTOCOLS
from psi.protocols import dh as protocol
from psi.subprotocols import bins, decoys, entries
from psi.subprotocols.decoys import SHARED

RUNS = 16
"""Of each kind: views of 128 points or entries each."""
ROLES = pytest.mark.parametrize("role", [RECEIVER, SENDER], ids=["receiver", "sender"])
Real: TypeAlias = Callable[[Role, int], View]


@pytest.fixture(autouse=True)
def _several_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bins, "MESSAGE", 32 * STEP)
    monkeypatch.setattr(bins, "BIN", STEP)


@cache
def views(role: Role) -> list[View]:
    """Of honest runs; each of other elements."""
    return [real(role, run, names=f"run {run} ") for run in range(RUNS)]


@cache
def simulations(role: Role) -> list[View]:
    return [simulated(role, run) for run in range(RUNS)]


# --- what is determined


class Facts(NamedTuple):
    """What must be the same in every view of a side, real or simulated.

    Attributes:
        ends: what it learns, or how it stops.
        shape: of the messages.
        public: what is said in them.
        ascending: whether entries stand in the order of their tags, and none twice.
        points: whether points are distinct and on the curve.
        matching: answers that are among the entries.
        shared: tags told of shared decoys that are among answers and among entries.
        own: of the receiver's own decoys, likewise.
        decoys: distinct tags of decoys.
    """

    ends: object
    shape: list[tuple[str, int]]
    public: list[object]
    ascending: bool
    points: bool
    matching: int = 0
    shared: tuple[int, int] = (0, 0)
    own: tuple[int, int] = (0, 0)
    decoys: int = 0


def facts(role: Role, view: View) -> Facts:
    ends = view.result and view.result._replace(matches=None) if not view.error else view.error
    message = "evaluated_bin" if role is RECEIVER else "blinded_bin"
    points = view.rows(message, "points", 32)
    # Of points of the twist, or not in their smallest form, there would be half of all.
    sound = all(
        curve25519.encode(curve25519.decode(u)) == u and curve25519.on_curve(curve25519.decode(u))
        for u in points[:: TOTAL // 16]
    )
    tags = view.entries
    told = Facts(
        ends=str(ends),
        shape=view.shape,
        public=view.public,
        ascending=tags == sorted(set(tags)),
        points=sound and len(set(points)) == len(points),
    )
    if role is SENDER:
        return told
    answers, listed = set(view.answers), set(tags)
    shared, own = (view.rows("decoy_tags", name, TAG) for name in ("shared", "receivers"))
    return told._replace(
        matching=len(view.matching),
        shared=(len(answers & {*shared}), len(listed & {*shared})),
        own=(len(answers & {*own}), len(listed & {*own})),
        decoys=len({*shared, *own}),
    )


@ROLES
def test_what_is_determined_of_a_view_is_that_of_a_simulation(role: Role) -> None:
    due = facts(role, simulations(role)[0])
    for view in (*views(role), *simulations(role)):
        assert facts(role, view) == due
    if role is RECEIVER:
        assert simulations(role)[0].result.cardinality == COMMON
        assert due.matching == COMMON + SHARED
        assert due.shared == (SHARED, SHARED)
        assert due.own == (decoys.OWN, 0)


@pytest.mark.parametrize("common", [0, 1, SIZE])
def test_the_simulator_needs_no_more_than_the_number(common: int) -> None:
    assert simulated(RECEIVER, 0, common).result.cardinality == common


def test_only_one_protocol_tells_a_number_alone() -> None:
    """Another that does needs simulators of its own, here."""
    able = [name for name, each in PROTOCOLS.items() if Output.CARDINALITY in each.outputs]
    assert able == ["dh"]


# --- what is to look random

Numbers: TypeAlias = npt.NDArray[Any]


def spread(views: Sequence[View], message: str, name: str, width: int) -> Numbers:
    """All first and last bytes of rows, which no encoding bounds, by value."""
    rows = [row for view in views for row in view.rows(message, name, width)]
    return np.bincount([byte for row in rows for byte in row[: width - 1]], minlength=256)


def chi_square(ours: Numbers, theirs: Numbers) -> float:
    """How far two histograms are from one law, in deviations (Numerical Recipes, 14.3)."""
    weight = np.sqrt(theirs.sum() / ours.sum())
    both = ours + theirs
    used = both > 0
    distance = ((ours * weight - theirs / weight) ** 2)[used] / both[used]
    freedom = int(used.sum()) - 1
    return float((distance.sum() - freedom) / np.sqrt(2 * freedom))


def kolmogorov(ours: Numbers, theirs: Numbers) -> float:
    """The largest gap of two empirical laws, scaled; above 2.7 with 2 exp(-2 x 2.7^2) < 2^-20."""
    every = np.sort(np.concatenate([ours, theirs]))
    gaps = [np.searchsorted(np.sort(each), every, "right") / len(each) for each in (ours, theirs)]
    scale = np.sqrt(len(ours) * len(theirs) / (len(ours) + len(theirs)))
    return float(np.abs(gaps[0] - gaps[1]).max() * scale)


def correlation(ours: Sequence[int], theirs: Sequence[int]) -> float:
    """Of ranks, in deviations; 0 if they have nothing to do with each other."""
    ranks = [np.argsort(np.argsort(each)) for each in (ours, theirs)]
    return float(np.corrcoef(*ranks)[0, 1] * np.sqrt(len(ours) - 1))


def distances(role: Role, views: Sequence[View], others: Sequence[View]) -> dict[str, float]:
    """How far apart some runs and some simulations are, in each way of looking, in deviations.

    Where the law is known exactly, runs are compared with it and not with simulations.
    """
    if role is SENDER:
        seen = ("blinded_bin", "points", 32)
        counts = spread(views, *seen), spread(others, *seen)
        return {"bytes of points": chi_square(*counts)}
    told: dict[str, float] = {}
    for name, seen in {
        "bytes of points": ("evaluated_bin", "points", 32),
        "bytes of tags": ("decoy_tags", "shared", TAG),
        "bytes of other decoys' tags": ("decoy_tags", "receivers", TAG),
    }.items():
        told[name] = chi_square(spread(views, *seen), spread(others, *seen))
    # Entries ascend, so their places are known; what they have beside it is in the last bytes.
    told["last bytes of entries"] = chi_square(
        *(
            np.bincount([tag[-1] for view in each for tag in view.entries], minlength=256)
            for each in (views, others)
        )
    )
    told["places of answers that match"] = 2 * kolmogorov(
        *(np.concatenate([view.matching for view in each]) for each in (views, others))
    )
    told["places of entries that match"] = 2 * kolmogorov(
        *(np.concatenate([matched(view) for view in each]) for each in (views, others))
    )
    told["matches where they were asked"] = sum(map(linked, views)) / np.sqrt(len(views))
    told["order of decoys"] = sum(correlation(each.asked, each.answered) for each in views)
    told["order of decoys"] /= np.sqrt(len(views))
    # Each is answered at the place where it was asked with one in TOTAL.
    stay = [a == b for view in views for a, b in zip(view.asked, view.answered, strict=True)]
    told["decoys that stay"] = (sum(stay) - len(stay) / TOTAL) / np.sqrt(len(stay) / TOTAL)
    # And the answer of its neighbour is next to its own no more often.
    near = [abs(b - a) == 1 for view in views for a, b in zip(*neighbours(view), strict=True)]
    told["decoys that stay neighbours"] = (sum(near) - 2 * len(near) / TOTAL) / np.sqrt(
        2 * len(near) / TOTAL + 1
    )
    return told


def matched(view: View) -> list[int]:
    """Places of the entries that match, among all."""
    answers = set(view.answers)
    return [place for place, tag in enumerate(view.entries) if tag in answers]


def linked(view: View) -> float:
    """How many answers that match came where a match was asked about, in deviations.

    Which elements match, the receiver of these tests knows. Of n places k were asked about and k
    answered, and if nothing links them, k x k / n are the same.
    """
    asked = view.tape.order[SIZE - COMMON : SIZE + SHARED]
    n, k = TOTAL, len(asked)
    here = len({*asked} & {*view.matching})
    return float((here - k * k / n) / (k * (n - k) / n / np.sqrt(n - 1)))


def neighbours(view: View) -> tuple[list[int], list[int]]:
    """Where two decoys were answered that were asked about next to each other."""
    answers = dict(zip(view.asked, view.answered, strict=True))
    pairs = [place for place in answers if place + 1 in answers]
    return [answers[place] for place in pairs], [answers[place + 1] for place in pairs]


FAR = 6.0
"""Deviations: a normal number is farther with 2^-28. The root of a chi-square's law is heavier; of
255 degrees it is that far with 2^-22. Gaps of `kolmogorov` are counted twice: 3 is there 2^-25."""


@ROLES
def test_no_statistic_tells_runs_from_simulations(role: Role) -> None:
    told = distances(role, views(role), simulations(role))
    assert {name: far for name, far in told.items() if abs(far) > FAR} == {}


def repeated(views: Sequence[View], width: int = 8) -> int:
    """How many strings of so many bytes are in two views, at whatever place."""
    seen = [
        {field[at : at + width] for field in view.random for at in range(len(field) - width + 1)}
        for view in views
    ]
    return sum(len(first & second) for first, second in combinations(seen, 2))


@ROLES
@pytest.mark.parametrize("names", ["one set", "several"])
def test_nothing_is_repeated_between_runs_of_one_set_or_several(role: Role, names: str) -> None:
    """In none of the views, real or simulated, are eight bytes those of another."""
    same = [real(role, run) for run in range(100, 106)]
    assert repeated(same if names == "one set" else views(role)[:6]) == 0
    assert repeated(simulations(role)[:6]) == 0


def test_the_order_of_entries_tells_nothing_of_the_order_of_elements() -> None:
    """With the sender's own randomness one can say which entry is of which element."""
    far = []
    for run, view in enumerate(views(RECEIVER)):
        stream = _core.Entropy.from_seed_for_tests(bytes([2, run]).ljust(32, b"\0"))
        stream.bytes(64)
        key, outputs = _core.Key.draw(stream), _core.Outputs()
        elements = bytes(Elements.hash(sets(f"run {run} ")[1], "test").block)
        outputs.extend_own(elements, view.session, key)
        block, places = outputs.tags(TAG), {tag: at for at, tag in enumerate(view.entries)}
        ranks = [places[block[at : at + TAG]] for at in range(0, len(block), TAG)]
        far.append(correlation(range(SIZE), ranks))
    assert abs(sum(far)) / np.sqrt(RUNS) < FAR
    assert max(map(abs, far)) < FAR


# --- a protocol that tells more is found


class Changed:
    """The core, but for what a test changes."""

    def __init__(self, **changes: Any) -> None:
        self.__dict__ = changes

    def __getattr__(self, name: str) -> Any:
        return getattr(_core, name)


class InPlace:
    """A shuffle that leaves rows where they are, or turns each bin around."""

    def __init__(self, turned: bool) -> None:
        self.turned = turned

    def apply(self, rows: bytes, width: int) -> bytes:
        if not self.turned:
            return rows
        cut = [rows[at : at + width] for at in range(0, len(rows), width)]
        return b"".join(
            row for bin in range(0, len(cut), STEP) for row in reversed(cut[bin : bin + STEP])
        )


def shuffles(turned: bool) -> Changed:
    """The receiver, which draws first in each run, shuffles; the sender does not."""
    drawn: list[Any] = []

    def draw(rows: int, entropy: _core.Entropy) -> Any:
        drawn.append(_core.Shuffle.draw(rows, entropy))
        return drawn[-1] if len(drawn) % 2 else InPlace(turned)

    return Changed(Shuffle=type("Shuffle", (), {"draw": staticmethod(draw)}))


def seals(change: Callable[..., bytes]) -> Changed:
    return Changed(seal=change)


def in_order(*arguments: Any) -> bytes:
    """Entries in the order of elements, and padding behind them."""
    outputs, _, _, tag, *_, total, entropy = arguments
    made = outputs.tags(tag)[: DECOYED * tag]
    return bytes(made + entropy.bytes(total * tag - len(made)))


def padded_alike(*arguments: Any) -> bytes:
    *others, _ = arguments
    return _core.seal(*others, _core.Entropy.from_seed_for_tests(bytes(32)))


def padded_with_zeros(*arguments: Any) -> bytes:
    """Each tag of padding ends in a zero."""
    outputs, _, _, tag, *_, total, entropy = arguments
    made = outputs.tags(tag)[: DECOYED * tag]
    rows = [made[at : at + tag] for at in range(0, len(made), tag)]
    rows += [entropy.bytes(tag - 1) + b"\0" for _ in range(total - len(rows))]
    return b"".join(sorted(rows))


def one_twice(*arguments: Any) -> bytes:
    sealed, tag = _core.seal(*arguments), arguments[3]
    return sealed[: -2 * tag] + 2 * sealed[-2 * tag : -tag]


DECOYED = SIZE + decoys.DECOYS
"""Entries that are no padding."""


def always(part: bytes, _: bytes, __: _core.Key) -> bytes:
    """Points that are the same for an element in every run."""
    return _core.dh_blind(
        part, bytes(32), _core.Key.draw(_core.Entropy.from_seed_for_tests(bytes(32)))
    )


def same_twice(part: bytes, session: bytes, key: _core.Key) -> bytes:
    points = _core.dh_blind(part, session, key)
    return points[:-32] + points[:32]


TELLING: dict[str, tuple[Role, Changed | bool, str]] = {
    "answers are not shuffled": (RECEIVER, shuffles(turned=False), "matches where they were asked"),
    "answers are shuffled in a way that is known": (
        RECEIVER,
        shuffles(turned=True),
        "order of decoys",
    ),
    "entries are in the order of elements": (RECEIVER, seals(in_order), "facts"),
    "padding is the same in each run": (RECEIVER, seals(padded_alike), "repeated"),
    "padding can be told": (RECEIVER, seals(padded_with_zeros), "last bytes of entries"),
    "an entry is there twice": (RECEIVER, seals(one_twice), "facts"),
    "the sender shows its true size": (RECEIVER, True, "facts"),
    "points are the same in each run": (SENDER, Changed(dh_blind=always), "repeated"),
    "a point is there twice": (SENDER, Changed(dh_blind=same_twice), "facts"),
    "the receiver shows its true size": (SENDER, True, "facts"),
}
"""Whose view tells more, how the core is changed (or that sizes are exact), and what finds it."""


@pytest.mark.parametrize("more", TELLING)
def test_a_protocol_that_tells_more_is_found(monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    role, change, how = TELLING[more]
    honest = simulations(role)
    due = facts(role, honest[0])
    if isinstance(change, Changed):
        for module in (protocol, entries):
            monkeypatch.setattr(module, "_core", change)
    told = [real(role, run, exact=change is True) for run in range(RUNS)]
    found = [] if all(facts(role, view) == due for view in told[:2]) else ["facts"]
    found += ["repeated"] if repeated(told[:4]) else []
    if not found:
        found = [name for name, far in distances(role, told, honest).items() if abs(far) > FAR]
    assert how in found


def test_a_simulator_that_puts_matches_first_is_found() -> None:
    """The comparison sees where matches are, and so would see it if the protocol told."""
    moved = [copy(view) for view in simulations(RECEIVER)]
    for view in moved:
        view.matching = list(range(len(view.matching)))
    assert distances(RECEIVER, views(RECEIVER), moved)["places of answers that match"] > FAR
