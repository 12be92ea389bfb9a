//! A folder that goes when its owner does, also when that is killed.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{PartError, failed};

/// Waits for the end of its input, which is the end of the owner. What still writes there is ending as well, so it tries again.
const SWEEPER: &str = r#"
read -r _
tries=0
while [ -e "$1" ] && [ "$tries" -lt 100 ]; do
    rm -rf "$1" 2>/dev/null || sleep 0.1
    tries=$((tries + 1))
done
"#;

/// A new folder under the system's folder for temporary files. Dropping it removes it.
#[derive(Debug)]
pub struct TempFolder {
    path: PathBuf,
    sweeper: Child,
}

impl TempFolder {
    /// Makes a folder whose name begins with `prefix`. Others may enter it, but not list it.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new(prefix: &str) -> Result<Self, PartError> {
        let path = std::env::temp_dir().join(format!("{prefix}{:016x}", rand::random::<u64>()));
        let cannot = |what: &str| format!("{what} {}", path.display());
        DirBuilder::new().mode(0o711).create(&path).map_err(failed(cannot("cannot make")))?;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SWEEPER, "sweeper"]).arg(&path).current_dir("/").process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let sweeper = shell.spawn().map_err(|source| {
            // Nobody else would.
            drop(std::fs::remove_dir(&path));
            PartError::Io { what: cannot("cannot watch over"), source }
        })?;
        Ok(Self { path, sweeper })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        drop(self.sweeper.stdin.take());
        drop(self.sweeper.wait());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_goes_with_its_owner_whatever_is_in_it() {
        let folder = TempFolder::new("gavel-test-").unwrap();
        let path = folder.path().to_owned();
        std::fs::create_dir(path.join("deep")).unwrap();
        std::fs::write(path.join("deep/file"), "x").unwrap();
        drop(folder);
        assert!(!path.exists());
    }
}
