//! Mails as files, for where no mail server is set up. A file is there whole or not at all, its name tells when it was
//! written, and nobody but its owner reads it: the links in it open accounts.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::Error;
use super::compose::Mail;

pub struct Folder(PathBuf);

impl Folder {
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub async fn write(&self, mail: Mail, now: DateTime<Utc>) -> Result<(), Error> {
        let folder = self.0.clone();
        let name = format!("{}-{}.eml", now.format("%Y%m%dT%H%M%S%.6fZ"), mail.id);
        let written = tokio::task::spawn_blocking(move || write(&folder, &name, &mail.bytes)).await;
        let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
        written.map_err(|error| self.unwritable(&error))
    }

    pub fn check(&self) -> Result<String, Error> {
        make(&self.0).map_err(|error| self.unwritable(&error))?;
        Ok(format!("mails are written to {}", self.0.display()))
    }

    fn unwritable(&self, error: &io::Error) -> Error {
        Error::Passing(format!("{} can't be written to: {error}", self.0.display()))
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    make(folder)?;
    // Written beside under a name that nobody takes for a mail, and given its own once it is whole.
    let part = folder.join(format!(".{name}.part"));
    let written = fill(&part, bytes).and_then(|()| fs::rename(&part, folder.join(name)));
    if written.is_err() {
        // Perhaps it was never made.
        let _ = fs::remove_file(&part);
    }
    written
}

fn fill(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = private(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(id: &str) -> Mail {
        Mail {
            id: id.into(),
            from: String::new(),
            to: String::new(),
            bytes: b"Subject: hi\r\n\r\nhi".to_vec(),
        }
    }

    #[tokio::test]
    async fn mails_are_whole_private_and_in_order() {
        let place = std::env::temp_dir().join(format!("empulse-mail-{}", uuid::Uuid::now_v7()));
        let folder = Folder::new(place.join("mail"));
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        folder.write(mail("z"), at(1_000_000_000)).await.unwrap();
        folder.write(mail("a"), at(1_000_000_001)).await.unwrap();
        let mut names: Vec<String> = fs::read_dir(place.join("mail"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            [
                "20010909T014640.000000Z-z.eml",
                "20010909T014641.000000Z-a.eml"
            ]
        );
        let file = place.join("mail").join(&names[0]);
        assert_eq!(fs::read(&file).unwrap(), mail("z").bytes);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&file), mode(&place.join("mail"))), (0o600, 0o700));
        }
        fs::remove_dir_all(place).unwrap();
    }

    #[tokio::test]
    async fn a_folder_that_can_not_be_written_to_may_be_mended() {
        let place = std::env::temp_dir().join(format!("empulse-mail-{}", uuid::Uuid::now_v7()));
        fs::write(&place, b"a file").unwrap();
        let folder = Folder::new(place.join("mail"));
        let written = folder.write(mail("a"), DateTime::UNIX_EPOCH).await;
        assert!(matches!(written, Err(Error::Passing(_))), "{written:?}");
        fs::remove_file(place).unwrap();
    }
}
