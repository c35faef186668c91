//! Did you mean.

/// The word of `words` that `name` was most likely meant to be: at most a third of its
/// letters differ. `None`: none is near.
pub fn nearest<'w>(name: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let most = name.len().max(3) / 3;
    let words = words.filter(|word| word.len().abs_diff(name.len()) <= most);
    let near = words.map(|word| (distance(name, word), word));
    let (distance, word) = near.min_by_key(|(distance, _)| *distance)?;
    (distance <= most).then_some(word)
}

/// Letters to insert, remove or replace (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.bytes().enumerate() {
        let mut before = i;
        let mut left = i.saturating_add(1);
        for (cell, b) in row.iter_mut().skip(1).zip(to.bytes()) {
            let replaced = before.saturating_add(usize::from(a != b));
            before = *cell;
            left = replaced
                .min(before.saturating_add(1))
                .min(left.saturating_add(1));
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or_default()
}
