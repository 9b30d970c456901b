use arrow_array::{Array, LargeStringArray};
use serde_json::Value;

use super::{DIGEST, Kind, REASONS, VERSION, compose, normalise, probes};
use crate::error::Error;

/// The known answers, shared with the Python tests; the file names its sources.
const VECTORS: &str =
    include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/identifiers.json"));

/// The outcome for one value: what is kept, and the reason.
fn outcome(kind: Kind, value: &str) -> (Option<String>, &'static str) {
    let column = LargeStringArray::from_iter_values([value]);
    let (values, reasons) = normalise(kind, &column);
    let kept = values.is_valid(0).then(|| values.value(0).to_owned());
    (kept, REASONS[usize::from(reasons.value(0))])
}

/// The pairs, or single values doubled, of a list in the vectors.
fn cases(kind: &str, list: &str) -> Vec<(String, String)> {
    let vectors: Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let text = |value: &Value| value.as_str().expect("a case is text").to_owned();
    let Some(cases) = vectors[kind][list].as_array() else { return Vec::new() };
    let case = |case: &Value| match case.as_array() {
        Some(pair) => (text(&pair[0]), text(&pair[1])),
        None => (text(case), text(case)),
    };
    cases.iter().map(case).collect()
}

/// The reason in a case, without the remark behind it.
fn word(reason: &str) -> &str {
    reason.split([':', '(']).next().unwrap_or(reason).trim_end()
}

#[test]
fn each_kind_gives_the_known_answers() {
    for name in Kind::NAMES {
        let kind = Kind::parse(name).expect("a name of NAMES is known");
        let mut seen = 0;
        for list in ["valid", "normalise"] {
            for (value, expected) in cases(name, list) {
                assert_eq!(outcome(kind, &value), (Some(expected), ""), "{name} {value:?}");
                seen += 1;
            }
        }
        for (value, reason) in cases(name, "reject") {
            assert_eq!(outcome(kind, &value), (None, word(&reason)), "{name} {value:?}");
            seen += 1;
        }
        for (value, reason) in cases(name, "warn") {
            let (kept, given) = outcome(kind, &value);
            assert!(kept.is_some(), "{name} {value:?}");
            assert_eq!(given, format!("warning: {}", word(&reason)), "{name} {value:?}");
            seen += 1;
        }
        assert!(seen > 8, "{name} has hardly any known answers");
    }
}

#[test]
fn a_missing_row_stays_missing_whatever_bytes_lie_under_it() {
    for rows in [0, 1, 63, 64, 65, 16_383, 16_384, 16_385, 40_000] {
        let row = |i: usize| (i % 3 != 1).then(|| format!("138{i:08}"));
        let column = LargeStringArray::from_iter((0..rows).map(row));
        let (values, reasons) = normalise(Kind::Phone, &column);
        assert_eq!((values.len(), reasons.len(), reasons.null_count()), (rows, rows, 0));
        for at in 0..rows {
            let expected = row(at).map(|value| format!("+86{value}"));
            assert_eq!(values.is_valid(at).then(|| values.value(at).to_owned()), expected);
            assert_eq!(reasons.value(at), 0);
        }
    }
}

#[test]
fn a_slice_of_a_column_gives_the_slice_of_the_result() {
    let row = |i: usize| {
        (!i.is_multiple_of(5))
            .then(|| if i.is_multiple_of(7) { "?".into() } else { format!("E{i:08}") })
    };
    let column = LargeStringArray::from_iter((0..500).map(row));
    let (whole, whole_reasons) = normalise(Kind::Passport, &column);
    for (start, length) in [(0, 500), (1, 64), (63, 130), (65, 300), (499, 1), (500, 0)] {
        let (part, reasons) = normalise(Kind::Passport, &column.slice(start, length));
        assert_eq!(part, whole.slice(start, length));
        assert_eq!(reasons, whole_reasons.slice(start, length));
    }
}

#[test]
fn a_composite_is_null_where_a_part_is_and_never_ambiguous() {
    let left = LargeStringArray::from(vec![Some("ab"), Some("a"), None, Some("")]);
    let right = LargeStringArray::from(vec![Some("c"), Some("bc"), Some("d"), Some("é")]);
    let both = compose(&[&left, &right]).expect("the parts are equally long");
    let expected = [Some("2:ab,1:c,"), Some("1:a,2:bc,"), None, Some("0:,2:é,")];
    assert_eq!(both, LargeStringArray::from(expected.to_vec()));
}

#[test]
fn a_composite_needs_parts_of_one_length() {
    let (two, three) = (LargeStringArray::from(vec!["a"; 2]), LargeStringArray::from(vec!["a"; 3]));
    let none = Error::Length { argument: "parts", expected: 1, actual: 0 };
    assert_eq!(compose(&[]).err(), Some(none));
    let uneven = Error::Length { argument: "parts", expected: 2, actual: 3 };
    assert_eq!(compose(&[&two, &three]).err(), Some(uneven));
}

/// If this fails, a rule behaves otherwise than it did. If that is meant: give the rules a new
/// version and digest, pin the version here, and say in the changelog what changed and why.
#[test]
fn the_digest_is_that_of_the_rules_and_belongs_to_the_version() {
    assert_eq!(probes::digest(), DIGEST);
    assert_eq!((VERSION, &DIGEST[..4]), ("1.0.0", &[0x7f, 0x29, 0xee, 0x9e][..]));
}
