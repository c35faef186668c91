//! Sorting for what is read once: the standard library's own is in the module again for each type
//! that is sorted, 5 to 20 KiB a time, and each of Envoy's workers would compile them all.

use std::cmp::Ordering;

/// The items in the order of `compare`; equal ones stay as they stand.
pub(crate) fn sorted_by<T>(items: Vec<T>, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    let order = order(items.len(), &|one, two| {
        items
            .get(one)
            .zip(items.get(two))
            .map_or(Ordering::Equal, |(one, two)| compare(one, two))
    });
    let mut items: Vec<Option<T>> = items.into_iter().map(Some).collect();
    let take = |at: usize| items.get_mut(at).and_then(Option::take);
    order.into_iter().filter_map(take).collect()
}

/// The numbers below `count` in the order of `compare`.
fn order(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_unstable_by(|&one, &two| compare(one, two).then(one.cmp(&two)));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_standard_librarys() {
        let mut seed = 7_u64;
        for count in 0..60 {
            let number = |at: usize| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (seed >> 60, at)
            };
            let items: Vec<_> = (0..count).map(number).collect();
            let mut expected = items.clone();
            expected.sort_by_key(|&(key, _)| key);
            assert_eq!(sorted_by(items, |one, two| one.0.cmp(&two.0)), expected);
        }
    }
}
