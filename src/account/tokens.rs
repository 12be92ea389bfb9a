//! Sign-in tokens: how they are made, and those that this node remembers.
//!
//! A token is 256 random bits as hexadecimal text. Only its SHA-256 is stored or remembered, so a
//! leaked store signs nobody in; a fast hash is enough for 256 random bits.

use std::sync::{Arc, Mutex, PoisonError};

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

use super::SignedIn;
use crate::domain::Timestamp;
use crate::limits::{TOKEN_RECHECK, TOKENS_CACHED_MAX};
use crate::store::TokenHash;

const TOKEN_BYTES: usize = 32;

/// A new token's text.
pub(super) fn mint() -> String {
    hex(&rand::random::<[u8; TOKEN_BYTES]>())
}

/// What is stored of `token`; `None` when no token has this form.
pub(super) fn hash_of(token: &str) -> Option<TokenHash> {
    let is_token = token.len() == 2 * TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_token.then(|| Sha256::digest(token.as_bytes()).into())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for digit in [byte >> 4, byte & 0xf] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
        text
    })
}

#[derive(Clone)]
struct Remembered {
    signed_in: Arc<SignedIn>,
    fresh_until: Timestamp,
}

/// The sign-ins that were looked up lately.
pub(super) struct Cached {
    entries: Cache<TokenHash, Remembered>,
    /// Counts the ends of sign-ins. Held while an entry comes or goes, so that a look-up that began
    /// before a sign-out can never bring its token back after it.
    ends: Mutex<u64>,
}

/// Taken before a look-up, given back with its result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked(u64);

impl Cached {
    pub(super) fn new() -> Self {
        Self { entries: Cache::new(TOKENS_CACHED_MAX), ends: Mutex::new(0) }
    }

    /// The sign-in by `token`, if it is remembered, fresh and not expired.
    pub(super) fn get(&self, token: &TokenHash, now: Timestamp) -> Option<Arc<SignedIn>> {
        let found = self.entries.get(token)?;
        (now < found.fresh_until).then_some(found.signed_in)
    }

    /// To be called before the store is asked about a token.
    pub(super) fn ask(&self) -> Asked {
        Asked(*self.ends.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers what the store said, unless a sign-in ended since it was asked.
    pub(super) fn remember(&self, asked: Asked, signed_in: &Arc<SignedIn>, now: Timestamp) {
        let fresh_until = signed_in.expires_at.min(now.plus(TOKEN_RECHECK));
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if *ends == asked.0 {
            self.entries.insert(signed_in.token, Remembered { signed_in: Arc::clone(signed_in), fresh_until });
        }
    }

    /// Forgets `token`, which the store has ended already.
    pub(super) fn end(&self, token: &TokenHash) {
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        *ends = ends.wrapping_add(1);
        self.entries.remove(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::User;
    use crate::domain::{Span, UserId};

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn signed_in(life: Span) -> Arc<SignedIn> {
        let user = User { id: UserId(1), email: "ann@example.com".into(), nick: "ann".into() };
        Arc::new(SignedIn { user, token: [7; 32], expires_at: NOW.plus(life) })
    }

    #[test]
    fn tokens_are_long_random_and_known_by_their_hash_alone() {
        let (one, two) = (mint(), mint());
        assert_ne!(one, two);
        assert_eq!(one.len(), 64);
        assert!(hash_of(&one).is_some());
        assert_ne!(hash_of(&one), hash_of(&two));
        for wrong in ["", "abc", &one[1..], &format!("{one}0"), &"g".repeat(64)] {
            assert_eq!(hash_of(wrong), None);
        }
        assert_eq!(hex(&[0x00, 0x9f, 0xff]), "009fff");
    }

    #[test]
    fn a_remembered_sign_in_is_looked_up_again_after_a_while_and_never_outlives_its_end() {
        let cached = Cached::new();
        cached.remember(cached.ask(), &signed_in(Span::from_secs(3_600)), NOW);
        assert!(cached.get(&[7; 32], NOW).is_some());
        assert!(cached.get(&[7; 32], NOW.plus(TOKEN_RECHECK)).is_none());
        cached.remember(cached.ask(), &signed_in(Span::from_secs(5)), NOW);
        assert!(cached.get(&[7; 32], NOW.plus(Span::from_secs(4))).is_some());
        assert!(cached.get(&[7; 32], NOW.plus(Span::from_secs(5))).is_none());
    }

    #[test]
    fn a_look_up_that_began_before_a_sign_out_cannot_bring_the_token_back() {
        let cached = Cached::new();
        let asked = cached.ask();
        cached.end(&[7; 32]);
        cached.remember(asked, &signed_in(Span::from_secs(3_600)), NOW);
        assert!(cached.get(&[7; 32], NOW).is_none());
    }
}
