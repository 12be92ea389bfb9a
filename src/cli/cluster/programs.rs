//! Where the programs of the parts are, and who they run as.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{PartError, failed};

/// A folder with `initdb` and `postgres` to use before all others.
const POSTGRES_BIN: &str = "GAVEL_POSTGRES_BIN";

/// The folder with Postgres' programs: as told by the environment, from the PATH, or the newest that Debian installed.
pub(super) fn postgres_bin() -> Option<PathBuf> {
    let told = std::env::var_os(POSTGRES_BIN).map(PathBuf::from);
    let debian = debian_versions();
    let there = |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    told.into_iter().chain(path_folders()).chain(debian).find(there)
}

/// The Redis server.
pub(super) fn redis_server() -> Option<PathBuf> {
    let others = ["/usr/bin", "/usr/local/bin"].map(PathBuf::from);
    path_folders().into_iter().chain(others).map(|folder| folder.join("redis-server")).find(|path| path.is_file())
}

/// Fails, naming every package, when not both servers are there.
pub(super) fn check() -> Result<(), PartError> {
    all_there(&[(postgres_bin(), "postgresql"), (redis_server(), "redis-server")])
}

fn all_there(needed: &[(Option<PathBuf>, &str)]) -> Result<(), PartError> {
    let missing = needed.iter().filter(|(program, _)| program.is_none()).map(|(_, package)| *package);
    let packages = missing.collect::<Vec<_>>().join(" ");
    if packages.is_empty() { Ok(()) } else { Err(PartError::Missing { packages }) }
}

/// User and group for Postgres, which refuses to run as root: `postgres`, else `nobody`. `None` when we are not root.
pub(super) fn unprivileged() -> Result<Option<(u32, u32)>, PartError> {
    let root = std::fs::metadata("/proc/self").map_err(failed("cannot read /proc/self"))?.uid() == 0;
    if !root {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").map_err(failed("cannot read /etc/passwd"))?;
    let user = user(&users, "postgres").or_else(|| user(&users, "nobody"));
    let nobody = || std::io::Error::other("there is no user `postgres` or `nobody` that Postgres could run as");
    user.map(Some).ok_or_else(nobody).map_err(failed("root"))
}

fn user(users: &str, name: &str) -> Option<(u32, u32)> {
    let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut numbers = line.split(':').skip(2).map(str::parse::<u32>);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn path_folders() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

/// The newest first.
fn debian_versions() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(Path::new("/usr/lib/postgresql")).into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = folders
        .filter_map(|folder| Some((folder.file_name().to_str()?.parse().ok()?, folder.path().join("bin"))))
        .collect();
    versions.sort();
    versions.into_iter().rev().map(|(_, bin)| bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let error = all_there(&[(None, "postgresql"), (Some("/bin/sh".into()), "dash"), (None, "redis-server")]);
        let said = error.unwrap_err().to_string();
        assert!(said.ends_with("apt-get install postgresql redis-server"), "{said}");
        assert!(all_there(&[(Some("/bin/sh".into()), "dash")]).is_ok());
    }

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let users = "root:x:0:0::/:/bin/sh\nnobody2:x:1:1::/:\nnobody:x:65534:65533:n:/:/x\nbroken:x\n";
        assert_eq!(user(users, "nobody"), Some((65534, 65533)));
        assert_eq!(user(users, "broken"), None);
        assert_eq!(user(users, "postgres"), None);
    }
}
