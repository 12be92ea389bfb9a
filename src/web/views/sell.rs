//! The form for a new item.

use askama::Template;

use super::Frame;
use crate::domain::Currency;

/// What was typed into the form for a new item.
#[derive(Debug, Clone, Default)]
pub struct SellFields {
    pub name: String,
    pub price: String,
    pub currency: String,
    pub min_increment: String,
    pub duration_s: String,
    pub description: String,
}

/// `GET /good`, and `POST /good` again when something is wrong.
#[derive(Template)]
#[template(path = "sell.html", config = "src/web/askama.toml")]
pub struct SellPage {
    pub f: Frame,
    pub fields: SellFields,
}

impl SellPage {
    /// Currencies to choose from: code and whether it is chosen.
    pub fn currencies(&self) -> Vec<(&'static str, bool)> {
        let chosen = Currency::from_code(&self.fields.currency).unwrap_or(Currency::DEFAULT);
        Currency::ALL.into_iter().map(|currency| (currency.code(), currency == chosen)).collect()
    }

    /// Durations to choose from: seconds, their name and whether they are chosen.
    pub fn durations(&self) -> Vec<(&'static str, String, bool)> {
        let chosen = if self.fields.duration_s.is_empty() { "86400" } else { &self.fields.duration_s };
        let minutes = |count: &str| self.f.tv("sell.minutes", "count", count);
        let hours = |count: &str| self.f.tv("sell.hours", "count", count);
        let days = |count: &str| self.f.tv("sell.days", "count", count);
        [
            ("600", minutes("10")),
            ("3600", self.f.t("sell.hour").into_owned()),
            ("21600", hours("6")),
            ("86400", self.f.t("sell.day").into_owned()),
            ("259200", days("3")),
            ("604800", days("7")),
        ]
        .into_iter()
        .map(|(seconds, name)| (seconds, name, seconds == chosen))
        .collect()
    }
}
