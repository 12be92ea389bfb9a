//! Pictures by the hash of their content.

use async_trait::async_trait;
use bytes::Bytes;

use super::PostgresStore;
use super::rows::Cells;
use crate::domain::{Span, Timestamp, UserId};
use crate::limits;
use crate::store::{Images, StoreError, StoredImage};

const PUT: &str = "WITH made AS (INSERT INTO images (id, media_type, bytes, owner_id, created_us) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING) \
     INSERT INTO unused_images (owner_id, image_id, created_us) SELECT $4, $1, $5 \
     WHERE NOT EXISTS (SELECT 1 FROM auctions WHERE image_id = $1) \
     ON CONFLICT (owner_id, image_id) DO UPDATE SET created_us = excluded.created_us";

/// What is too old, and what the user $1 has too many of. The deletion from `images` does not see the one before it.
const REMOVE_UNUSED: &str = "WITH gone AS (DELETE FROM unused_images WHERE (owner_id, image_id) IN ( \
         (SELECT owner_id, image_id FROM unused_images WHERE created_us <= $2 ORDER BY created_us LIMIT $3) \
         UNION ALL \
         (SELECT owner_id, image_id FROM unused_images WHERE owner_id = $1 \
          ORDER BY created_us DESC, image_id OFFSET $4)) RETURNING owner_id, image_id) \
     DELETE FROM images i WHERE i.id IN (SELECT image_id FROM gone) \
     AND NOT EXISTS (SELECT 1 FROM unused_images u WHERE u.image_id = i.id \
         AND (u.owner_id, u.image_id) NOT IN (SELECT owner_id, image_id FROM gone)) \
     AND NOT EXISTS (SELECT 1 FROM auctions a WHERE a.image_id = i.id)";

#[async_trait]
impl Images for PostgresStore {
    async fn put_image(&self, id: &str, image: StoredImage, owner: UserId, at: Timestamp) -> Result<(), StoreError> {
        let bytes: &[u8] = &image.bytes;
        self.write(PUT, &[&id, &&*image.media_type, &bytes, &owner.0, &at.0]).await?;
        let born = at.plus(Span(-limits::IMAGE_UNUSED_LIFE.0));
        let (at_once, most) =
            (i64::from(limits::IMAGES_REMOVED_AT_ONCE), i64::from(limits::IMAGES_UNUSED_PER_USER_MAX));
        // The picture is stored; whatever keeps others from going, such as a node that stores one of them anew, is
        // none of its owner's business. They go with a later one.
        if let Err(error) = self.write(REMOVE_UNUSED, &[&owner.0, &born.0, &at_once, &most]).await {
            tracing::warn!(%error, "pictures that no auction shows could not be removed");
        }
        Ok(())
    }

    async fn image(&self, id: &str) -> Result<Option<StoredImage>, StoreError> {
        let row = self.read_one("SELECT media_type, bytes FROM images WHERE id = $1", &[&id]).await?;
        row.map(|row| {
            let mut cells = Cells::of(&row);
            Ok(StoredImage { media_type: cells.text()?, bytes: Bytes::copy_from_slice(cells.take()?) })
        })
        .transpose()
    }
}
