//! Named figures of one measurement, and the median of several.

use std::collections::BTreeMap;

/// Figures by name; the name ends in the unit.
pub(crate) type Figures = BTreeMap<String, f64>;

/// The median of each figure over all rounds that have it.
pub(crate) fn medians(rounds: &[Figures]) -> Figures {
    let mut all: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (name, value) in rounds.iter().flatten() {
        all.entry(name).or_default().push(*value);
    }
    all.into_iter().map(|(name, values)| (name.to_owned(), median(values))).collect()
}

/// The middle one; of an even number the mean of the two in the middle. 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.len() % 2) {
        (Some(upper), 0) => f64::midpoint(values[middle - 1], *upper),
        (Some(middle), _) => *middle,
        (None, _) => 0.0,
    }
}

/// A count as a figure.
#[allow(clippy::cast_precision_loss, reason = "figures for people")]
pub(crate) fn float(count: impl TryInto<u64>) -> f64 {
    count.try_into().unwrap_or(u64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]).to_bits(), 5.0_f64.to_bits());
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]).to_bits(), 2.5_f64.to_bits());
        assert_eq!(median(Vec::new()).to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_round_without_a_figure_does_not_pull_its_median_down() {
        let round = |value: f64| Figures::from([("a".to_owned(), value)]);
        let found = medians(&[round(3.0), Figures::new(), round(3.0)]);
        assert_eq!(found["a"].to_bits(), 3.0_f64.to_bits());
    }
}
