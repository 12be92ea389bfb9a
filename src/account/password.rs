//! Passwords: argon2id, off the worker threads and within a bound.
//!
//! Hashing is meant to be dear (19 MiB, tens of milliseconds), so it must never run unbounded, nor on
//! a thread that serves others.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use std::sync::Arc;
use tokio::sync::Semaphore;

use super::AccountError;
use crate::limits::{PASSWORDS_HASHED_AT_ONCE, PASSWORDS_WAITING_MAX};
use crate::store::StoreError;

/// Memory in KiB, passes and lanes: the OWASP Password Storage Cheat Sheet's first choice for argon2id.
const COST: (u32, u32, u32) = (19 * 1_024, 2, 1);
/// Stands in where there is no user, so that a sign-in costs the same.
const NOBODYS_SALT: &[u8] = b"no user, no salt";

/// Hashes and checks passwords, a few at a time.
pub(super) struct Passwords {
    /// Everyone inside, waiting or hashing.
    admitted: Semaphore,
    hashing: Arc<Semaphore>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            admitted: Semaphore::new(PASSWORDS_HASHED_AT_ONCE + PASSWORDS_WAITING_MAX),
            hashing: Arc::new(Semaphore::new(PASSWORDS_HASHED_AT_ONCE)),
        }
    }

    /// The PHC string to be stored for `password`.
    pub(super) async fn hash(&self, password: &str) -> Result<String, AccountError> {
        let password = password.to_owned();
        self.in_turn(move || {
            let hashed: Result<PasswordHash, _> = argon2id().and_then(|argon| argon.hash_password(password.as_bytes()));
            hashed.map(|hash| hash.to_string()).map_err(|error| damaged(&error))
        })
        .await
    }

    /// Whether `password` is the one that was hashed into `stored`. Without a stored one the answer is
    /// no, after the same work.
    pub(super) async fn verify(&self, password: &str, stored: Option<Arc<str>>) -> Result<bool, AccountError> {
        let password = password.to_owned();
        self.in_turn(move || match stored {
            Some(stored) => matches(&password, &stored),
            None => argon2id()
                .and_then(|argon| argon.hash_password_with_salt(password.as_bytes(), NOBODYS_SALT))
                .map(|_| false)
                .map_err(|error| damaged(&error)),
        })
        .await
    }

    /// Runs `work` on a thread for blocking work when its turn comes; too many waiting → `Overloaded`.
    ///
    /// The turn travels into the work: a caller that goes away does not free it while the work runs on.
    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, AccountError> {
        let Ok(_inside) = self.admitted.try_acquire() else {
            return Err(AccountError::Overloaded);
        };
        let Ok(turn) = Arc::clone(&self.hashing).acquire_owned().await else {
            return Err(AccountError::Overloaded);
        };
        let working = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        working.await.unwrap_or_else(|error| {
            tracing::error!(%error, "a password was not hashed");
            Err(AccountError::Overloaded)
        })
    }
}

fn argon2id() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let (memory_kib, passes, lanes) = COST;
    let params = Params::new(memory_kib, passes, lanes, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Compares by the cost that is written in `stored`, so that a later change of [`COST`] locks nobody out.
fn matches(password: &str, stored: &str) -> Result<bool, AccountError> {
    let parsed = PasswordHash::new(stored).map_err(|error| damaged(&error))?;
    match argon2id().and_then(|argon| argon.verify_password(password.as_bytes(), &parsed)) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
        Err(error) => Err(damaged(&error)),
    }
}

fn damaged(error: &dyn std::fmt::Display) -> AccountError {
    AccountError::Store(StoreError::Damaged(format!("a password hash: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_fits_its_hash() {
        let passwords = Passwords::new();
        let hash: Arc<str> = passwords.hash("correct horse").await.unwrap().into();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.verify("correct horse", Some(Arc::clone(&hash))).await.unwrap());
        assert!(!passwords.verify("Correct horse", Some(hash)).await.unwrap());
        assert!(!passwords.verify("correct horse", None).await.unwrap());
    }

    #[tokio::test]
    async fn a_damaged_hash_is_no_wrong_password() {
        let error = Passwords::new().verify("password", Some("plain".into())).await.unwrap_err();
        assert!(matches!(error, AccountError::Store(StoreError::Damaged(_))));
    }

    #[tokio::test]
    async fn more_waiting_than_the_bound_is_refused_at_once() {
        let passwords = Passwords::new();
        let _everyone = passwords
            .admitted
            .try_acquire_many(u32::try_from(PASSWORDS_HASHED_AT_ONCE + PASSWORDS_WAITING_MAX).unwrap())
            .unwrap();
        assert!(matches!(passwords.hash("password").await, Err(AccountError::Overloaded)));
    }
}
