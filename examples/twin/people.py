"""Persons: from a number to a resident ID (GB 11643-1999) and a name.

Every one is made up; any resemblance to a person is chance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .cells import chosen, digits
from .geography import PROVINCES
from .pools import Cells, Index, Mask, Pool, Scatter, mixed

SEQUENCES = 499
"""Regular persons have a sequence of 1-499; a near-miss has 500 more, with all else the same."""

FIRST_BIRTH, LAST_BIRTH = np.datetime64("1940-01-01"), np.datetime64("2006-12-31")
_DAYS = np.arange(FIRST_BIRTH, LAST_BIRTH + 1)
_BIRTHS = np.array([list(str(day).replace("-", "").encode()) for day in _DAYS], np.uint8)

_AREAS = np.array([area for p in PROVINCES for area in p.areas])
# A province of 126 million (the largest) may use all sequences of a day; the others in proportion.
_CAPACITY = np.array(
    [max(1, SEQUENCES * p.weight * 4 // 126 // len(p.areas)) for p in PROVINCES for _ in p.areas]
).clip(max=SEQUENCES)
_ENDS = np.cumsum(_CAPACITY * len(_DAYS))

_WEIGHTS = np.array((7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2), np.int64)
_CHECKS = np.frombuffer(b"10X98765432", np.uint8)

AREA, BIRTH, SEQUENCE, CHECK = slice(1, 7), slice(8, 16), slice(17, 20), 20
CENTURY = (8, 9)
GAPS, TRAIL, LANES = (7, 16), 21, 24


@dataclass(frozen=True, slots=True)
class People:
    """Resident IDs: lanes 1-6 area, 8-15 birth date, 17-19 sequence, 20 check; the rest empty."""

    pool: Pool
    scatter: Scatter

    @classmethod
    def drawn(cls, pool: Pool, rng: np.random.Generator) -> People:
        """Draws the map from numbers to identifiers."""
        return cls(pool, Scatter.over(int(_ENDS[-1]), rng))

    def cells(self, index: Index) -> Cells:
        """Returns the identifier of each number, in its lanes, without dirt."""
        base, twin = self.pool.untwin(index)
        x = self.scatter(base)
        area = np.searchsorted(_ENDS, x, side="right")
        rest = x - (_ENDS[area] - _CAPACITY[area] * len(_DAYS))
        cells = np.zeros((len(index), LANES), np.uint8)
        cells[:, AREA] = digits(_AREAS[area], 6)
        cells[:, BIRTH] = _BIRTHS[rest // _CAPACITY[area]]
        cells[:, SEQUENCE] = digits(rest % _CAPACITY[area] + 1 + np.where(twin, 500, 0), 3)
        payload = np.hstack([cells[:, AREA], cells[:, BIRTH], cells[:, SEQUENCE]])
        cells[:, CHECK] = _CHECKS[(payload.astype(np.int64) - ord("0")) @ _WEIGHTS % 11]
        return cells

    def canonical(self, cells: Cells) -> Cells:
        """Returns the normalised form of clean cells: here the same."""
        return cells

    def regular(self, index: Index) -> Mask:
        """Returns where the identifier is of the usual form: here everywhere."""
        return np.ones(len(index), np.bool_)

    def names(self, index: Index) -> pa.StringArray:
        """One name a person; many persons share one, and a near-miss has the name of its twin."""
        base, _ = self.pool.untwin(index)
        return chosen(NAMES, np.where(index < 0, -1, mixed(base, 1) % len(NAMES)))


_COMMON, _FREQUENT = "王李张刘陈", "杨赵黄周吴徐孙胡朱高"
_OTHER = (
    "林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏"
    "薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史"
)
_SURNAMES = _COMMON * 6 + _FREQUENT * 3 + _OTHER
"""The most common surnames come several times, so that they are drawn more often."""
_GIVEN = """
    伟 芳 娜 敏 静 丽 强 磊 军 洋 勇 艳 杰 涛 明 超 霞 平 刚 英 华 玲 波 辉 鹏 健 俊 浩 宇 婷
    秀英 桂英 秀兰 建华 建国 建军 志强 志明 国强 国华 海燕 海涛 晓东 晓明 晓燕 文杰 文静 玉兰
    玉梅 春梅 春华 小红 小军 雪梅 丽华 丽娟 子涵 子轩 浩然 宇航 雨桐 欣怡 梓萱 佳怡 思远 天宇
"""
NAMES = pa.array([surname + given for surname in _SURNAMES for given in _GIVEN.split()])
