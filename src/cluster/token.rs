//! What a node shows to another one: derived from the secret that all nodes of a cluster are given.
//!
//! The secret itself never travels; neither is ever logged.

use std::fmt;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::settings::Secret;

/// Proof of belonging to the cluster.
#[derive(Clone)]
pub(super) struct Token {
    text: Arc<str>,
    digest: [u8; 32],
}

impl Token {
    /// Of a secret that the settings found long enough.
    pub(super) fn of(secret: &Secret) -> Self {
        let derived = Sha256::new().chain_update("gavel node link\0").chain_update(secret.reveal()).finalize();
        let text: Arc<str> = derived.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")).into();
        let digest = Sha256::digest(text.as_bytes()).into();
        Self { text, digest }
    }

    /// What is shown to other nodes.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether `shown` is the token. Takes the same time wherever they differ: digests are compared, and whole.
    pub(super) fn admits(&self, shown: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        let differing = shown.iter().zip(&self.digest).fold(0, |all, (one, other)| all | (one ^ other));
        std::hint::black_box(differing) == 0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(secret: &str) -> Token {
        Token::of(&Secret::from(secret.to_owned()))
    }

    #[test]
    fn only_the_same_secret_admits_and_nothing_of_it_is_shown() {
        let (ours, theirs) = (token("a long enough secret"), token("a long enough Secret"));
        assert!(ours.admits(token("a long enough secret").text()));
        assert!(!ours.admits(theirs.text()) && !ours.admits("") && !ours.admits("a long enough secret"));
        assert!(!ours.text().contains("secret") && !format!("{ours:?}").contains(ours.text()));
    }
}
