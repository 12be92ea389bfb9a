//! Users and their sign-in tokens: any node knows them all.

use async_trait::async_trait;

use super::PostgresStore;
use super::rows::{self, Cells};
use crate::domain::{Timestamp, UserId};
use crate::limits;
use crate::store::{Accounts, SignUp, StoreError, StoredUser, TokenHash};

#[async_trait]
impl Accounts for PostgresStore {
    async fn create_user(
        &self,
        email: &str,
        nick: &str,
        password_hash: &str,
        at: Timestamp,
    ) -> Result<SignUp, StoreError> {
        let sql = "INSERT INTO users (email, email_key, nick, password_hash, created_us) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (email_key) DO NOTHING RETURNING id, email, nick, password_hash";
        let made = self.write(sql, &[&email, &email.to_lowercase(), &nick, &password_hash, &at.0]).await?;
        match made.first() {
            Some(row) => Ok(SignUp::Created(rows::user(&mut Cells::of(row))?)),
            None => Ok(SignUp::EmailTaken),
        }
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<StoredUser>, StoreError> {
        let sql = "SELECT id, email, nick, password_hash FROM users WHERE email_key = $1";
        let row = self.read_one(sql, &[&email.to_lowercase()]).await?;
        row.map(|row| rows::user(&mut Cells::of(&row))).transpose()
    }

    async fn create_token(
        &self,
        hash: TokenHash,
        user: UserId,
        at: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Vec<TokenHash>, StoreError> {
        // The deletion does not see the new row, so it leaves room for it.
        let sql = "WITH made AS (INSERT INTO tokens (hash, user_id, created_us, expires_us) VALUES ($1, $2, $3, $4)) \
                   DELETE FROM tokens WHERE user_id = $2 AND (expires_us <= $3 OR id IN (SELECT id FROM tokens \
                   WHERE user_id = $2 AND expires_us > $3 ORDER BY created_us DESC, id DESC OFFSET $5)) RETURNING hash";
        let kept = i64::from(limits::TOKENS_PER_USER_MAX) - 1;
        let gone = self.write(sql, &[&&hash[..], &user.0, &at.0, &expires_at.0, &kept]).await?;
        gone.iter().map(rows::token_hash).collect()
    }

    async fn token_user(&self, hash: TokenHash, now: Timestamp) -> Result<Option<(StoredUser, Timestamp)>, StoreError> {
        let sql = "SELECT u.id, u.email, u.nick, u.password_hash, t.expires_us \
                   FROM tokens t JOIN users u ON u.id = t.user_id WHERE t.hash = $1 AND t.expires_us > $2";
        let row = self.read_one(sql, &[&&hash[..], &now.0]).await?;
        row.map(|row| {
            let mut cells = Cells::of(&row);
            Ok((rows::user(&mut cells)?, cells.at()?))
        })
        .transpose()
    }

    async fn revoke_token(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.write("DELETE FROM tokens WHERE hash = $1", &[&&hash[..]]).await.map(drop)
    }
}
