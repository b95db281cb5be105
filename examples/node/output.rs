//! A file that a command writes: it ends up where its name leads, complete or not at all, whatever is there before.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hashloom::Hash;
use tempfile::NamedTempFile;

use crate::work::BUFFER_BYTES;

/// What is written to.
#[derive(Debug)]
pub(crate) enum Output {
    /// A file beside the one that it will become, which goes away unless it is finished.
    File { part: BufWriter<NamedTempFile>, path: PathBuf, replaces: bool },
    /// A pipe, a device, or what this process got from the one that started it.
    Stream(BufWriter<File>),
}

/// More links than a system follows.
const MAX_LINKS: usize = 40;

impl Output {
    /// Prepares to write where a name leads. A symbolic link is followed, also one to a file that is not there yet.
    pub(crate) fn open(path: &Path, force: bool) -> Result<Self> {
        let shown = path.display();
        let cannot_write = || format!("cannot write {shown}");
        if is_descriptor(path) {
            return Ok(Self::stream(descriptor(path).with_context(cannot_write)?));
        }
        let present = match fs::metadata(path) {
            Ok(present) => Some(present),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(cannot_write),
        };
        match &present {
            Some(present) if present.is_dir() => bail!("{shown} is a directory: name a file"),
            Some(present) if !present.is_file() => {
                let file = OpenOptions::new().write(true).open(path);
                return Ok(Self::stream(file.with_context(cannot_write)?));
            }
            Some(_) => ensure!(force, "{shown} exists already: --force replaces it"),
            None => {}
        }
        let path = followed(path).with_context(cannot_write)?;
        let part = begin(&path, present.as_ref()).with_context(cannot_write)?;
        Ok(Self::File { part: BufWriter::with_capacity(BUFFER_BYTES, part), path, replaces: force })
    }

    fn stream(file: File) -> Self {
        Self::Stream(BufWriter::with_capacity(BUFFER_BYTES, file))
    }

    /// Whether all of it or nothing is written.
    pub(crate) const fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// Gives the file its name, when all of it is on the disk.
    pub(crate) fn finish(self) -> io::Result<()> {
        let (part, path, replaces) = match self {
            Self::Stream(mut stream) => return stream.flush(),
            Self::File { part, path, replaces } => (part.into_inner()?, path, replaces),
        };
        part.as_file().sync_all()?;
        let named = if replaces { part.persist(&path) } else { part.persist_noclobber(&path) };
        named.map_err(|error| error.error)?;
        // The name has to last too; elsewhere a directory cannot be opened like this.
        #[cfg(unix)]
        File::open(directory_of(&path))?.sync_all()?;
        Ok(())
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::File { part, .. } => part,
            Self::Stream(stream) => stream,
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer().flush()
    }
}

/// Begins the file that will have this path, with the owner and the permissions of the one that it replaces.
fn begin(path: &Path, replaced: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    // Always the same for a path, so that the next export removes what one that was killed has left.
    let digest = Hash::digest(name.as_encoded_bytes()).to_string();
    let name = format!(".export-{}.part", &digest[..16]);
    let directory = directory_of(path);
    remove_stale(&directory.join(&name))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).rand_bytes(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As of any new file: the umask takes its part away.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(directory)?;
    // By the lock another export knows that this one goes on.
    file.as_file().try_lock()?;
    if let Some(replaced) = replaced {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            // Only the superuser gives files away.
            let _ = fchown(file.as_file(), Some(replaced.uid()), Some(replaced.gid()));
        }
        file.as_file().set_permissions(replaced.permissions())?;
    }
    Ok(file)
}

/// Removes what an export has left that was killed.
fn remove_stale(part: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(part).is_ok_and(|part| part.is_file()) {
        // Where something else is in the way, creating the file says so.
        return Ok(());
    }
    match File::open(part)?.try_lock() {
        Ok(()) => fs::remove_file(part),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another export is writing it"))
        }
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Where a path leads, which need not be there.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = directory_of(&path).join(target),
            // No link, or nothing at all.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Whether the path is a name of a descriptor of this process, which may be a file that a shell has opened: written to
/// where it is, and not replaced.
fn is_descriptor(path: &Path) -> bool {
    let is_in = |directory| path.strip_prefix(directory).is_ok_and(|number| number.components().count() == 1);
    let names = ["/dev/stdout", "/dev/stderr"].map(Path::new);
    cfg!(unix) && (names.contains(&path) || is_in("/dev/fd") || is_in("/proc/self/fd"))
}

/// The descriptor of this name. That of standard output goes on where a shell or another program has left it.
fn descriptor(path: &Path) -> io::Result<File> {
    #[cfg(unix)]
    {
        use std::os::fd::AsFd;
        let owned = match path.to_str() {
            Some("/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1") => {
                io::stdout().as_fd().try_clone_to_owned()
            }
            Some("/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2") => {
                io::stderr().as_fd().try_clone_to_owned()
            }
            _ => return OpenOptions::new().append(true).open(path),
        };
        owned.map(File::from)
    }
    #[cfg(not(unix))]
    OpenOptions::new().write(true).open(path)
}

fn directory_of(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}
