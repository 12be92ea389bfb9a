//! Who is signed in, and which auctions there are: in memory, shared by all workers.
//!
//! The session check is the one that Gavel does: the token's SHA-256 is looked up. Accounts are not kept.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};

use sha2::{Digest, Sha256};
use uuid::Uuid;

type TokenHash = [u8; 32];

/// What was said when an auction was opened.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    pub(crate) start_price: i64,
    pub(crate) ends_at: String,
}

/// Sessions and auctions.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    users: AtomicI64,
    tokens: RwLock<HashMap<TokenHash, i64>>,
    opened: AtomicI64,
    auctions: RwLock<HashMap<i64, Terms>>,
}

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}

impl Sessions {
    /// Numbers a new user.
    pub(crate) fn sign_up(&self) -> i64 {
        self.users.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// A fresh token, for a user of its own.
    pub(crate) fn sign_in(&self) -> String {
        let token = Uuid::new_v4().simple().to_string();
        let user = self.sign_up();
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).insert(hash(&token), user);
        token
    }

    /// Whose `token` it is.
    pub(crate) fn user(&self, token: &str) -> Option<i64> {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).get(&hash(token)).copied()
    }

    /// Remembers an auction and numbers it.
    pub(crate) fn open(&self, terms: Terms) -> i64 {
        let id = self.opened.fetch_add(1, Ordering::Relaxed) + 1;
        self.auctions.write().unwrap_or_else(PoisonError::into_inner).insert(id, terms);
        id
    }

    /// The terms of an auction, if there is one.
    pub(crate) fn terms(&self, auction: i64) -> Option<Terms> {
        self.auctions.read().unwrap_or_else(PoisonError::into_inner).get(&auction).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_by_its_hash_alone() {
        let sessions = Sessions::default();
        let (first, second) = (sessions.sign_in(), sessions.sign_in());
        assert_ne!(sessions.user(&first), sessions.user(&second));
        assert_eq!(sessions.user("guessed"), None);
    }

    #[test]
    fn an_auction_is_found_under_its_number() {
        let sessions = Sessions::default();
        let id = sessions.open(Terms { start_price: 5, ends_at: "later".to_owned() });
        assert_eq!(sessions.terms(id).unwrap().start_price, 5);
        assert!(sessions.terms(id + 1).is_none());
    }
}
