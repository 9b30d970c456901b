//! The digest of the rules: what they do, not what somebody remembered to write down.
//!
//! Every rule runs on every probe, and on every probe with one character changed. A rule that
//! begins to behave otherwise on any of these changes the digest, even if its author forgets
//! the version.

use arrow_array::LargeStringArray;
use sha2::{Digest, Sha256};
use unicode_normalization::UNICODE_VERSION;

use super::reason::REASONS;
use super::{Kind, VERSION, compose, normalise};

/// Gives 32 bytes for the rules: SHA-256 over the version, the Unicode tables' version, the
/// reasons, the outcome of each kind on each probe, and a composite of the probes.
///
/// Shapes: no input; 32 bytes.
/// Secret: nothing.
pub(super) fn digest() -> [u8; 32] {
    let probes = LargeStringArray::from_iter_values(spoilt(PROBES));
    let mut hash = Sha256::new();
    field(&mut hash, VERSION.as_bytes());
    field(&mut hash, &[UNICODE_VERSION.0, UNICODE_VERSION.1, UNICODE_VERSION.2]);
    field(&mut hash, REASONS.join("\n").as_bytes());
    for name in Kind::NAMES {
        let Some(kind) = Kind::parse(name) else { continue };
        field(&mut hash, name.as_bytes());
        let (values, reasons) = normalise(kind, &probes);
        column(&mut hash, &values);
        field(&mut hash, reasons.values());
    }
    if let Ok(composites) = compose(&[&probes, &probes]) {
        column(&mut hash, &composites);
    }
    hash.finalize().into()
}

/// The probes, and each of them with one character left out, doubled, or replaced.
fn spoilt(probes: &[&str]) -> Vec<String> {
    let mut all: Vec<String> = probes.iter().map(|probe| (*probe).to_owned()).collect();
    for probe in probes {
        for (at, c) in probe.char_indices() {
            let (before, after) = (&probe[..at], &probe[at + c.len_utf8()..]);
            all.push(format!("{before}{after}"));
            all.push(format!("{before}{c}{c}{after}"));
            all.extend(REPLACEMENTS.iter().map(|other| format!("{before}{other}{after}")));
        }
    }
    all
}

/// Hashes bytes behind their length, so that no two sequences of fields hash alike.
fn field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// Hashes a column: for each row whether there is a value, and the value.
fn column(hash: &mut Sha256, values: &LargeStringArray) {
    for value in values.iter() {
        hash.update([u8::from(value.is_some())]);
        field(hash, value.unwrap_or_default().as_bytes());
    }
}

/// What a character is replaced by: digits, letters with and without a place in the alphabets,
/// separators, marks, full-width and Chinese characters.
#[rustfmt::skip]
const REPLACEMENTS: &[char] = &[
    '0', '1', '9', 'D', 'I', 'X', 'Z', 'o', ' ', '-', '.', '+', '(', '|', '／', '０', '\u{200B}', '京',
    '使',
];

/// At least one value for each form and each decision of each rule.
#[rustfmt::skip]
const PROBES: &[&str] = &[
    // Nothing, and characters without a mark.
    "", " ", "\u{3000}\t", "\u{FEFF}", "-", ".", "*", "|", "+", "#", "\u{FFFD}", "\u{1}",
    // Resident IDs: both forms, dirty, wrong, other regions and centuries.
    "11010519491231002X", "440524188001010014", "110105 19491231 002x", "110105491231002",
    "１１０１０５１９４９１２３１００２Ｘ", "11010519491231002Ⅹ", "110105194912310021",
    "11010520000229002X", "110105199902290021", "330102460229001", "810000199408230021",
    "830000199201300022", "911124198108030024", "000000000000000000", "110105********002X",
    "33010219991231995X", "330102210001010010", "330102179912310010",
    // Archive numbers.
    "330100123456", "3301 0012 3456",
    // Credit codes.
    "91350100M000100Y43", "91350100M000100Y4Z", "9135 0100 M000 100Y43", "91350100m000100y43",
    "91A50100M000100Y43", "M000100Y4",
    // Vehicle numbers.
    "1M8GDM9AXKP042788", "11111111111111111", "00000000000000000", "*LSVAA49J132047371*",
    "LSVAA49J132047371", "WBA3A5C51CF256651", "1M8GDM9A0KP042788", "５ＧＺＣＺ４３Ｄ１３Ｓ８１２７１５",
    "ABCDEFGHJKLMNPRST", "UVWXYZ0123456789A",
    // Plates.
    "浙A·12345", "浙a 12345", "浙Ａ１２３４５", "粤B·D12345", "粤B12345D", "粤BF1234K", "沪AA12345",
    "京KK12345", "京A12345K", "浙A1234挂", "浙A1234學", "京A1234警", "川OC123警", "粤Z·F023港",
    "粵ZF023澳", "浙ZF023港", "沪A0023领", "使014578", "014578使", "滬A12345", "蘇A12345",
    "浙I12345", "浙A1234O", "津冀A1234", "晋蒙辽吉黑沪苏", "皖A12345", "闽A12345", "赣A12345",
    "鲁A12345", "豫A12345", "鄂A12345", "湘A12345", "桂A12345", "琼A12345", "渝A12345", "川A12345",
    "贵A12345", "云A12345", "藏A12345", "陕A12345", "甘A12345", "青A12345", "宁A12345", "新A12345",
    "黑A12345", "冀A12345", "晉A12345", "蒙A12345", "遼A12345", "吉A12345", "津A12345", "京A12345",
    "閩A12345", "贛A12345", "魯A12345", "瓊A12345", "貴A12345", "雲A12345", "陝A12345", "寧A12345",
    "沪A0023領", "浙A1234掛", "WJ京1234X", "军A12345", "浙A1234临",
    // Telephone numbers.
    "138 0013 8000", "0086-13800138000", "+86 138-0013-8000", "8613800138000", "013800138000",
    "010-88888888", "+86 (0)10 8888 8888", "0571-8888888", "0571-88888888", "0571-88888888-1234",
    "010-88888888转123", "021-62345678 ext. 12", "021-62345678x12", "13800138000-1234",
    "13800138000转12", "+44 (0)20 7946 0018", "0044 20 7946 0018", "+1 (212) 555-0100", "+852 2345 6789",
    "88888888", "95518", "4008895518", "026-88888888", "010-18888888", "+123456", "+1234567890123456",
    "861088888888", "12800138000", "(010)88888888", "13800138000/13900139000",
    // Passports.
    "E12345678", "EA1234567", "EI1234567", "G12345678", "141234567", "151234567", "P.1234567",
    "PE1234567", "SE1234567", "DE1234567", "D1234567", "S12345678", "K12345678", "KJ1234567",
    "H12345678", "M12345678", "MA1234567", "312345678", "C01X00T47", "L898902C3", "AB123<<<<",
    "UNKNOWN", "A1234", "A123",
    // Flights.
    "ca 0981|2019-11-02", "MU05101|2019/11/02", "3U8633|20191102", "9C8888A|2019年11月2日",
    "CZ-3101 | 2019 年 11 月 2 号", "HU7801｜2019.1.2", "CCA981|2019-11-02", "12345|2019-11-02",
    "CA|2019-11-02", "CA0|2019-11-02", "CA981|2019-13-02", "CA981|2019-02-29", "CA981|2020-02-29",
    "CA981", "CA981|02/11/2019", "CA981|2019-11-02 08:00", "CA12345|2019-11-02",
    // Text.
    "张三", " 张　三 ", "ＺＨＡＮＧ  San", "Straße", "STRASSE", "ﬁnance Ⅷ", "Ça va", "C\u{327}a va",
    "İstanbul", "ΌΣΟΣ", "ᾳ", "\u{345}\u{3B1}", "ꭰ", "한국", "\u{1112}\u{1161}\u{11AB}", "Å", "①",
    "a\u{AD}b\u{200D}c", "葛\u{E0100}", "\u{F900}", "ｶﾞ", "Ǆ",
];
