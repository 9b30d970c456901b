"""Provinces, plate letters, area codes (GB/T 2260), cities, and the places named after them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Province:
    """One province: what its plates and resident IDs begin with.

    sign: first character of its plates. weight: population in millions, rounded; sets how often it
    occurs. last: about the last of its plate letters. areas: six-digit codes of some districts.
    """

    sign: str
    weight: int
    last: str
    areas: tuple[int, ...]
    cities: tuple[str, ...]

    @property
    def letters(self) -> str:
        """The plate letters A to last; I and O are not used."""
        return "".join(c for c in "ABCDEFGHJKLMNPQRSTUVWXYZ" if c <= self.last)


PROVINCES = (
    Province("京", 22, "Q", (110101, 110102, 110105, 110106, 110108), ("北京市",)),
    Province("津", 14, "N", (120101, 120102, 120103, 120104), ("天津市",)),
    Province("冀", 75, "J", (130102, 130104, 130203, 130602), ("石家庄市", "唐山市", "保定市")),
    Province("晋", 35, "M", (140105, 140106, 140203), ("太原市", "大同市")),
    Province("蒙", 24, "M", (150102, 150103, 150203), ("呼和浩特市", "包头市")),
    Province("辽", 43, "P", (210102, 210103, 210202, 210203), ("沈阳市", "大连市")),
    Province("吉", 24, "K", (220102, 220103, 220203), ("长春市", "吉林市")),
    Province("黑", 32, "R", (230102, 230103, 230203), ("哈尔滨市", "齐齐哈尔市")),
    Province("沪", 25, "N", (310101, 310104, 310105, 310115), ("上海市",)),
    Province("苏", 85, "N", (320102, 320104, 320303, 320402), ("南京市", "徐州市", "常州市")),
    Province("浙", 65, "L", (330102, 330106, 330203, 330302), ("杭州市", "宁波市", "温州市")),
    Province("皖", 61, "S", (340102, 340103, 340202, 340302), ("合肥市", "芜湖市")),
    Province("闽", 42, "K", (350102, 350103, 350203, 350502), ("福州市", "厦门市", "泉州市")),
    Province("赣", 45, "M", (360102, 360103, 360202, 360402), ("南昌市", "九江市")),
    Province(
        "鲁", 102, "V", (370102, 370103, 370202, 370203, 370602), ("济南市", "青岛市", "烟台市")
    ),
    Province("豫", 99, "U", (410102, 410103, 410302, 410303), ("郑州市", "洛阳市")),
    Province("鄂", 58, "S", (420102, 420103, 420106, 420502), ("武汉市", "宜昌市")),
    Province("湘", 66, "N", (430102, 430103, 430202, 430302), ("长沙市", "株洲市")),
    Province(
        "粤", 126, "Y", (440103, 440104, 440106, 440303, 440304, 440402), ("广州市", "深圳市")
    ),
    Province("桂", 50, "P", (450102, 450103, 450202), ("南宁市", "柳州市")),
    Province("琼", 10, "F", (460105, 460106), ("海口市",)),
    Province("渝", 32, "H", (500101, 500102, 500103), ("重庆市",)),
    Province("川", 84, "Z", (510104, 510105, 510106, 510302), ("成都市", "自贡市")),
    Province("贵", 39, "J", (520102, 520103, 520302), ("贵阳市", "遵义市")),
    Province("云", 47, "S", (530102, 530103, 530302), ("昆明市", "曲靖市")),
    Province("藏", 4, "J", (540102,), ("拉萨市",)),
    Province("陕", 40, "K", (610102, 610103, 610104, 610302), ("西安市", "宝鸡市")),
    Province("甘", 25, "P", (620102, 620103), ("兰州市",)),
    Province("青", 6, "H", (630102, 630103), ("西宁市",)),
    Province("宁", 7, "E", (640104, 640105), ("银川市",)),
    Province("新", 26, "S", (650102, 650103), ("乌鲁木齐市",)),
)

CITIES = tuple(city for province in PROVINCES for city in province.cities)
ROADS = (
    "人民路", "中山路", "解放路", "建设路", "和平路", "新华路", "长江路", "黄河路", "迎宾大道",
    "环城北路", "环城南路", "科技路", "学府路", "工业大道", "滨河路", "高速入口", "国道路口",
    "乡村公路", "停车场", "商业街",
)  # fmt: skip
BRANDS = (
    "顺达", "宏远", "鑫盛", "永安", "恒通", "万里", "金诚", "瑞丰", "德胜", "华信",
    "安途", "众诚", "飞驰", "伟业", "东升", "嘉和", "远航", "天诚", "广源", "捷安",
)  # fmt: skip
CLINICS = ("第一人民医院", "第二人民医院", "中心医院", "中医院", "骨科医院", "急救中心")
CREWS = ("交警一大队", "交警二大队", "交警三大队", "经侦支队", "刑侦支队", "城关派出所")

PLACES = pa.array([city + road for city in CITIES for road in ROADS])
SHOPS = pa.array([city + brand + "汽车维修中心" for city in CITIES for brand in BRANDS])
OWN_SHOPS = pa.array([f"{CITIES[n % len(CITIES)]}第{n}汽车修理厂" for n in range(4_000)])
"""Shops to which only planted claims go; their numbers follow those of `SHOPS`."""
HOSPITALS = pa.array([city + clinic for city in CITIES for clinic in CLINICS])
STATIONS = pa.array([city + "公安局" + crew for city in CITIES for crew in CREWS])
