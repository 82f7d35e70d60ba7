//! The laws of codes, held for every code: exhaustively to n = 10, by samples beyond.

use std::sync::Arc;

use kofn::code::{Arrived, Code, DecoderCache, Mds, Parity, Recipe, Replication, Uncoded};
use kofn::maths::mix::mix;
use kofn::maths::product::product;
use proptest::prelude::*;

/// Every code with at most n shares, and when it promises to be decodable.
fn codes(most: usize) -> Vec<(Arc<dyn Code>, Promise)> {
    let mut codes: Vec<(Arc<dyn Code>, Promise)> = Vec::new();
    for k in 1..=most {
        codes.push((Arc::new(Uncoded::new(k)), Promise::AnyK));
        if k < most {
            codes.push((Arc::new(Parity::new(k)), Promise::AnyK));
        }
        for n in k..=most {
            codes.push((Arc::new(Replication::new(n, k)), Promise::EverySource));
            codes.push((Arc::new(Mds::new(n, k)), Promise::AnyK));
        }
    }
    codes
}

#[derive(Clone, Copy)]
enum Promise {
    /// Any k shares suffice, and no fewer.
    AnyK,
    /// A copy of every source must be there.
    EverySource,
}

impl Promise {
    fn holds(self, code: &dyn Code, arrived: &Arrived) -> bool {
        match self {
            Self::AnyK => arrived.len() >= code.sources(),
            Self::EverySource => (0..code.sources())
                .all(|source| arrived.iter().any(|share| code.plain(*share) == Some(source))),
        }
    }
}

fn subsets(n: usize) -> impl Iterator<Item = Arrived> {
    (0u32..1 << n).map(move |bits| (0..n).filter(|share| bits >> share & 1 == 1).collect())
}

fn block(len: usize, salt: usize) -> Vec<f32> {
    (0..len).map(|i| (((i * 31 + salt * 17) * 7919 % 2003) as f32) / 1001.5 - 1.0).collect()
}

/// The result of each share for sources that are these blocks.
fn encode(code: &dyn Code, sources: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let share = |share: usize| {
        let terms: Vec<_> =
            code.encoder().row(share).zip(sources).map(|(c, source)| (c, &source[..])).collect();
        mix(&terms)
    };
    (0..code.shares()).map(share).collect()
}

fn decode(recipes: &[Recipe], results: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let source = |recipe: &Recipe| match recipe {
        Recipe::Take(share) => results[*share].clone(),
        Recipe::Mix(terms) => {
            mix(&terms.iter().map(|(share, c)| (*c, &results[*share][..])).collect::<Vec<_>>())
        }
    };
    recipes.iter().map(source).collect()
}

fn worst_difference(a: &[Vec<f32>], b: &[Vec<f32>]) -> f64 {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| f64::from(a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn a_code_decodes_exactly_when_it_promises_to() {
    for (code, promise) in codes(10) {
        for arrived in subsets(code.shares()) {
            let promised = promise.holds(code.as_ref(), &arrived);
            match code.decoder(&arrived) {
                Ok(decoder) => {
                    assert!(promised, "{} decodes from {arrived:?}", code.name());
                    assert!(decoder.used().is_subset(&arrived), "{}: {arrived:?}", code.name());
                }
                Err(not_yet) => {
                    assert!(!promised, "{} refuses {arrived:?}", code.name());
                    let all = arrived.len() + not_yet.missing;
                    assert!(not_yet.missing >= 1 && all <= code.shares(), "{}", code.name());
                }
            }
        }
    }
}

#[test]
fn a_code_tolerates_what_it_says_whichever_shares_are_lost_and_no_more() {
    for (code, _) in codes(9) {
        let (n, tolerates) = (code.shares(), code.tolerates());
        let decodable = |lost: usize| {
            subsets(n).filter(|s| s.len() == n - lost).all(|s| code.decoder(&s).is_ok())
        };
        assert!(decodable(tolerates), "{} tolerates {tolerates}", code.name());
        let one_more = tolerates + 1;
        assert!(one_more > n || !decodable(one_more), "{} tolerates more", code.name());
    }
}

#[test]
fn decoding_what_was_encoded_gives_the_sources_back() {
    for (code, _) in codes(10) {
        let sources: Vec<Vec<f32>> = (0..code.sources()).map(|j| block(12, j)).collect();
        let results = encode(code.as_ref(), &sources);
        for arrived in subsets(code.shares()) {
            let Ok(decoder) = code.decoder(&arrived) else { continue };
            let error = worst_difference(&decode(&decoder.recipes, &results), &sources);
            let allowed = 4.0 * f64::from(f32::EPSILON) * decoder.condition;
            assert!(error <= allowed, "{} from {arrived:?}: {error}", code.name());
        }
    }
}

#[test]
fn plain_shares_are_taken_and_nothing_is_computed() {
    for (code, _) in codes(10) {
        let plain: Arrived = (0..code.sources()).collect();
        let decoder = code.decoder(&plain).expect("all sources are there");
        let taken: Vec<Recipe> = (0..code.sources()).map(Recipe::Take).collect();
        assert_eq!(decoder.recipes, taken, "{}", code.name());
        assert_eq!(decoder.condition, 1.0, "{}", code.name());
    }
}

proptest! {
    #[test]
    fn decoding_commutes_with_linear_maps(
        at in 0usize..1000, bits in any::<u32>(), rows in 1usize..6, depth in 1usize..20,
    ) {
        let all = codes(10);
        let (code, _) = &all[at % all.len()];
        let arrived: Arrived = (0..code.shares()).filter(|share| bits >> share & 1 == 1).collect();
        let Ok(decoder) = code.decoder(&arrived) else { return Ok(()) };
        let weights: Vec<Vec<f32>> =
            (0..code.sources()).map(|j| block(rows * depth, j)).collect();
        let x = block(depth, 99);
        let times_x = |w: &Vec<f32>| {
            let mut y = vec![0.0; rows];
            product(w, &x, &mut y, rows, depth, 1);
            y
        };
        let results: Vec<Vec<f32>> = encode(code.as_ref(), &weights).iter().map(times_x).collect();
        let plain: Vec<Vec<f32>> = weights.iter().map(times_x).collect();
        let error = worst_difference(&decode(&decoder.recipes, &results), &plain);
        let scale = 8.0 * f64::from(f32::EPSILON) * decoder.condition * depth as f64;
        prop_assert!(error <= scale, "{}: {}", code.name(), error);
    }

    #[test]
    fn any_k_shares_of_a_large_mds_code_suffice(n in 11usize..=32, spare in 0usize..4, salt in any::<u64>()) {
        let code = Mds::new(n, n - spare);
        let mut shares: Vec<usize> = (0..n).collect();
        shares.sort_by_key(|share| (*share as u64 + 1).wrapping_mul(salt | 1).rotate_left(17));
        let arrived: Arrived = shares[..n - spare].iter().copied().collect();
        let decoder = code.decoder(&arrived).expect("k shares");
        let sources: Vec<Vec<f32>> = (0..code.sources()).map(|j| block(8, j)).collect();
        let decoded = decode(&decoder.recipes, &encode(&code, &sources));
        let error = worst_difference(&decoded, &sources);
        prop_assert!(error <= 4.0 * f64::from(f32::EPSILON) * decoder.condition, "{}", error);
    }
}

/// The worst condition number over all sets of k shares.
fn worst_condition(n: usize, k: usize) -> f64 {
    let code = Mds::new(n, k);
    let sets = (0u32..1 << n).filter(|bits| bits.count_ones() as usize == k);
    let condition = |bits: u32| {
        let arrived = (0..n).filter(|share| bits >> share & 1 == 1).collect();
        code.decoder(&arrived).expect("k shares").condition
    };
    sets.map(condition).fold(0.0, f64::max)
}

#[test]
fn the_mds_code_is_as_well_conditioned_as_the_best_published() {
    // Ramamoorthy and Tang's rotation code has 9, 29 and 200 here, a Chebyshev basis 29, 2e2, 4e3.
    for (n, k, most) in [(5, 4, 3.8), (6, 4, 7.7), (8, 6, 13.0), (10, 8, 18.1), (20, 17, 261.0)] {
        let worst = worst_condition(n, k);
        assert!(worst <= most, "({n}, {k}): {worst}");
    }
}

#[test]
fn a_decoder_is_solved_once_for_each_set() {
    let mut cache = DecoderCache::new(Arc::new(Mds::new(6, 4)));
    let arrived: Arrived = [0, 2, 4, 5].into();
    let first = cache.decoder(&arrived).expect("four shares");
    let second = cache.decoder(&arrived).expect("four shares");
    assert!(Arc::ptr_eq(&first, &second));
}

/// `code arrived=…`, and below the line what is said: the rules of decodability as a reader sees them.
#[test]
fn what_decoders_say() {
    type Case<'c> = (&'c str, Arc<dyn Code>, &'c [usize], &'c str);
    let cases: [Case<'_>; 7] = [
        ("mds 6 4", Arc::new(Mds::new(6, 4)), &[0, 2, 3], "NotYet: 1 more"),
        ("mds 6 4", Arc::new(Mds::new(6, 4)), &[0, 1, 2, 3], "plain"),
        ("mds 6 4", Arc::new(Mds::new(6, 4)), &[1, 3, 4, 5], "rebuilds 0 2"),
        ("parity 3", Arc::new(Parity::new(3)), &[0, 2, 3], "rebuilds 1"),
        ("parity 3", Arc::new(Parity::new(3)), &[3], "NotYet: 2 more"),
        ("replication 5 2", Arc::new(Replication::new(5, 2)), &[0, 2, 4], "NotYet: 1 more"),
        ("replication 5 2", Arc::new(Replication::new(5, 2)), &[3, 4], "plain"),
    ];
    for (name, code, arrived, want) in cases {
        let said = match code.decoder(&arrived.iter().copied().collect()) {
            Err(not_yet) => format!("NotYet: {} more", not_yet.missing),
            Ok(decoder) => match decoder.rebuilt().map(|s| s.to_string()).collect::<Vec<_>>() {
                none if none.is_empty() => "plain".to_owned(),
                rebuilt => format!("rebuilds {}", rebuilt.join(" ")),
            },
        };
        assert_eq!(said, want, "{name} arrived={arrived:?}");
    }
}
