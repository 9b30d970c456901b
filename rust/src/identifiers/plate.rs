//! Number plates of mainland China.
//!
//! Source: GA 36-2018 for the forms, as traffic registers and published descriptions give them
//! (the text itself was not at hand); the Table of General Standard Chinese Characters (2013),
//! annex 1, for the traditional forms of its characters. P is a province, L a letter, c a letter
//! or digit, d a digit; the letters I and O do not occur among the c.
//!
//! | form        | what                                                                       |
//! |-------------|----------------------------------------------------------------------------|
//! | P L ccccc   | ordinary                                                                   |
//! | P L K c dddd| new energy, small; K is one of A to H, J, K (first D and F, then the rest) |
//! | P L ddddd K | new energy, large                                                          |
//! | P L cccc 挂 | trailer                                                                    |
//! | P L cccc 学 | driving school                                                             |
//! | P L cccc 警 | police; courts and others have a second letter, which is a c here          |
//! | P L cccc 领 | consulate                                                                  |
//! | 粤 Z cccc 港, 粤 Z cccc 澳 | from Hong Kong, from Macau                                  |
//! | dddddd 使   | embassy; older plates carry the 使 in front, it is moved to the end         |
//!
//! Decisions:
//! * L may be O, which provincial offices and the older police plates had, and may not be I.
//! * An I or O among the c is rejected, not read as 1 or 0: a guess could name another vehicle.
//! * Spaces, dashes and dots of any kind are dropped. Traditional characters are simplified.
//! * Temporary plates are rejected (`临`, `试`, `超`): their numbers go to many vehicles in turn.
//!   So are plates of the army and the armed police, which are in neither party's registers.
//! * A plate is unique only with its type: a lorry and a car may share a number. Where both
//!   parties hold the type, a composite of both is the sharper identifier.

use super::fold::folded;
use super::reason::Reason;

/// Appends the plate in one of the forms above, as UTF-8.
///
/// Shapes: any text; at most 13 bytes, only if the reason keeps the value.
/// Secret: `value`; time depends on it, as in [`super::normalise`].
pub(super) fn normalise(value: &str, out: &mut Vec<u8>) -> Reason {
    let mut plate = ['\0'; LONGEST];
    let mut count = 0;
    for c in folded(value).filter(|c| !matches!(c, ' ' | '-' | '.')) {
        plate[count.min(LONGEST - 1)] = simplified(c);
        count += 1;
    }
    let plate = &mut plate[..count.min(LONGEST)];
    if plate.first() == Some(&'使') {
        plate.rotate_left(1);
    }
    let reason = judge(plate);
    if reason == Reason::Fine {
        for c in plate {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    reason
}

/// Says what is wrong with a plate, if anything is.
fn judge(plate: &[char]) -> Reason {
    let known = match plate {
        [] => return Reason::Empty,
        [digits @ .., '使'] if !is_province(plate[0]) => match digits.len() {
            6 => all(digits, is_digit),
            _ => return Reason::Length,
        },
        [first, ..] if !is_province(*first) => return Reason::Province,
        [_, office, serial @ ..] if matches!(plate.len(), 7 | 8) => {
            is_letter(*office) && (is_ordinary(plate, serial) || is_new_energy(serial))
        }
        _ => return Reason::Length,
    };
    if known { Reason::Fine } else { Reason::Alphabet }
}

/// Whether the serial is an ordinary one: five characters, the last perhaps a special one.
fn is_ordinary(plate: &[char], serial: &[char]) -> bool {
    let [serial @ .., last] = serial else { return false };
    serial.len() == 4
        && all(serial, is_letter_or_digit)
        && match last {
            '挂' | '学' | '警' | '领' => true,
            '港' | '澳' => plate.starts_with(&['粤', 'Z']),
            _ => is_letter_or_digit(*last),
        }
}

/// Whether the serial is one of a small or large new-energy vehicle.
fn is_new_energy(serial: &[char]) -> bool {
    match serial {
        ['A'..='H' | 'J' | 'K', second, rest @ ..] => {
            rest.len() == 4 && is_letter_or_digit(*second) && all(rest, is_digit)
        }
        [rest @ .., 'A'..='H' | 'J' | 'K'] => rest.len() == 5 && all(rest, is_digit),
        _ => false,
    }
}

fn all(plate: &[char], test: fn(char) -> bool) -> bool {
    plate.iter().all(|c| test(*c))
}

const fn is_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// A letter of an office: the letter I does not occur, O does.
const fn is_letter(c: char) -> bool {
    matches!(c, 'A'..='H' | 'J'..='Z')
}

/// A character of a serial: neither I nor O occurs.
const fn is_letter_or_digit(c: char) -> bool {
    c.is_ascii_digit() || (is_letter(c) && c != 'O')
}

/// Whether the character stands for a province, autonomous region or municipality: 31 of them.
const fn is_province(c: char) -> bool {
    matches!(
        c,
        '京' | '津'
            | '冀'
            | '晋'
            | '蒙'
            | '辽'
            | '吉'
            | '黑'
            | '沪'
            | '苏'
            | '浙'
            | '皖'
            | '闽'
            | '赣'
            | '鲁'
            | '豫'
            | '鄂'
            | '湘'
            | '粤'
            | '桂'
            | '琼'
            | '渝'
            | '川'
            | '贵'
            | '云'
            | '藏'
            | '陕'
            | '甘'
            | '青'
            | '宁'
            | '新'
    )
}

/// The simplified form of a character of a plate.
const fn simplified(c: char) -> char {
    match c {
        '晉' => '晋',
        '遼' => '辽',
        '滬' => '沪',
        '蘇' => '苏',
        '閩' => '闽',
        '贛' => '赣',
        '魯' => '鲁',
        '粵' => '粤',
        '瓊' => '琼',
        '貴' => '贵',
        '雲' => '云',
        '陝' => '陕',
        '寧' => '宁',
        '掛' => '挂',
        '學' => '学',
        '領' => '领',
        _ => c,
    }
}

/// Room for the longest plate, 8 characters, and for the last character of any longer one.
const LONGEST: usize = 9;
