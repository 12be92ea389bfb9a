//! The port's account side: users and the hashes of their sign-in tokens.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use super::rows::{self, USER};
use crate::domain::{Timestamp, UserId};
use crate::limits;
use crate::store::{Accounts, SignUp, StoreError, StoredUser, TokenHash};

#[async_trait]
impl Accounts for SqliteStore {
    async fn create_user(
        &self,
        email: &str,
        nick: &str,
        password_hash: &str,
        at: Timestamp,
    ) -> Result<SignUp, StoreError> {
        let (email, nick, password_hash) = (email.to_owned(), nick.to_owned(), password_hash.to_owned());
        self.write(move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO users (email, email_key, nick, password_hash, created_us) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (email_key) DO NOTHING RETURNING id",
            )?;
            let id = statement
                .query_row(params![email, key(&email), nick, password_hash, at.0], |row| row.get(0).map(UserId))
                .optional()?;
            Ok(id.map_or(SignUp::EmailTaken, |id| {
                SignUp::Created(StoredUser {
                    id,
                    email: email.into(),
                    nick: nick.into(),
                    password_hash: password_hash.into(),
                })
            }))
        })
        .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<StoredUser>, StoreError> {
        let key = key(email);
        self.read(move |connection| {
            let mut statement =
                connection.prepare_cached(&format!("SELECT {USER} FROM users u WHERE u.email_key = ?1"))?;
            let mut found = statement.query([key])?;
            found.next()?.map(rows::user).transpose()
        })
        .await
    }

    async fn create_token(
        &self,
        hash: TokenHash,
        user: UserId,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<TokenHash>, StoreError> {
        self.write(move |connection| {
            let mut add = connection
                .prepare_cached("INSERT INTO tokens (hash, user_id, created_us, expires_us) VALUES (?1, ?2, ?3, ?4)")?;
            add.execute(params![hash, user.0, at.0, expires_at.0])?;
            forget_old_tokens(connection, user, at)
        })
        .await
    }

    async fn token_user(&self, hash: TokenHash, now: Timestamp) -> Result<Option<(StoredUser, Timestamp)>, StoreError> {
        self.read(move |connection| {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {USER}, t.expires_us FROM tokens t CROSS JOIN users u ON u.id = t.user_id \
                 WHERE t.hash = ?1 AND t.expires_us > ?2"
            ))?;
            let mut found = statement.query(params![hash, now.0])?;
            let Some(row) = found.next()? else { return Ok(None) };
            Ok(Some((rows::user(row)?, Timestamp(row.get("expires_us")?))))
        })
        .await
    }

    async fn revoke_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection.prepare_cached("DELETE FROM tokens WHERE hash = ?1")?.execute([hash])?;
            Ok(())
        })
        .await
    }
}

/// What makes two addresses the same.
fn key(email: &str) -> String {
    email.to_lowercase()
}

fn forget_old_tokens(connection: &Connection, user: UserId, now: Timestamp) -> Result<Vec<TokenHash>, StoreError> {
    let mut old = connection.prepare_cached(
        "DELETE FROM tokens WHERE user_id = ?1 AND (expires_us <= ?2 OR id IN (SELECT id FROM tokens WHERE user_id = ?1 \
         AND expires_us > ?2 ORDER BY created_us DESC, id DESC LIMIT -1 OFFSET ?3)) RETURNING hash",
    )?;
    let gone = old.query_map(params![user.0, now.0, limits::TOKENS_PER_USER_MAX], |row| row.get(0))?;
    Ok(gone.collect::<Result<_, _>>()?)
}
