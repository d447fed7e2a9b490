//! A folder for one test's files.

use std::path::{Path, PathBuf};

/// Gone, with all that is in it, when the test is.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = format!("empulse-test-{}", uuid::Uuid::now_v7().simple());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
