//! Pictures by the hash of their content.

use async_trait::async_trait;
use bytes::Bytes;

use super::PostgresStore;
use super::rows::Cells;
use crate::domain::{Timestamp, UserId};
use crate::store::{Images, StoreError, StoredImage};

#[async_trait]
impl Images for PostgresStore {
    async fn put_image(&self, id: &str, image: StoredImage, owner: UserId, at: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO images (id, media_type, bytes, owner_id, created_us) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT DO NOTHING";
        let bytes: &[u8] = &image.bytes;
        self.write(sql, &[&id, &&*image.media_type, &bytes, &owner.0, &at.0]).await.map(drop)
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
