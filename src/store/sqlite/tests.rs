//! What only this backend promises: one process, group commit, no trace of what failed.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::{OpenError, SqliteStore};
use crate::domain::Timestamp;
use crate::store::{Accounts, Ledger, SignUp, StateFilter, Store, StoreError};

fn store(folder: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::open(&folder.path().join("data/gavel.db")).unwrap()
}

async fn sign_up(store: &SqliteStore, name: &str) -> Result<SignUp, StoreError> {
    store.create_user(name, name, "$hash", Timestamp(0)).await
}

#[tokio::test]
async fn a_second_owner_of_the_same_file_is_refused_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let first = store(&folder);
    let path = folder.path().join("data/gavel.db");
    let error = SqliteStore::open(&path).err().unwrap();
    assert!(matches!(&error, OpenError::InUse { path: named } if *named == path));
    assert!(error.to_string().contains("is in use by another process"), "{error}");
    first.close().await;
    SqliteStore::open(&path).unwrap().close().await;
}

#[tokio::test]
async fn a_reader_beside_sees_what_is_committed_and_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    let beside = SqliteStore::open_beside(&folder.path().join("data/gavel.db")).unwrap();
    sign_up(&server, "ann").await.unwrap();
    assert!(beside.user_by_email("ann").await.unwrap().is_some());
    assert!(matches!(beside.take_over().await, Err(StoreError::Unavailable(_))));
    assert!(matches!(sign_up(&beside, "bob").await, Err(StoreError::Unavailable(_))));
    beside.close().await;
    server.close().await;
}

#[tokio::test]
async fn what_a_killed_process_had_committed_is_read_from_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    sign_up(&server, "ann").await.unwrap();
    // What a kill leaves behind: the file and the log as they are, no shared memory.
    let copy = folder.path().join("copy.db");
    for suffix in ["", "-wal"] {
        let from = folder.path().join(format!("data/gavel.db{suffix}"));
        std::fs::copy(from, folder.path().join(format!("copy.db{suffix}"))).unwrap();
    }
    server.close().await;
    let beside = SqliteStore::open_beside(&copy).unwrap();
    assert!(beside.user_by_email("ann").await.unwrap().is_some());
    beside.close().await;
    let again = SqliteStore::open(&copy).unwrap();
    assert!(again.user_by_email("ann").await.unwrap().is_some());
    again.close().await;
}

#[tokio::test]
async fn a_closed_store_leaves_one_file_without_a_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    sign_up(&server, "ann").await.unwrap();
    server.close().await;
    let mut names: Vec<_> = std::fs::read_dir(folder.path().join("data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["gavel.db", "gavel.db.lock"]);
}

#[test]
fn a_database_of_another_schema_version_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE other (id INTEGER)").unwrap();
    let error = SqliteStore::open_beside(&path).err().unwrap();
    assert!(matches!(error, OpenError::WrongVersion { found: 0, needed: 1 }), "{error}");
}

#[tokio::test]
async fn a_failed_job_leaves_no_trace_and_its_neighbours_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    let fails = server.write(|connection| {
        connection.execute("UPDATE ownership SET epoch = 99", [])?;
        Err::<(), _>(StoreError::Damaged("on purpose".to_owned()))
    });
    let (one, failed, other) = tokio::join!(sign_up(&server, "ann"), fails, sign_up(&server, "bob"));
    assert!(matches!(failed, Err(StoreError::Damaged(what)) if what == "on purpose"));
    assert!(one.is_ok() && other.is_ok());
    assert!(server.user_by_email("ann").await.unwrap().is_some());
    assert!(server.user_by_email("bob").await.unwrap().is_some());
    assert_eq!(server.take_over().await.unwrap().0, 1);
    server.close().await;
}

#[tokio::test]
async fn when_the_disk_is_full_every_job_fails_and_the_store_goes_on_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    let pages =
        |most: u32| move |connection: &Connection| Ok(connection.pragma_update(None, "max_page_count", most)?);
    server.write(pages(1)).await.unwrap();
    let large = "x".repeat(100_000);
    let (small, full) = tokio::join!(sign_up(&server, "ann"), sign_up(&server, &large));
    assert!(matches!(full, Err(StoreError::Unavailable(_))), "{full:?}");
    // Whether it shared the transaction or not: what it was told is what is there.
    assert_eq!(small.is_ok(), server.user_by_email("ann").await.unwrap().is_some());
    assert!(server.user_by_email(&large).await.unwrap().is_none());
    server.write(pages(1_000_000)).await.unwrap();
    assert!(matches!(sign_up(&server, &large).await, Ok(SignUp::Created(_))));
    server.close().await;
}

#[tokio::test]
async fn a_commit_that_fails_is_a_failure_of_every_job_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    // A deferred foreign key is checked by COMMIT itself.
    let breaks = server.write(|connection| {
        connection.execute_batch(
            "PRAGMA defer_foreign_keys = ON; \
             INSERT INTO images (id, media_type, bytes, owner_id, created_us) VALUES ('1', '', x'', 77, 0)",
        )?;
        Ok(())
    });
    let (before, broken, after) = tokio::join!(sign_up(&server, "ann"), breaks, sign_up(&server, "bob"));
    assert!(matches!(broken, Err(StoreError::Unavailable(_))), "{broken:?}");
    for (name, answer) in [("ann", before), ("bob", after)] {
        assert_eq!(answer.is_ok(), server.user_by_email(name).await.unwrap().is_some());
    }
    assert!(sign_up(&server, "eve").await.is_ok());
    server.close().await;
}

#[tokio::test]
async fn a_job_that_never_ran_is_told_what_kept_it_from_running() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    server.write(|connection| Ok(connection.busy_timeout(std::time::Duration::ZERO)?)).await.unwrap();
    let other = Connection::open(folder.path().join("data/gavel.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (one, two) = tokio::join!(sign_up(&server, "ann"), sign_up(&server, "bob"));
    for refused in [one, two] {
        assert!(matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("locked")), "{refused:?}");
    }
    other.execute_batch("ROLLBACK").unwrap();
    assert!(sign_up(&server, "ann").await.is_ok());
    server.close().await;
}

#[tokio::test]
async fn a_caller_that_gives_up_does_not_stop_its_work() {
    let folder = tempfile::tempdir().unwrap();
    let server = store(&folder);
    let work = server.write(|connection| {
        std::thread::sleep(std::time::Duration::from_millis(50));
        connection.execute("UPDATE ownership SET epoch = 41", [])?;
        Ok(())
    });
    assert!(tokio::time::timeout(std::time::Duration::from_millis(10), work).await.is_err());
    assert_eq!(server.take_over().await.unwrap().0, 42);
    server.close().await;
}

#[test]
fn every_query_of_a_list_walks_an_index_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    super::migrate(&path).unwrap();
    let select = format!("SELECT {} FROM {}", super::rows::AUCTION, super::rows::AUCTION_TABLES);
    for (state, index) in [
        (StateFilter::All, "auctions_by_end"),
        (StateFilter::Scheduled, "auctions_unclosed"),
        (StateFilter::Open, "auctions_unclosed"),
        (StateFilter::Closed, "auctions_closed"),
    ] {
        let plan = plan(&path, &format!("{select} {}", super::listing::page(state)));
        let walks = plan.contains(&format!("SEARCH a USING INDEX {index} (")) && !plan.contains("TEMP B-TREE");
        assert!(walks, "{state:?}: {plan}");
    }
}

#[test]
fn events_are_sorted_within_their_shelves_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gavel.db");
    super::migrate(&path).unwrap();
    let plan = plan(&path, &super::ledger::events_in_order());
    let walks = plan.contains("USING PRIMARY KEY (auction_id=? AND shelf>?)");
    assert!(walks && plan.contains("LAST TERM OF ORDER BY"), "{plan}");
}

fn plan(path: &Path, sql: &str) -> String {
    let connection = Connection::open(path).unwrap();
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let wanted = statement.parameter_count();
    let rows =
        statement.query_map(rusqlite::params_from_iter(vec![0_i64; wanted]), |row| row.get::<_, String>(3)).unwrap();
    rows.map(Result::unwrap).collect::<Vec<_>>().join(" | ")
}

#[tokio::test]
async fn what_is_hosted_runs_beside_commits_and_ends_with_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let server = Arc::new(store(&folder));
    let (told, heard) = tokio::sync::oneshot::channel();
    let (held, let_go) = tokio::sync::oneshot::channel::<()>();
    let inside = Arc::clone(&server);
    let hosted = server.host(Box::pin(async move {
        sign_up(&inside, "ann").await.unwrap();
        told.send(std::thread::current().name().map(str::to_owned)).unwrap();
        std::future::pending::<()>().await;
        drop(held);
    }));
    assert!(hosted.is_none());
    assert_eq!(heard.await.unwrap().as_deref(), Some("store-writer"));
    assert!(server.user_by_email("ann").await.unwrap().is_some());
    server.close().await;
    assert!(let_go.await.is_err(), "it ends");
    assert!(server.host(Box::pin(async {})).is_some(), "given back");
}
