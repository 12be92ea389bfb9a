//! What the nodes of one cluster know and nobody else: shown with each request on the node link.
//!
//! It never travels, only a token derived from it; neither is ever logged.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::limits;

/// A cluster's shared secret.
#[derive(Clone)]
pub struct Secret {
    token: Arc<str>,
    digest: [u8; 32],
}

impl Secret {
    /// From the text that all nodes are given; `None` if it is shorter than `limits::LINK_SECRET_BYTES_MIN`.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        if text.len() < limits::LINK_SECRET_BYTES_MIN {
            return None;
        }
        let derived: [u8; 32] = Sha256::new().chain_update(b"gavel node link\0").chain_update(text).finalize().into();
        let token: Arc<str> = derived.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")).into();
        let digest = Sha256::digest(token.as_bytes()).into();
        Some(Self { token, digest })
    }

    /// What is shown to other nodes.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Whether `shown` is the token. Takes the same time wherever they differ: digests are compared, and whole.
    pub(super) fn admits(&self, shown: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        let differing = shown.iter().zip(&self.digest).fold(0, |all, (one, other)| all | (one ^ other));
        std::hint::black_box(differing) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_admits_and_none_is_ever_shown() {
        let secret = Secret::new("a long enough secret").unwrap();
        let other = Secret::new("a long enough Secret").unwrap();
        assert!(secret.admits(secret.token()));
        assert!(!secret.admits(other.token()) && !secret.admits("") && !secret.admits("a long enough secret"));
        assert!(!format!("{secret:?}").contains(secret.token()));
    }

    #[test]
    fn a_short_secret_is_none() {
        assert!(Secret::new("").is_none());
        assert!(Secret::new(&"x".repeat(limits::LINK_SECRET_BYTES_MIN - 1)).is_none());
        assert!(Secret::new(&"x".repeat(limits::LINK_SECRET_BYTES_MIN)).is_some());
    }
}
