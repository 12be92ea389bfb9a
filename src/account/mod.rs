//! Users, their passwords and sign-ins, and the rate limits on what they do.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::domain::{Bidder, Timestamp, UserId};
use crate::store::{Store, StoreError, TokenHash};

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

/// A valid sign-in: who, by which token, until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    pub user: User,
    pub token: TokenHash,
    pub expires_at: Timestamp,
}

/// A token as it is handed out, once.
#[derive(Debug, Clone)]
pub struct Issued {
    pub token: String,
    pub expires_at: Timestamp,
    pub user: User,
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

/// Sign-up, sign-in, sign-out.
pub struct Accounts {}

impl Accounts {
    #[must_use]
    pub fn new(_store: Arc<dyn Store>, _clock: Arc<Clock>, _on_sign_out: Arc<dyn SignOutListener>) -> Self {
        Self {}
    }

    pub async fn sign_up(&self, _email: &str, _nick: &str, _password: &str) -> Result<User, AccountError> {
        Err(AccountError::Overloaded)
    }

    pub async fn sign_in(&self, _email: &str, _password: &str) -> Result<Issued, AccountError> {
        Err(AccountError::Overloaded)
    }

    /// The sign-in that `token` stands for, if it is valid now. Answers from memory when it can.
    pub async fn authenticate(&self, _token: &str) -> Result<Option<Arc<SignedIn>>, StoreError> {
        Ok(None)
    }

    /// Ends the sign-in and its live streams. Ending it twice is no error.
    pub async fn sign_out(&self, _token: TokenHash) -> Result<(), StoreError> {
        Ok(())
    }
}

/// What is limited; see `settings::RateLimits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limited {
    Bid,
    SignIn,
    SignUp,
    Write,
    Read,
    Stream,
}

/// Whose rate it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    User(UserId),
    Address(std::net::IpAddr),
}

/// One limiter for HTTP, SSE and WebSocket.
pub struct Limiter {}

impl Limiter {
    #[must_use]
    pub fn new(_rates: crate::settings::RateLimits) -> Self {
        Self {}
    }

    /// Takes one unit of `who`'s allowance.
    ///
    /// # Errors
    /// How long to wait before the next try.
    pub fn check(&self, _what: Limited, _who: Who) -> Result<(), Duration> {
        Ok(())
    }
}
