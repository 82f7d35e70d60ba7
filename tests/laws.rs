//! The laws of codes, held for every code: exhaustively to n = 10, by samples beyond.

use std::sync::Arc;

use kofn::code::{
    Arrived, Chebyshev, Code, Decoder, DecoderCache, Form, Gaussian, Lt, Mds, Parity, Polar,
    Replication, Rotation, ShiftAdd, Uncoded, Vandermonde, worst_condition,
};
use kofn::maths::mix::mix;
use kofn::maths::product::product;
use proptest::prelude::*;

/// Every code with at most n shares, and when it promises to be decodable.
fn codes(most: usize) -> Vec<(Arc<dyn Code>, Promise)> {
    let mut codes = Vec::new();
    for k in 1..=most {
        for n in k..=most {
            codes.extend(of_size(n, k));
            codes.extend((1..=most.min(8) / n).flat_map(|blocks| rateless(n, k, blocks)));
        }
    }
    codes
}

/// The codes with n shares of k sources: a section each.
fn of_size(n: usize, k: usize) -> Vec<(Arc<dyn Code>, Promise)> {
    let mut codes: Vec<(Arc<dyn Code>, Promise)> = vec![
        (Arc::new(Replication::new(n, k)), Promise::EverySource),
        (Arc::new(Chebyshev::new(n, k)), Promise::AnyK),
        (Arc::new(Rotation::new(n, k)), Promise::AnyK),
        (Arc::new(Gaussian::new(n, k)), Promise::AnyK),
        (Arc::new(ShiftAdd::new(n, k, Some(5), Form::Systematic)), Promise::AnyK),
        (Arc::new(ShiftAdd::new(n, k, Some(3), Form::Mixed)), Promise::AnyK),
    ];
    if n == k {
        codes.push((Arc::new(Uncoded::new(k)), Promise::AnyK));
    }
    if n == k + 1 {
        codes.push((Arc::new(Parity::new(k)), Promise::AnyK));
    }
    if n <= Mds::MOST_SHARES {
        codes.push((Arc::new(Mds::new(n, k)), Promise::AnyK));
    }
    if n <= Vandermonde::MOST_SHARES {
        codes.push((Arc::new(Vandermonde::new(n, k)), Promise::AnyK));
    }
    if n.is_power_of_two() {
        codes.push((Arc::new(Polar::new(n, k)), Promise::Sequence));
    }
    codes
}

/// Those whose n shares are hands of so many.
fn rateless(n: usize, k: usize, blocks: usize) -> Vec<(Arc<dyn Code>, Promise)> {
    let mut codes: Vec<(Arc<dyn Code>, Promise)> =
        vec![(Arc::new(Lt::new(n, k, blocks, Form::Systematic)), Promise::Rank)];
    if n > k {
        codes.push((Arc::new(Lt::new(n, k, blocks, Form::Mixed)), Promise::Rank));
    }
    codes
}

/// The rank of what the shares say of the sources, exactly: modulo a prime, for coefficients of ±1.
fn rank(code: &dyn Code, arrived: &Arrived) -> usize {
    const P: i64 = 2_147_483_647;
    let inverse = |x: i64| {
        let (mut power, mut base, mut of) = (1, x, P - 2);
        while of > 0 {
            power = if of & 1 == 1 { power * base % P } else { power };
            (base, of) = (base * base % P, of >> 1);
        }
        power
    };
    let row = |share: &usize| {
        let mut row = vec![0i64; code.sources()];
        code.encoder().share(*share)[0].iter().for_each(|(at, c)| row[*at] = (*c as i64 + P) % P);
        row
    };
    let mut rows: Vec<Vec<i64>> = arrived.iter().map(row).collect();
    let mut rank = 0;
    for column in 0..code.sources() {
        let Some(at) = rows.iter().position(|row| row[column] != 0) else { continue };
        let pivot = rows.swap_remove(at);
        let unit = inverse(pivot[column]);
        for row in &mut rows {
            let factor = row[column] * unit % P;
            row.iter_mut().zip(&pivot).for_each(|(x, p)| *x = (*x + (P - factor) * p) % P);
        }
        rank += 1;
    }
    rank
}

#[derive(Clone, Copy, PartialEq)]
enum Promise {
    /// Any k shares suffice, and no fewer.
    AnyK,
    /// A copy of every source must be there.
    EverySource,
    /// Whatever tells all sources.
    Rank,
    /// What is decoded can be decoded, and any `tolerates` shares may be lost.
    Sequence,
}

impl Promise {
    /// Whether the set must be decodable; `None` if it may or may not.
    fn holds(self, code: &dyn Code, arrived: &Arrived) -> Option<bool> {
        match self {
            Self::AnyK => Some(arrived.len() >= code.sources()),
            Self::EverySource => Some(
                (0..code.sources())
                    .all(|source| arrived.iter().any(|share| code.plain(*share) == Some(source))),
            ),
            Self::Rank => Some(rank(code, arrived) == code.sources()),
            Self::Sequence if arrived.len() + code.tolerates() >= code.shares() => Some(true),
            Self::Sequence if arrived.len() < code.sources() => Some(false),
            Self::Sequence => None,
        }
    }
}

fn subsets(n: usize) -> impl Iterator<Item = Arrived> {
    (0u32..1 << n).map(move |bits| (0..n).filter(|share| bits >> share & 1 == 1).collect())
}

fn block(len: usize, salt: usize) -> Vec<f32> {
    (0..len).map(|i| (((i * 31 + salt * 17) * 7919 % 2003) as f32) / 1001.5 - 1.0).collect()
}

/// The cells of each share, for cells of sources that are these blocks.
fn encode(code: &dyn Code, cells: &[Vec<f32>]) -> Vec<Vec<Vec<f32>>> {
    let cell = |mixture: &Vec<(usize, f64)>| match &mixture[..] {
        // Between the ends of shares that stick out far there may be nothing.
        [] => vec![0.0; cells[0].len()],
        mixture => mix(&mixture.iter().map(|(at, c)| (*c, &cells[*at][..])).collect::<Vec<_>>()),
    };
    let share = |share: usize| code.encoder().share(share).iter().map(cell).collect();
    (0..code.shares()).map(share).collect()
}

fn decode(decoder: &Decoder, results: &[Vec<Vec<f32>>]) -> Vec<Vec<f32>> {
    let cells = decoder.decode(|place| &results[place.share][place.cell]);
    cells.into_iter().map(|cell| cell.into_owned()).collect()
}

/// One block a cell of the sources.
fn sources(code: &dyn Code, len: usize) -> Vec<Vec<f32>> {
    (0..code.sources() * code.encoder().cells()).map(|cell| block(len, cell)).collect()
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
                    assert_ne!(promised, Some(false), "{} decodes from {arrived:?}", code.name());
                    assert!(decoder.used().is_subset(&arrived), "{}: {arrived:?}", code.name());
                }
                Err(not_yet) => {
                    assert_ne!(promised, Some(true), "{} refuses {arrived:?}", code.name());
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
        let (n, tolerates) = (code.holders(), code.tolerates());
        let hands = |holders: &Arrived| {
            let hand = |holder: &usize| holder * code.hand()..(holder + 1) * code.hand();
            holders.iter().flat_map(hand).collect()
        };
        let decodable = |lost: usize| {
            let mut sets = subsets(n).filter(|s| s.len() == n - lost);
            sets.all(|s| code.decoder(&hands(&s)).is_ok())
        };
        assert!(decodable(tolerates), "{} tolerates {tolerates}", code.name());
        let one_more = tolerates + 1;
        assert!(one_more > n || !decodable(one_more), "{} tolerates more", code.name());
    }
}

#[test]
fn decoding_what_was_encoded_gives_the_sources_back() {
    for (code, _) in codes(10) {
        let sources = sources(code.as_ref(), 12);
        let results = encode(code.as_ref(), &sources);
        for arrived in subsets(code.shares()) {
            let Ok(decoder) = code.decoder(&arrived) else { continue };
            let error = worst_difference(&decode(&decoder, &results), &sources);
            let allowed = 4.0 * f64::from(f32::EPSILON) * decoder.condition;
            assert!(error <= allowed, "{} from {arrived:?}: {error} > {allowed}", code.name());
        }
    }
}

#[test]
fn plain_shares_are_taken_and_nothing_is_computed() {
    for (code, _) in codes(10) {
        let first = |source: usize| (0..code.shares()).find(|s| code.plain(*s) == Some(source));
        let Some(plain) = (0..code.sources()).map(first).collect::<Option<Arrived>>() else {
            continue;
        };
        let decoder = code.decoder(&plain).expect("all sources are there");
        assert_eq!((decoder.terms(), decoder.rebuilt().count()), (0, 0), "{}", code.name());
        assert_eq!((decoder.used(), decoder.condition), (plain, 1.0), "{}", code.name());
    }
}

/// Some shares of n, drawn from a number.
fn drawn(n: usize, size: usize, salt: u64) -> Arrived {
    let mut shares: Vec<usize> = (0..n).collect();
    shares.sort_by_key(|share| (*share as u64 + 1).wrapping_mul(salt | 1).rotate_left(17));
    shares[..size].iter().copied().collect()
}

proptest! {
    #[test]
    fn decoding_commutes_with_linear_maps(
        at in 0usize..10_000, bits in any::<u32>(), rows in 1usize..6, depth in 1usize..20,
    ) {
        let all = codes(10);
        let (code, _) = &all[at % all.len()];
        let arrived: Arrived = (0..code.shares()).filter(|share| bits >> share & 1 == 1).collect();
        let Ok(decoder) = code.decoder(&arrived) else { return Ok(()) };
        let weights = sources(code.as_ref(), rows * depth);
        let x = block(depth, 99);
        let times_x = |w: &Vec<f32>| {
            let mut y = vec![0.0; rows];
            product(w, &x, &mut y, rows, depth, 1);
            y
        };
        let results: Vec<Vec<Vec<f32>>> = encode(code.as_ref(), &weights)
            .iter()
            .map(|share| share.iter().map(times_x).collect())
            .collect();
        let plain: Vec<Vec<f32>> = weights.iter().map(times_x).collect();
        let error = worst_difference(&decode(&decoder, &results), &plain);
        let scale = 8.0 * f64::from(f32::EPSILON) * decoder.condition * depth as f64;
        prop_assert!(error <= scale, "{}: {}", code.name(), error);
    }

    #[test]
    fn large_codes_keep_the_laws(
        n in 11usize..=64, lost in 0usize..4, salt in any::<u64>(), power in 4u32..=6,
    ) {
        // Polar codes are of powers of two.
        let two = 1 << power;
        for (code, promise) in of_size(n, n - lost).into_iter().chain(of_size(two, two / 2)) {
            let arrived = match promise {
                Promise::AnyK => drawn(code.shares(), code.sources(), salt),
                Promise::EverySource => (0..code.sources()).collect(),
                Promise::Rank => continue,
                Promise::Sequence => {
                    drawn(code.shares(), code.shares() - code.tolerates(), salt)
                }
            };
            let decoder = code.decoder(&arrived).expect("a promised set");
            let sources = sources(code.as_ref(), 8);
            let error = worst_difference(&decode(&decoder, &encode(code.as_ref(), &sources)), &sources);
            let allowed = 4.0 * f64::from(f32::EPSILON) * decoder.condition;
            prop_assert!(error <= allowed, "{} from {:?}: {}", code.name(), arrived, error);
        }
    }
}

#[test]
fn the_mds_code_is_as_well_conditioned_as_the_best_published() {
    // Ramamoorthy and Tang's rotation code has 9, 29 and 200 here, a Chebyshev basis 29, 2e2, 4e3.
    for (n, k, most) in [(5, 4, 3.8), (6, 4, 7.7), (8, 6, 13.0), (10, 8, 18.1)] {
        let worst = worst_condition(&Mds::new(n, k), n - k);
        assert!(worst <= most, "({n}, {k}): {worst}");
    }
    let code = Mds::new(20, 17);
    let lost_three = (0u32..1 << 20).filter(|bits| bits.count_ones() == 17);
    let set = |bits: u32| (0..20).filter(|share| bits >> share & 1 == 1).collect();
    let worst = lost_three.map(|bits| code.decoder(&set(bits)).expect("17 shares").condition);
    assert!(worst.fold(0.0, f64::max) <= 261.0);
}

/// As measured with other code, which for (20, 17) sampled sets and so missed the worst of Chebyshev's:
/// those with neighbouring shares lost, ten times as bad.
#[test]
fn conditions_are_those_of_the_literature() {
    type Sized = fn(usize, usize) -> Arc<dyn Code>;
    let codes: [(Sized, [f64; 3]); 3] = [
        (|n, k| Arc::new(Vandermonde::new(n, k)), [2e4, 7e10, 1e15]),
        (|n, k| Arc::new(Chebyshev::new(n, k)), [29.0, 2e2, 4e4]),
        (|n, k| Arc::new(Rotation::new(n, k)), [9.0, 29.0, 2e2]),
    ];
    for (code, published) in codes {
        for ((n, k), published) in [(6, 4), (10, 8), (20, 17)].into_iter().zip(published) {
            let code = code(n, k);
            let worst = worst_condition(code.as_ref(), n - k);
            println!("{}: {worst:.3e}", code.name());
            let is_beyond = published == 1e15 && worst > published;
            let ratio = worst / published;
            assert!(is_beyond || (0.2..3.0).contains(&ratio), "{}: {worst:.2e}", code.name());
        }
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
    let shift_add = || Arc::new(ShiftAdd::new(6, 4, Some(8), Form::Systematic));
    let lt = || Arc::new(Lt::new(3, 2, 2, Form::Systematic));
    let cases: [Case<'_>; 15] = [
        ("mds 6 4", Arc::new(Mds::new(6, 4)), &[0, 2, 3], "NotYet: 1 more"),
        ("mds 6 4", Arc::new(Mds::new(6, 4)), &[0, 1, 2, 3], "plain"),
        ("mds 6 4", Arc::new(Mds::new(6, 4)), &[1, 3, 4, 5], "rebuilds 0 2"),
        ("parity 3", Arc::new(Parity::new(3)), &[0, 2, 3], "rebuilds 1"),
        ("parity 3", Arc::new(Parity::new(3)), &[3], "NotYet: 2 more"),
        ("replication 5 2", Arc::new(Replication::new(5, 2)), &[0, 2, 4], "NotYet: 1 more"),
        ("replication 5 2", Arc::new(Replication::new(5, 2)), &[3, 4], "plain"),
        ("rotation 5 3", Arc::new(Rotation::new(5, 3)), &[0, 1, 2], "rebuilds 0 1 2"),
        ("shift-add 6 4", shift_add(), &[1, 3, 4, 5], "rebuilds 0 2"),
        ("shift-add 6 4", shift_add(), &[1, 3, 5], "NotYet: 1 more"),
        ("lt 3 2 in 2", lt(), &[0, 2, 4], "NotYet: 1 more"),
        ("lt 3 2 in 2", lt(), &[0, 1, 2, 4], "plain"),
        ("lt 3 2 in 2", lt(), &[0, 1, 2, 5], "rebuilds 3"),
        ("polar 8 4", Arc::new(Polar::new(8, 4)), &[3, 5, 6, 7], "rebuilds 0 1 2"),
        ("polar 8 4", Arc::new(Polar::new(8, 4)), &[0, 1, 2, 3], "NotYet: 1 more"),
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What has arrived when is anybody's guess: any part of every hand, from its beginning.
    #[test]
    fn large_rateless_codes_decode_from_parts_of_hands_when_these_tell_all(
        sizes in (3usize..=12).prop_flat_map(|n| (Just(n), 1..n)), blocks in 2usize..=16,
        parts in proptest::collection::vec(0.0..1.0f64, 12), mixed in any::<bool>(),
    ) {
        let (n, k) = sizes;
        let form = if mixed { Form::Mixed } else { Form::Systematic };
        let code = Lt::new(n, k, blocks, form);
        // From empty hands to full ones.
        let done = |holder: usize| ((parts[holder] * 2.0).min(1.0) * blocks as f64) as usize;
        let hand = |holder: usize| holder * blocks..holder * blocks + done(holder);
        let arrived: Arrived = (0..n).flat_map(hand).collect();
        let tells_all = rank(&code, &arrived) == code.sources();
        // And the same that may not amplify at all, which is as little as it can.
        let strict = code.fitted(code.sources(), 1.0).expect("a policy counts");
        let mut least = f64::INFINITY;
        for code in [&code, strict.as_ref() as &dyn Code] {
            let decoder = code.decoder(&arrived);
            prop_assert_eq!(decoder.is_ok(), tells_all, "{} {:?}", code.name(), arrived);
            let Ok(decoder) = decoder else { continue };
            prop_assert!(decoder.condition <= least, "{} > {}", decoder.condition, least);
            least = decoder.condition;
            let sources = sources(code, 8);
            let error = worst_difference(&decode(&decoder, &encode(code, &sources)), &sources);
            let allowed = 4.0 * f64::from(f32::EPSILON) * decoder.condition;
            prop_assert!(error <= allowed, "{}: {error} > {allowed}", code.name());
        }
    }
}
