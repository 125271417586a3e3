//! "Did you mean": the known word that is nearest to one that nobody knows. The only home of strsim.

/// The most letters that may differ; of a short word never more than half of it.
const LETTERS: usize = 3;

/// The nearest of the known words, without case; None where none is near.
pub fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_uppercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&word.to_ascii_uppercase(), &written);
    let near = known.map(|word| (distance(word), word)).filter(|(far, word)| *far <= LETTERS && far * 2 <= word.len());
    near.min_by_key(|(far, _)| *far).map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn what_is_near_is_found_and_what_is_far_is_not_guessed_at() {
        let find = |written| nearest(written, ["ovh", "cloudflare", "exec"].into_iter());
        assert_eq!(find("CloudFare"), Some("cloudflare"));
        assert_eq!(find("exce"), Some("exec"));
        assert_eq!(find("foo"), None);
        assert_eq!(find("cloud"), None);
    }
}
