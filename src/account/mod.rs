//! Users, their passwords and sign-ins, and the rate limits on what they do.
//!
//! [`service`](Accounts) is the way in; [`fields`] says what people may type, `password` hashes
//! within a bound, `tokens` remembers who is signed in, [`limiter`](Limiter) counts. This room must
//! never log or keep a password or a token, and knows neither HTTP nor SQL.

use std::sync::Arc;

use crate::domain::{Bidder, Timestamp, UserId};
use crate::store::{StoreError, StoredUser, TokenHash};

pub mod fields;
mod limiter;
mod open_streams;
mod password;
mod service;
mod tokens;

pub use limiter::{Limited, Limiter, SharedTally, Who};
pub use open_streams::HeldStream;
pub use service::Accounts;

/// A user as the server knows them after sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    pub email: Arc<str>,
    pub nick: Arc<str>,
}

impl User {
    /// The user as others see them in an auction.
    #[must_use]
    pub fn bidder(&self) -> Bidder {
        Bidder { id: self.id, nick: Arc::clone(&self.nick) }
    }
}

impl From<StoredUser> for User {
    fn from(stored: StoredUser) -> Self {
        Self { id: stored.id, email: stored.email, nick: stored.nick }
    }
}

/// A valid sign-in: who, by which token, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    pub user: User,
    pub token: TokenHash,
    pub expires_at: Timestamp,
}

/// A token as it is handed out, once.
#[derive(Clone)]
pub struct Issued {
    pub token: String,
    pub expires_at: Timestamp,
    pub user: User,
}

/// Without the token, so that it cannot slip into a log.
impl std::fmt::Debug for Issued {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Issued")
            .field("expires_at", &self.expires_at)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why an account request failed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Field name and what would be right, at least one.
    #[error("invalid fields")]
    Invalid(Vec<(&'static str, String)>),
    /// Same words and time whether the user is unknown or the password wrong.
    #[error("wrong e-mail address or password")]
    BadCredentials,
    /// Too many passwords wait to be hashed.
    #[error("too much sign-in work is waiting")]
    Overloaded,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Told when a sign-in ends before its time, so that its live streams end too.
pub trait SignOutListener: Send + Sync {
    fn signed_out(&self, token: TokenHash);
}
