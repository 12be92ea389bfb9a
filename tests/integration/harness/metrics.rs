//! Reads `/metrics` as Prometheus does, strictly.

use super::Client;

/// The samples of one reading: name, labels, value.
#[derive(Debug)]
pub(crate) struct Metrics(Vec<(String, String, f64)>);

impl Metrics {
    /// Reads and parses; fails on a line that is not Prometheus text format.
    pub(crate) async fn read(client: &Client) -> Self {
        let reply = client.get("/metrics").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.header("content-type").starts_with("text/plain"), "{reply:?}");
        assert!(reply.text.ends_with('\n'), "the last line has no end");
        Self(reply.text.lines().filter(|line| !is_comment(line)).map(sample).collect())
    }

    /// The sum of all samples of `name` whose labels contain `label` (such as `kind="sse"`; empty for all).
    pub(crate) fn sum(&self, name: &str, label: &str) -> f64 {
        let matching = self.0.iter().filter(|(its, labels, _)| its == name && labels.contains(label));
        matching.map(|(.., value)| value).sum()
    }

    /// All names, for messages.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names = self.0.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>();
        names.dedup();
        names
    }
}

fn is_comment(line: &str) -> bool {
    if let Some(comment) = line.strip_prefix('#') {
        let mut words = comment.split_whitespace();
        if words.next() == Some("TYPE") {
            let kind = words.nth(1);
            let known = ["counter", "gauge", "histogram", "summary", "untyped"];
            assert!(kind.is_some_and(|kind| known.contains(&kind)), "an unknown type: {line}");
        }
        return true;
    }
    line.trim().is_empty()
}

fn sample(line: &str) -> (String, String, f64) {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}').unwrap_or_else(|| panic!("open labels: {line}"))),
        None => (series, ""),
    };
    let first = name.chars().next().unwrap_or('0');
    let rest = name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':'));
    assert!(rest && !first.is_ascii_digit(), "not a metric's name: {line}");
    let value = match value {
        "+Inf" => f64::INFINITY,
        "-Inf" => f64::NEG_INFINITY,
        "NaN" => f64::NAN,
        number => number.parse().unwrap_or_else(|_| panic!("not a number: {line}")),
    };
    (name.to_owned(), labels.to_owned(), value)
}
