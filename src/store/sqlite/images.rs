//! The port's picture side.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use super::SqliteStore;
use crate::domain::{Timestamp, UserId};
use crate::store::{Images, StoreError, StoredImage};

#[async_trait]
impl Images for SqliteStore {
    async fn put_image(&self, id: &str, image: StoredImage, owner: UserId, at: Timestamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO images (id, media_type, bytes, owner_id, created_us) VALUES (?1, ?2, ?3, ?4, ?5) \
                 ON CONFLICT (id) DO NOTHING",
            )?;
            statement.execute(params![id, &*image.media_type, &*image.bytes, owner.0, at.0])?;
            Ok(())
        })
        .await
    }

    async fn image(&self, id: &str) -> Result<Option<StoredImage>, StoreError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let mut statement = connection.prepare_cached("SELECT media_type, bytes FROM images WHERE id = ?1")?;
            let found = statement.query_row([id], |row| {
                let media_type: String = row.get(0)?;
                let bytes: Vec<u8> = row.get(1)?;
                Ok(StoredImage { media_type: media_type.into(), bytes: Bytes::from(bytes) })
            });
            Ok(found.optional()?)
        })
        .await
    }
}
