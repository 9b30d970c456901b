//! Questions and answers of this crate and of the `voprf` crate, an independent implementation of RFC
//! 9497, both ways, in both verifiable modes and in batches.

use rand_core::{CryptoRng, Error, RngCore};
use voprf::{
    BlindedElement, EvaluationElement, Group, PoprfClient, PoprfServer, Proof, Ristretto255,
    VoprfClient, VoprfServer,
};

use super::{Blinds, SecretKey, Suite};
use crate::entropy::Entropy;

/// Our entropy, as the other crate takes it.
struct Draws(Entropy);

impl RngCore for Draws {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        self.0.fill(out);
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.0.fill(out);
        Ok(())
    }
}

impl CryptoRng for Draws {}

const SEED: [u8; 32] = [81; 32];
const KEY_SEED: [u8; 32] = [7; 32];
const INFO: &[u8] = b"epoch 2026-11";

/// Inputs of many lengths, more than one part of a proof's sums.
fn inputs() -> Vec<Vec<u8>> {
    (1..=600_usize).map(|i| vec![i as u8; 1 + i % 70]).collect()
}

fn array(bytes: &[u8]) -> [u8; 32] {
    bytes.try_into().expect("32 bytes")
}

#[test]
fn their_client_accepts_our_answers() {
    let mut draws = Draws(Entropy::from_seed_for_tests(SEED));
    let mut entropy = Entropy::from_seed_for_tests([82; 32]);
    let inputs = inputs();

    let suite = Suite::voprf().unwrap();
    let key = SecretKey::derive(&suite, &KEY_SEED, b"name").unwrap();
    let public = <Ristretto255 as Group>::deserialize_elem(&key.public()).unwrap();
    let asked: Vec<_> = inputs
        .iter()
        .map(|input| VoprfClient::<Ristretto255>::blind(input, &mut draws).unwrap())
        .collect();
    let blinded: Vec<_> = asked.iter().map(|each| array(&each.message.serialize())).collect();
    let (evaluated, proof) = key.evaluate(&suite, &blinded, &mut entropy).unwrap();
    let proof = Proof::deserialize(&proof.unwrap().to_bytes()).unwrap();
    let messages: Vec<_> = evaluated
        .iter()
        .map(|point| EvaluationElement::<Ristretto255>::deserialize(point).unwrap())
        .collect();
    let clients: Vec<_> = asked.into_iter().map(|each| each.state).collect();
    let theirs: Vec<[u8; 64]> =
        VoprfClient::batch_finalize(&inputs, &clients, &messages, &proof, public)
            .unwrap()
            .map(|output| output.unwrap().into())
            .collect();
    let ours = key.evaluate_own(&suite, &inputs).unwrap();
    assert!(ours.rows() == theirs, "seeds 81 and 82");

    let suite = Suite::poprf(INFO).unwrap();
    let key = SecretKey::derive(&suite, &KEY_SEED, b"name").unwrap();
    let public = <Ristretto255 as Group>::deserialize_elem(&key.public()).unwrap();
    let asked: Vec<_> = inputs
        .iter()
        .map(|input| PoprfClient::<Ristretto255>::blind(input, &mut draws).unwrap())
        .collect();
    let blinded: Vec<_> = asked.iter().map(|each| array(&each.message.serialize())).collect();
    let (evaluated, proof) = key.evaluate(&suite, &blinded, &mut entropy).unwrap();
    let proof = Proof::deserialize(&proof.unwrap().to_bytes()).unwrap();
    let messages: Vec<_> = evaluated
        .iter()
        .map(|point| EvaluationElement::<Ristretto255>::deserialize(point).unwrap())
        .collect();
    let clients: Vec<_> = asked.into_iter().map(|each| each.state).collect();
    let slices = inputs.iter().map(Vec::as_slice);
    let theirs: Vec<[u8; 64]> =
        PoprfClient::batch_finalize(slices, &clients, &messages, &proof, public, Some(INFO))
            .unwrap()
            .map(|output| output.unwrap().into())
            .collect();
    let ours = key.evaluate_own(&suite, &inputs).unwrap();
    assert!(ours.rows() == theirs, "seeds 81 and 82");
}

#[test]
fn our_client_accepts_their_answers() {
    let mut draws = Draws(Entropy::from_seed_for_tests(SEED));
    let mut entropy = Entropy::from_seed_for_tests([83; 32]);
    let inputs = inputs();

    let suite = Suite::voprf().unwrap();
    let server = VoprfServer::<Ristretto255>::new_from_seed(&KEY_SEED, b"name").unwrap();
    let public = array(&<Ristretto255 as Group>::serialize_elem(server.get_public_key()));
    assert_eq!(public, SecretKey::derive(&suite, &KEY_SEED, b"name").unwrap().public());
    let blinds = Blinds::draw(&suite, &inputs, &mut entropy).unwrap();
    let blinded: Vec<_> =
        blinds.blinded().iter().map(|point| BlindedElement::deserialize(point).unwrap()).collect();
    let answer = server.batch_blind_evaluate(&mut draws, &blinded).unwrap();
    let evaluated: Vec<_> = answer.messages.iter().map(|each| array(&each.serialize())).collect();
    let proof = answer.proof.serialize();
    let outputs = blinds.finalize(&suite, &inputs, &evaluated, &proof, &public).unwrap();
    for (input, output) in inputs.iter().zip(outputs.rows()) {
        assert!(server.evaluate(input).unwrap()[..] == output[..], "seeds 81 and 83");
    }

    let suite = Suite::poprf(INFO).unwrap();
    let server = PoprfServer::<Ristretto255>::new_from_seed(&KEY_SEED, b"name").unwrap();
    let public = array(&<Ristretto255 as Group>::serialize_elem(server.get_public_key()));
    let blinds = Blinds::draw(&suite, &inputs, &mut entropy).unwrap();
    let blinded: Vec<_> =
        blinds.blinded().iter().map(|point| BlindedElement::deserialize(point).unwrap()).collect();
    let answer = server.batch_blind_evaluate(&mut draws, &blinded, Some(INFO)).unwrap();
    let evaluated: Vec<_> = answer.messages.iter().map(|each| array(&each.serialize())).collect();
    let proof = answer.proof.serialize();
    let outputs = blinds.finalize(&suite, &inputs, &evaluated, &proof, &public).unwrap();
    for (input, output) in inputs.iter().zip(outputs.rows()) {
        assert!(server.evaluate(input, Some(INFO)).unwrap()[..] == output[..], "seeds 81 and 83");
    }
}
