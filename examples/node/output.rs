//! A file that a command writes. It appears under its name when it is complete, or not at all; an existing
//! file is replaced atomically.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use hashloom::Hash;
use tempfile::NamedTempFile;

use crate::program::work::BUFFER_BYTES;

/// The destination of a command.
#[derive(Debug)]
pub(crate) enum Output {
    /// A temporary file beside the destination, which is deleted unless it is finished.
    File { part: BufWriter<NamedTempFile>, path: PathBuf, replaces: bool },
    /// A pipe, a device, or a descriptor that the parent process opened.
    Stream(BufWriter<File>),
}

/// More symbolic links than an operating system follows.
const MAX_LINKS: usize = 40;

impl Output {
    /// Prepares to write to a path. Follows symbolic links, even to a file that does not exist.
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

    /// Whether the output is written completely or not at all.
    pub(crate) const fn is_file(&self) -> bool {
        matches!(self, Self::File { .. })
    }

    /// Renames the file to its final name after all its data is durable.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.put_in_place(true)
    }

    /// Renames the file to its final name. After a crash of the machine the file may be missing or empty.
    #[cfg(feature = "evidence")]
    pub(crate) fn finish_unsynchronised(self) -> io::Result<()> {
        self.put_in_place(false)
    }

    fn put_in_place(self, is_durable: bool) -> io::Result<()> {
        let (part, path, replaces) = match self {
            Self::Stream(mut stream) => return stream.flush(),
            Self::File { part, path, replaces } => (part.into_inner()?, path, replaces),
        };
        if is_durable {
            part.as_file().sync_all()?;
        }
        let named = if replaces { part.persist(&path) } else { part.persist_noclobber(&path) };
        named.map_err(|error| error.error)?;
        // The directory entry must be durable, too. Only Unix can open a directory as a file.
        #[cfg(unix)]
        if is_durable {
            File::open(directory_of(&path))?.sync_all()?;
        }
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

/// Creates the temporary file for a path, with the owner and the permissions of the file that it replaces.
fn begin(path: &Path, replaced: Option<&fs::Metadata>) -> io::Result<NamedTempFile> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidFilename)?;
    // A function of the path, so that the next process removes the leftover of one that was killed.
    let digest = Hash::digest(name.as_encoded_bytes()).to_string();
    let name = format!(".export-{}.part", &digest[..16]);
    let directory = directory_of(path);
    remove_stale(&directory.join(&name))?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(&name).rand_bytes(0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The permissions of any new file, which the umask restricts.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(directory)?;
    // The lock tells another process that this one is still writing.
    file.as_file().try_lock()?;
    if let Some(replaced) = replaced {
        #[cfg(unix)]
        {
            use std::os::unix::fs::{MetadataExt, fchown};
            // Only the superuser can change the owner.
            let _ = fchown(file.as_file(), Some(replaced.uid()), Some(replaced.gid()));
        }
        file.as_file().set_permissions(replaced.permissions())?;
    }
    Ok(file)
}

/// Removes the leftover of a process that was killed.
fn remove_stale(part: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(part).is_ok_and(|part| part.is_file()) {
        // If something other than a file has the name, creating the file reports the error.
        return Ok(());
    }
    match File::open(part)?.try_lock() {
        Ok(()) => fs::remove_file(part),
        Err(fs::TryLockError::WouldBlock) => {
            Err(io::Error::new(io::ErrorKind::ResourceBusy, "another process is writing it"))
        }
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Resolves symbolic links. The destination need not exist.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(target) => path = directory_of(&path).join(target),
            // Not a symbolic link, or nothing exists there.
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

/// Whether the path names a descriptor of this process, which may be a file that a shell has opened. The
/// output is written to the open file, which is not replaced.
fn is_descriptor(path: &Path) -> bool {
    let is_in = |directory| path.strip_prefix(directory).is_ok_and(|number| number.components().count() == 1);
    let names = ["/dev/stdout", "/dev/stderr"].map(Path::new);
    cfg!(unix) && (names.contains(&path) || is_in("/dev/fd") || is_in("/proc/self/fd"))
}

/// Opens the descriptor with this name. Standard output continues at the position where a shell or another
/// program left it.
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
