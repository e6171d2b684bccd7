//! Unit tests of token choice.

use super::{
    ranked,
    sampling::{Random, Strategy, choose, penalise},
    softmax,
};

const LOGITS: [f32; 5] = [0.1, 3.0, -1.0, 2.5, 2.9];

#[test]
fn greedy_takes_the_first_of_the_largest() {
    let mut random = Random::new(Some(1));
    assert_eq!(choose(&LOGITS, Strategy::Greedy, &mut random), Some(1));
    assert_eq!(choose(&[1.0, 1.0], Strategy::Greedy, &mut random), Some(0));
    assert_eq!(choose(&[], Strategy::Greedy, &mut random), None);
    assert_eq!(choose(&[0.0, f32::NAN], Strategy::Greedy, &mut random), None);
}

#[test]
fn one_seed_gives_one_sequence_and_another_seed_another() {
    let strategy = Strategy::Sample { temperature: 1.0, top_k: 0, top_p: 1.0 };
    let draw = |seed| {
        let mut random = Random::new(Some(seed));
        (0..50).map(|_| choose(&LOGITS, strategy, &mut random).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
}

#[test]
fn sampling_follows_the_probabilities() {
    let mut weights = LOGITS.to_vec();
    softmax(&mut weights);
    let strategy = Strategy::Sample { temperature: 1.0, top_k: 0, top_p: 1.0 };
    let mut random = Random::new(Some(3));
    let mut counts = [0_usize; 5];
    for _ in 0..20_000 {
        counts[choose(&LOGITS, strategy, &mut random).unwrap() as usize] += 1;
    }
    for (count, weight) in counts.iter().zip(&weights) {
        assert!((*count as f32 / 20_000.0 - weight).abs() < 0.02, "{counts:?} {weights:?}");
    }
}

#[test]
fn top_k_and_top_p_cut_the_tail() {
    let mut random = Random::new(Some(5));
    for _ in 0..500 {
        let token = choose(&LOGITS, Strategy::Sample { temperature: 1.0, top_k: 2, top_p: 1.0 }, &mut random);
        assert!(matches!(token, Some(1 | 4)));
        let token = choose(&LOGITS, Strategy::Sample { temperature: 1.0, top_k: 0, top_p: 0.1 }, &mut random);
        assert_eq!(token, Some(1));
    }
}

#[test]
fn a_penalty_makes_seen_tokens_less_likely() {
    let mut logits = LOGITS.to_vec();
    penalise(&mut logits, &[1, 1, 2, 99], 2.0);
    assert_eq!(logits, [0.1, 1.5, -2.0, 2.5, 2.9]);
    assert_eq!(ranked(&logits), [4, 3, 1, 0, 2]);
}
