//! The ring that is made for those who set none: a file of `keys/` in the data folder, in the setting's own form, so
//! that it can be copied there later.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use secrecy::{ExposeSecret, SecretString};

use super::new::new_key;
use crate::config::KeyRing;

/// More keys than anybody rotates; a file that is larger is another file.
const LARGEST: u64 = 64 << 10;

/// Where a ring is kept that no setting names.
#[derive(Debug)]
pub struct RingFile {
    pub name: &'static str,
    /// What stands before it.
    pub setting: &'static str,
    pub who_reads_it: &'static str,
    pub without_it: &'static str,
}

impl RingFile {
    /// The ring of the setting, or else the data folder's, which is made where there is none; and where it is from. Whoever
    /// starts at the same time ends up with the same.
    pub fn open(&self, set: Option<&KeyRing>, data: &Path) -> anyhow::Result<(KeyRing, String)> {
        match set {
            Some(ring) => Ok((ring.clone(), self.setting.to_owned())),
            None => {
                let (ring, path) = self.open_or_generate(data)?;
                Ok((ring, path.display().to_string()))
            }
        }
    }

    fn open_or_generate(&self, data: &Path) -> anyhow::Result<(KeyRing, PathBuf)> {
        let folder = data.join("keys");
        let path = folder.join(self.name);
        if let Some(ring) = self.read(&path)? {
            return Ok((ring, path));
        }
        make_folder(data, &folder)
            .with_context(|| format!("EMPULSE_DATA_DIR: {} can't be made", folder.display()))?;
        self.generate(&folder, &path).with_context(|| {
            format!(
                "EMPULSE_DATA_DIR: {} can't be made; set {}, or mend the folder",
                path.display(),
                self.setting
            )
        })?;
        // Read back rather than remembered, as another may have been first.
        let ring = self.read(&path)?;
        let ring = ring.with_context(|| format!("{} was taken away", path.display()))?;
        Ok((ring, path))
    }

    fn read(&self, path: &Path) -> anyhow::Result<Option<KeyRing>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("{} can't be read", path.display()));
            }
        };
        let about = file.metadata()?;
        if !about.is_file() || about.len() > LARGEST {
            bail!("{} is no file of keys", path.display());
        }
        self.refuse_if_open_to_others(path, &about)?;
        let mut text = String::new();
        let read = file.take(LARGEST).read_to_string(&mut text);
        let text = SecretString::from(text);
        let told = match read {
            Ok(_) => match text.expose_secret().trim().parse::<KeyRing>() {
                Ok(ring) => return Ok(Some(ring)),
                Err(why) => why.to_owned(),
            },
            Err(error) => format!("can't be read: {error}"),
        };
        bail!(
            "{} {told}; it holds {} keys as id:hex, separated by commas. Put back a copy of it; \
             if there is none, remove it: a new one is made, and {}",
            path.display(),
            self.name,
            self.without_it
        )
    }

    /// Writes a file of another name whole, and links it to its own: that happens at once, and for one only.
    fn generate(&self, folder: &Path, path: &Path) -> anyhow::Result<()> {
        // Its id is not that of one made before: what a lost key made is then of an unknown one, rather than forged.
        let key = new_key(&format!("made-{:08x}", rand::random::<u32>()))?;
        let unfinished = folder.join(format!(".{}-{:016x}", self.name, rand::random::<u64>()));
        let linked = write_new(&unfinished, &key).and_then(|()| fs::hard_link(&unfinished, path));
        let removed = fs::remove_file(&unfinished);
        match linked {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error.into()),
            _ => removed?,
        }
        // Else a power cut could take the name back after the key was used.
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    }

    #[cfg(unix)]
    fn refuse_if_open_to_others(&self, path: &Path, about: &fs::Metadata) -> anyhow::Result<()> {
        use std::os::unix::fs::PermissionsExt;

        let mode = about.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            bail!(
                "{} is open to others (mode {mode:03o}), and whoever reads it {}; chmod 600 it, \
                 and if somebody may have read it, make a new one",
                path.display(),
                self.who_reads_it
            );
        }
        if let Some(folder) = path.parent() {
            let mode = fs::metadata(folder)?.permissions().mode() & 0o777;
            if mode & 0o022 != 0 {
                bail!(
                    "{} can be changed by others (mode {mode:03o}), who could put their own keys there; chmod 700 it",
                    folder.display()
                );
            }
        }
        Ok(())
    }

    #[cfg(not(unix))]
    fn refuse_if_open_to_others(&self, _: &Path, _: &fs::Metadata) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The folder itself is for nobody else; the data folder is as the system makes folders.
fn make_folder(data: &Path, folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(data)?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn write_new(path: &Path, text: &SecretString) -> std::io::Result<()> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::super::RING;
    use super::*;

    fn open_or_generate(data: &Path) -> anyhow::Result<(KeyRing, PathBuf)> {
        RING.open_or_generate(data)
    }

    /// A data folder of its own for a test, gone with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("empulse-keys-{}-{name}", std::process::id());
            Self(std::env::temp_dir().join(name))
        }

        fn with(name: &str, text: &str) -> Self {
            let folder = Self::new(name);
            make_folder(&folder.0, &folder.0.join("keys")).unwrap();
            write_new(&folder.signing(), &text.into()).unwrap();
            folder
        }

        fn signing(&self) -> PathBuf {
            self.0.join("keys/signing")
        }

        fn told(&self) -> String {
            format!("{:#}", open_or_generate(&self.0).unwrap_err())
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn first(ring: &KeyRing) -> (String, [u8; 32]) {
        (ring.first().id.clone(), *ring.first().expose())
    }

    #[test]
    fn a_ring_that_was_made_stays() {
        let folder = Folder::new("stays");
        let (made, path) = open_or_generate(&folder.0).unwrap();
        let (again, _) = open_or_generate(&folder.0).unwrap();
        assert_eq!(first(&made), first(&again));
        let text = fs::read_to_string(&path).unwrap();
        let ring: KeyRing = text.trim().parse().unwrap();
        assert_eq!(first(&made), first(&ring));
    }

    #[test]
    fn who_starts_at_once_ends_up_with_the_same() {
        let folder = Folder::new("at-once");
        let together = Barrier::new(16);
        let made: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope.spawn(|| {
                        together.wait();
                        first(&open_or_generate(&folder.0).unwrap().0)
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(made.iter().all(|one| *one == made[0]));
        let left = fs::read_dir(folder.0.join("keys")).unwrap();
        assert_eq!(left.count(), 1);
    }

    #[test]
    fn a_damaged_file_is_not_replaced() {
        let short = format!("made-1:{}", "0".repeat(63));
        for (name, text) in [("empty", ""), ("short", &short), ("words", "not a key")] {
            let folder = Folder::with(name, text);
            let told = folder.told();
            assert!(told.contains("id:hex"), "{told}");
            // Its path may have a few.
            assert!(!told.contains(&"0".repeat(20)), "{told}");
            assert_eq!(fs::read_to_string(folder.signing()).unwrap().trim(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_read_or_change_is_refused() {
        use std::os::unix::fs::PermissionsExt;

        let folder = Folder::new("modes");
        open_or_generate(&folder.0).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        let (path, keys) = (folder.signing(), folder.0.join("keys"));
        assert_eq!((mode(&path), mode(&keys)), (0o600, 0o700));

        set(&path, 0o640);
        assert!(folder.told().contains("chmod 600"), "{}", folder.told());
        set(&path, 0o600);
        set(&keys, 0o770);
        assert!(folder.told().contains("chmod 700"), "{}", folder.told());
        set(&keys, 0o700);
        open_or_generate(&folder.0).unwrap();
    }
}
