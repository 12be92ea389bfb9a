//! Sign-up, sign-in, sign-out, and who a token stands for.

use std::sync::Arc;

use super::password::Passwords;
use super::tokens::{self, Cached};
use super::{AccountError, Issued, SignOutListener, SignedIn, User, fields};
use crate::clock::Clock;
use crate::domain::{Timestamp, UserId};
use crate::limits::TOKEN_LIFE;
use crate::store::{SignUp, Store, StoreError, TokenHash};

/// Sign-up, sign-in, sign-out.
pub struct Accounts {
    store: Arc<dyn Store>,
    clock: Arc<Clock>,
    on_sign_out: Arc<dyn SignOutListener>,
    passwords: Passwords,
    cached: Arc<Cached>,
}

impl Accounts {
    #[must_use]
    pub fn new(store: Arc<dyn Store>, clock: Arc<Clock>, on_sign_out: Arc<dyn SignOutListener>) -> Self {
        Self { store, clock, on_sign_out, passwords: Passwords::new(), cached: Arc::new(Cached::new()) }
    }

    /// Makes a user. All faulty fields are told at once.
    pub async fn sign_up(&self, email: &str, nick: &str, password: &str) -> Result<User, AccountError> {
        let fields = fields::sign_up(email, nick, password).map_err(AccountError::Invalid)?;
        let hash = self.passwords.hash(fields.password).await?;
        match self.store.create_user(fields.email, fields.nick, &hash, self.clock.now()).await? {
            SignUp::Created(user) => Ok(User::from(user)),
            SignUp::EmailTaken => Err(AccountError::EmailTaken),
        }
    }

    /// Hands out a token, if the password is the user's. Takes as long and says the same whether the
    /// user is unknown or the password wrong.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Issued, AccountError> {
        let found = self.store.user_by_email(email.trim()).await?;
        let stored_hash = found.as_ref().map(|user| Arc::clone(&user.password_hash));
        let fits = self.passwords.verify(password, stored_hash).await?;
        let Some(user) = found.filter(|_| fits) else {
            return Err(AccountError::BadCredentials);
        };
        let token = tokens::mint();
        let hash = tokens::hash_of(&token).ok_or(AccountError::BadCredentials)?;
        let now = self.clock.now();
        let expires_at = now.plus(TOKEN_LIFE);
        self.keep(hash, user.id, now, expires_at).await?;
        Ok(Issued { token, expires_at, user: User::from(user) })
    }

    /// Stores a token, and ends the sign-ins that the store let go for it. Like a sign-out it runs to its end.
    async fn keep(
        &self,
        token: TokenHash,
        user: UserId,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let (store, cached) = (Arc::clone(&self.store), Arc::clone(&self.cached));
        let on_sign_out = Arc::clone(&self.on_sign_out);
        let keeping = tokio::spawn(async move {
            for gone in store.create_token(token, user, now, expires_at).await? {
                cached.end(&gone);
                on_sign_out.signed_out(gone);
            }
            Ok(())
        });
        keeping.await.unwrap_or_else(|error| Err(StoreError::OutcomeUnknown(error.to_string())))
    }

    /// The sign-in that `token` stands for, if it is valid now and in memory.
    #[must_use]
    pub fn remembered(&self, token: &str) -> Option<Arc<SignedIn>> {
        self.cached.get(&tokens::hash_of(token)?, self.clock.now())
    }

    /// The sign-in that `token` stands for, if it is valid now. Answers from memory when it can.
    pub async fn authenticate(&self, token: &str) -> Result<Option<Arc<SignedIn>>, StoreError> {
        let Some(hash) = tokens::hash_of(token) else {
            return Ok(None);
        };
        let now = self.clock.now();
        if let Some(signed_in) = self.cached.get(&hash, now) {
            return Ok(Some(signed_in));
        }
        let asked = self.cached.ask();
        let Some((user, expires_at)) = self.store.token_user(hash, now).await? else {
            return Ok(None);
        };
        let signed_in = Arc::new(SignedIn { user: User::from(user), token: hash, expires_at });
        self.cached.remember(asked, &signed_in, now);
        Ok(Some(signed_in))
    }

    /// Whether a sign-in is still good, as far as the store can be asked: yes when it cannot.
    pub async fn is_good(&self, token: TokenHash) -> bool {
        !matches!(self.store.token_user(token, self.clock.now()).await, Ok(None))
    }

    /// Forgets a sign-in that has ended, here or on another node: the next who shows its token is looked up.
    pub fn forget(&self, token: &TokenHash) {
        self.cached.end(token);
    }

    /// Ends the sign-in and its live streams. Ending it twice is no error.
    ///
    /// Runs to its end even when the caller goes away half-way: a token that the store has ended must
    /// not live on in memory or in a stream.
    pub async fn sign_out(&self, token: TokenHash) -> Result<(), StoreError> {
        let (store, cached) = (Arc::clone(&self.store), Arc::clone(&self.cached));
        let on_sign_out = Arc::clone(&self.on_sign_out);
        let ending = tokio::spawn(async move {
            store.revoke_token(token).await?;
            cached.end(&token);
            on_sign_out.signed_out(token);
            Ok(())
        });
        ending.await.unwrap_or_else(|error| Err(StoreError::OutcomeUnknown(error.to_string())))
    }
}
