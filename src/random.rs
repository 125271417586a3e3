//! Random inputs for the property tests: a bounded number in `make test`, as many as fit into a
//! time in `make fuzz`.
//!
//! A generator of our own, so that a finding repeats everywhere: xorshift64* (Vigna, "An
//! experimental exploration of Marsaglia's xorshift generators, scrambled", 2016). FUZZ_SECONDS
//! says how long a property is tried, FUZZ_SEED with which seed it begins; a failure names its own.

use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// Rounds without FUZZ_SECONDS, always the same ones.
const ROUNDS: u64 = 3_000;

/// Tries a property on one input after the other; it panics on one for which it does not hold.
pub fn property(check: impl Fn(&mut Random)) {
    let number = |name: &str| {
        let written = std::env::var(name).ok();
        written.map(|text| text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
    };
    let long = number("FUZZ_SECONDS").map(Duration::from_secs);
    let any = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_nanos() as u64;
    let first = number("FUZZ_SEED").unwrap_or_else(|| if long.is_some() { any() } else { 0 });
    let began = Instant::now();
    let is_over = |rounds: u64| long.map_or(rounds == ROUNDS, |long| began.elapsed() >= long);
    let mut rounds = 0;
    while !is_over(rounds) {
        let seed = Seed(first.wrapping_add(rounds));
        check(&mut Random::new(seed.0));
        rounds += 1;
    }
    if long.is_some() {
        let name = thread::current().name().unwrap_or_default().to_string();
        println!("{name}: FUZZ_SEED={first}, {rounds} rounds in {} s", began.elapsed().as_secs());
    }
}

/// Names itself when its round fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("to repeat this at once: FUZZ_SEED={}", self.0);
        }
    }
}

pub struct Random(u64);

impl Random {
    fn new(seed: u64) -> Random {
        // Seeds that follow each other must not give inputs that resemble each other; 0 is the one
        // state that the generator cannot leave.
        let mut random = Random((seed ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9).max(1));
        for _ in 0..4 {
            random.number();
        }
        random
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// From 0 to one less than `limit`.
    pub fn below(&mut self, limit: usize) -> usize {
        (((self.number() >> 32) * limit as u64) >> 32) as usize
    }

    /// True once in so many times.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// At most so many.
    pub fn some<T>(&mut self, most: usize, mut one: impl FnMut(&mut Random) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| one(self)).collect()
    }

    /// At most so many of the pieces in a row, now and then any character among them.
    pub fn text(&mut self, pieces: &[&str], most: usize) -> String {
        let piece = |random: &mut Random| match random.once_in(12) {
            true => char::from_u32(random.below(0x250) as u32).unwrap_or('\u{fffd}').to_string(),
            false => random.one_of(pieces).to_string(),
        };
        self.some(most, piece).concat()
    }

    /// A few octets changed, inserted, removed, repeated, or the end cut off.
    pub fn mutated(&mut self, octets: &[u8]) -> Vec<u8> {
        let mut octets = octets.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(octets.len() + 1);
            let to = (at + self.below(8)).min(octets.len());
            match self.below(6) {
                0 => octets.insert(at, self.number() as u8),
                1 => drop(octets.drain(at..to)),
                2 => octets.extend_from_within(at..to),
                3 => octets.truncate(octets.len() - self.below(8).min(octets.len())),
                _ if at < octets.len() => {
                    let octet = self.number() as u8;
                    octets[at] = self.one_of(&[octet, octets[at] ^ 1 << (octet & 7), 0, 0xff, 0xc0]);
                }
                _ => {}
            }
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_the_next_one_others() {
        let inputs = |seed| {
            let mut random = Random::new(seed);
            (random.number(), random.text(&["a", "b"], 30), random.mutated(&[0; 30]))
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
    }

    #[test]
    fn every_choice_comes_up() {
        let mut random = Random::new(0);
        let mut seen = [0; 10];
        (0..1000).for_each(|_| seen[random.below(10)] += 1);
        assert!(seen.iter().all(|count| (50..200).contains(count)), "{seen:?}");
    }
}
