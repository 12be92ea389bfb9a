//! The port's picture side.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, params};

use super::SqliteStore;
use crate::domain::{Span, Timestamp, UserId};
use crate::limits;
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
            let mut unused = connection.prepare_cached(
                "INSERT INTO unused_images (owner_id, image_id, created_us) SELECT ?1, ?2, ?3 \
                 WHERE NOT EXISTS (SELECT 1 FROM auctions WHERE image_id = ?2) \
                 ON CONFLICT (owner_id, image_id) DO UPDATE SET created_us = excluded.created_us",
            )?;
            unused.execute(params![owner.0, id, at.0])?;
            remove_unused(connection, owner, at)
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

/// Removes what is too old, and what `owner` has too many of.
fn remove_unused(connection: &Connection, owner: UserId, now: Timestamp) -> Result<(), StoreError> {
    let mut old = connection.prepare_cached(
        "DELETE FROM unused_images WHERE (owner_id, image_id) IN (SELECT owner_id, image_id FROM unused_images \
         WHERE created_us <= ?1 ORDER BY created_us LIMIT ?2) RETURNING image_id",
    )?;
    let mut beyond = connection.prepare_cached(
        "DELETE FROM unused_images WHERE owner_id = ?1 AND image_id IN (SELECT image_id FROM unused_images \
         WHERE owner_id = ?1 ORDER BY created_us DESC, image_id LIMIT -1 OFFSET ?2) RETURNING image_id",
    )?;
    let born = now.plus(Span(-limits::IMAGE_UNUSED_LIFE.0));
    let old = old.query_map(params![born.0, limits::IMAGES_REMOVED_AT_ONCE], |row| row.get(0))?;
    let mut gone = old.collect::<Result<Vec<String>, _>>()?;
    let beyond = beyond.query_map(params![owner.0, limits::IMAGES_UNUSED_PER_USER_MAX], |row| row.get(0))?;
    gone.extend(beyond.collect::<Result<Vec<String>, _>>()?);
    let mut remove = connection.prepare_cached(
        "DELETE FROM images WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM unused_images WHERE image_id = ?1) \
         AND NOT EXISTS (SELECT 1 FROM auctions WHERE image_id = ?1)",
    )?;
    for id in gone {
        remove.execute([id])?;
    }
    Ok(())
}
