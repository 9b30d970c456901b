use super::*;
use serde_json::Value;

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    hex(text).try_into().unwrap()
}

fn list(vector: &Value, name: &str) -> Vec<Vec<u8>> {
    vector[name].as_str().unwrap().split(',').map(hex).collect()
}

fn suites(info: &[u8]) -> [Suite; 3] {
    [Suite::oprf().unwrap(), Suite::voprf().unwrap(), Suite::poprf(info).unwrap()]
}

fn scalar(text: &str) -> Scalar {
    Scalar::from_canonical_bytes(array(text)).unwrap()
}

#[test]
fn all_modes_are_those_of_rfc_9497() {
    let file: Value =
        serde_json::from_str(include_str!("../../../tests/vectors/rfc9497.json")).unwrap();
    let mut seen = 0;
    for mode in file["suites"].as_array().unwrap() {
        let number = mode["mode"].as_u64().unwrap() as usize;
        for vector in mode["vectors"].as_array().unwrap() {
            let info = hex(vector["Info"].as_str().unwrap_or(""));
            let suite = &suites(&info)[number];
            let seed = array(mode["seed"].as_str().unwrap());
            let name = hex(mode["keyInfo"].as_str().unwrap());
            let key = SecretKey::derive(suite, &seed, &name).unwrap();
            assert_eq!(key.to_bytes()[..], hex(mode["skSm"].as_str().unwrap()));
            if let Some(public) = mode["pkSm"].as_str() {
                assert_eq!(key.public()[..], hex(public));
            }
            let inputs = list(vector, "Input");
            let blinds = vector["Blind"].as_str().unwrap().split(',').map(scalar).collect();
            let blinds = Blinds::of(suite, &inputs, blinds).unwrap();
            assert_eq!(
                blinds.blinded().iter().map(|p| p.to_vec()).collect::<Vec<_>>(),
                list(vector, "BlindedElement")
            );
            let mut entropy = Entropy::from_seed_for_tests([80; 32]);
            let (evaluated, ours) = key.evaluate(suite, blinds.blinded(), &mut entropy).unwrap();
            assert_eq!(
                evaluated.iter().map(|p| p.to_vec()).collect::<Vec<_>>(),
                list(vector, "EvaluationElement")
            );
            let mut proof = Vec::new();
            if suite.is_verifiable() {
                let r = scalar(vector["Proof"]["r"].as_str().unwrap());
                let (from, to) = if number == 2 {
                    (evaluated.as_slice(), blinds.blinded())
                } else {
                    (blinds.blinded(), evaluated.as_slice())
                };
                let factor = key.factor(suite).unwrap();
                proof =
                    dleq::prove(suite, &factor.proven, from, to, &r).unwrap().to_bytes().to_vec();
                assert_eq!(proof, hex(vector["Proof"]["proof"].as_str().unwrap()));
                // The proof with a scalar of our own holds as well.
                let ours = ours.unwrap().to_bytes();
                assert!(ours[..] != proof);
                blinds.finalize(suite, &inputs, &evaluated, &ours, &key.public()).unwrap();
            }
            let outputs =
                blinds.finalize(suite, &inputs, &evaluated, &proof, &key.public()).unwrap();
            assert_eq!(
                outputs.rows().iter().map(|o| o.to_vec()).collect::<Vec<_>>(),
                list(vector, "Output")
            );
            let own = key.evaluate_own(suite, &inputs).unwrap();
            assert_eq!(own.rows(), outputs.rows());
            seen += 1;
        }
    }
    assert_eq!(seen, 8);
}

/// Answers of a key to inputs, and what the asker keeps.
fn asked(
    suite: &Suite,
    key: &SecretKey,
    count: usize,
) -> (Vec<[u8; 32]>, Blinds, Vec<Encoded>, Vec<u8>) {
    let mut entropy = Entropy::from_seed_for_tests([84; 32]);
    let inputs: Vec<_> = (0..count).map(|i| [i as u8; 32]).collect();
    let blinds = Blinds::draw(suite, &inputs, &mut entropy).unwrap();
    let (evaluated, proof) = key.evaluate(suite, blinds.blinded(), &mut entropy).unwrap();
    (inputs, blinds, evaluated, proof.map_or(Vec::new(), |proof| proof.to_bytes().to_vec()))
}

#[test]
fn a_batch_of_any_size_gives_what_the_key_gives() {
    let key = SecretKey::draw(&mut Entropy::from_seed_for_tests([85; 32]));
    for suite in suites(b"some info") {
        for count in [0, 1, 63, 64, 65, 511, 512, 1100] {
            let (inputs, blinds, evaluated, proof) = asked(&suite, &key, count);
            let outputs =
                blinds.finalize(&suite, &inputs, &evaluated, &proof, &key.public()).unwrap();
            let own = key.evaluate_own(&suite, &inputs).unwrap();
            assert!(outputs.rows() == own.rows(), "seeds 84 and 85, {count} inputs");
        }
    }
}

#[test]
fn blinds_are_fresh_and_outputs_belong_to_key_and_function() {
    let mut entropy = Entropy::from_seed_for_tests([86; 32]);
    let keys = [SecretKey::draw(&mut entropy), SecretKey::draw(&mut entropy)];
    let mut all = Vec::new();
    for suite in suites(b"one").into_iter().chain([Suite::poprf(b"two").unwrap()]) {
        let first = Blinds::draw(&suite, &[[1; 32], [1; 32]], &mut entropy).unwrap();
        let [a, b] = first.blinded() else { panic!("two points") };
        assert!(a != b, "seed 86");
        for key in &keys {
            all.extend(key.evaluate_own(&suite, &[[1; 32], [2; 32]]).unwrap().rows().to_vec());
        }
    }
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "seed 86");
}

#[test]
fn every_change_of_an_answer_is_refused_by_name() {
    let key = SecretKey::draw(&mut Entropy::from_seed_for_tests([87; 32]));
    let other = SecretKey::draw(&mut Entropy::from_seed_for_tests([88; 32]));
    let unproven = Some(Error::Check { argument: "proof" });
    for suite in [Suite::voprf().unwrap(), Suite::poprf(b"some info").unwrap()] {
        let (inputs, blinds, evaluated, proof) = asked(&suite, &key, 5);
        let public = key.public();
        let refusal = |evaluated: &[Encoded], proof: &[u8], public: &Encoded| {
            blinds.finalize(&suite, &inputs, evaluated, proof, public).err()
        };
        assert_eq!(refusal(&evaluated, &proof, &public), None);
        for at in 0..8 * PROOF {
            let mut forged = proof.clone();
            forged[at / 8] ^= 1 << (at % 8);
            assert_eq!(refusal(&evaluated, &forged, &public), unproven, "bit {at}");
        }
        for length in [0, 32, 63, 65] {
            let mut forged = proof.clone();
            forged.resize(length, 0);
            let error = Error::Length { argument: "proof", expected: 64, actual: length };
            assert_eq!(refusal(&evaluated, &forged, &public), Some(error));
        }
        // Two answers swapped; one answer under another key; all under another key, with its proof.
        let mut swapped = evaluated.clone();
        swapped.swap(1, 3);
        assert_eq!(refusal(&swapped, &proof, &public), unproven);
        let mut entropy = Entropy::from_seed_for_tests([89; 32]);
        let (others, others_proof) =
            other.evaluate(&suite, blinds.blinded(), &mut entropy).unwrap();
        let mut mixed = evaluated.clone();
        mixed[2] = others[2];
        assert_eq!(refusal(&mixed, &proof, &public), unproven);
        let others_proof = others_proof.unwrap().to_bytes();
        assert_eq!(refusal(&others, &others_proof, &public), unproven);
        assert_eq!(refusal(&others, &others_proof, &other.public()), None);
        // Points that are none, and the identity.
        for (at, bad) in [[0xff; 32], [1; 32], [0; 32]].into_iter().enumerate() {
            let mut forged = evaluated.clone();
            forged[at] = bad;
            let error = Error::Point { argument: "points", index: at };
            assert_eq!(refusal(&forged, &proof, &public), Some(error));
            let error = Error::Point { argument: "public", index: 0 };
            assert_eq!(refusal(&evaluated, &proof, &bad), Some(error));
            let mut blinded = blinds.blinded().to_vec();
            blinded[at] = bad;
            let error = Error::Point { argument: "points", index: at };
            assert_eq!(key.evaluate(&suite, &blinded, &mut entropy).err(), Some(error));
        }
        let error = Error::Length { argument: "points", expected: 5, actual: 4 };
        assert_eq!(refusal(&evaluated[..4], &proof, &public), Some(error));
    }
    // The proof of one function is none of another.
    let suites = [Suite::poprf(b"one").unwrap(), Suite::poprf(b"two").unwrap()];
    let (inputs, blinds, evaluated, proof) = asked(&suites[0], &key, 3);
    let refused = blinds.finalize(&suites[1], &inputs, &evaluated, &proof, &key.public());
    assert_eq!(refused.err(), unproven);
    let oprf = Suite::oprf().unwrap();
    let (inputs, blinds, evaluated, _) = asked(&oprf, &key, 3);
    let refused = blinds.finalize(&oprf, &inputs, &evaluated, &proof, &key.public());
    assert_eq!(refused.err(), Some(Error::Length { argument: "proof", expected: 0, actual: 64 }));
}

#[test]
fn keys_and_sizes_are_checked() {
    let mut order = (-Scalar::ONE).to_bytes();
    assert!(SecretKey::from_bytes(&order).is_ok());
    order[0] += 1;
    for bytes in [[0; 32], order, [0xff; 32]] {
        assert_eq!(SecretKey::from_bytes(&bytes).err(), Some(Error::Check { argument: "key" }));
    }
    let mut entropy = Entropy::from_seed_for_tests([90; 32]);
    let suite = Suite::voprf().unwrap();
    let key = SecretKey::draw(&mut entropy);
    assert_eq!(*SecretKey::from_bytes(&key.to_bytes()).unwrap().to_bytes(), *key.to_bytes());
    let many = vec![key.public(); MOST + 1];
    let error = Error::TooLarge { argument: "points", bound: MOST, actual: MOST + 1 };
    assert_eq!(key.evaluate(&suite, &many, &mut entropy).err(), Some(error));
    let error = Error::TooLarge { argument: "inputs", bound: MOST, actual: MOST + 1 };
    assert_eq!(Blinds::draw(&suite, &many, &mut entropy).err(), Some(error));
    let long = vec![0; 1 << 16];
    let error = |argument| Error::Length { argument, expected: 65535, actual: 65536 };
    assert_eq!(key.evaluate_own(&suite, &[&long]).err(), Some(error("inputs")));
    assert_eq!(Suite::poprf(&long).err(), Some(error("info")));
    // A key that `info` undoes: both sides refuse it.
    let suite = Suite::poprf(b"info").unwrap();
    let undone = SecretKey(-suite.tweak().unwrap());
    let refused = undone.evaluate(&suite, &[key.public()], &mut entropy).err();
    assert_eq!(refused, Some(Error::Check { argument: "info" }));
    let refused = proven_key(&suite, &undone.public()).err();
    assert_eq!(refused, Some(Error::Point { argument: "public", index: 0 }));
}
