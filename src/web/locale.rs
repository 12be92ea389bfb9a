//! Which language a page is in: the address, then the cookie, then what the browser asks for.

/// A language that the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lang {
    Ko,
    En,
}

/// The cookie that remembers a choice.
pub const LANG_COOKIE: &str = "lang";

impl Lang {
    /// The language's code, as in `<html lang>`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Ko => "ko",
            Self::En => "en",
        }
    }

    /// The language with this code, if the pages speak it.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        match code {
            "ko" => Some(Self::Ko),
            "en" => Some(Self::En),
            _ => None,
        }
    }

    /// The language for a visitor: `?lang=`, else the cookie, else the best of `Accept-Language`, else English.
    #[must_use]
    pub fn choose(query: Option<&str>, cookie: Option<&str>, accept: Option<&str>) -> Self {
        query
            .and_then(Self::from_code)
            .or_else(|| cookie.and_then(Self::from_code))
            .or_else(|| accept.and_then(Self::best_of))
            .unwrap_or(Self::En)
    }

    /// The language of `Accept-Language` with the highest weight; the first of equals.
    fn best_of(accept: &str) -> Option<Self> {
        let mut best: Option<(u32, Self)> = None;
        for range in accept.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=").map(thousandths)).unwrap_or(1_000);
            let primary = tag.split('-').next().unwrap_or_default();
            if let Some(lang) = Self::from_code(primary)
                && weight > 0
                && best.is_none_or(|(most, _)| weight > most)
            {
                best = Some((weight, lang));
            }
        }
        best.map(|(_, lang)| lang)
    }
}

/// A quality value (`0.8`) in thousandths; what cannot be read counts as nothing.
fn thousandths(quality: &str) -> u32 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    match (whole.parse::<u32>(), fraction.parse::<u32>()) {
        (Ok(0), Ok(thousandths)) => thousandths,
        (Ok(1), Ok(_)) => 1_000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_wins_over_the_cookie_and_the_cookie_over_the_browser() {
        assert_eq!(Lang::choose(Some("ko"), Some("en"), Some("en")), Lang::Ko);
        assert_eq!(Lang::choose(None, Some("ko"), Some("en")), Lang::Ko);
        assert_eq!(Lang::choose(Some("xx"), Some("nonsense"), Some("ko-KR,ko;q=0.9")), Lang::Ko);
    }

    #[test]
    fn the_browser_gets_the_language_it_wants_most() {
        assert_eq!(Lang::choose(None, None, Some("en-GB,en;q=0.9,ko;q=0.8")), Lang::En);
        assert_eq!(Lang::choose(None, None, Some("en;q=0.5, ko;q=0.7")), Lang::Ko);
        assert_eq!(Lang::choose(None, None, Some("fr-FR,fr;q=0.9,ko;q=0.1")), Lang::Ko);
        assert_eq!(Lang::choose(None, None, Some("ko;q=0,en;q=0.1")), Lang::En);
    }

    #[test]
    fn a_visitor_who_asks_for_neither_reads_english() {
        assert_eq!(Lang::choose(None, None, Some("fr,de;q=0.5")), Lang::En);
        assert_eq!(Lang::choose(None, None, None), Lang::En);
        assert_eq!(Lang::choose(None, None, Some(";;,=,q=")), Lang::En);
    }
}
