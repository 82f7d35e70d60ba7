//! Files that are whole or not there: written under another name first, and renamed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Writes a file; nobody ever sees half of it.
///
/// # Errors
/// If writing fails; then there is no such file, or it is as it was.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = || -> io::Result<()> {
        let mut file = BufWriter::new(File::create(&partial)?);
        write(&mut file)?;
        file.flush()?;
        std::fs::rename(&partial, path)
    };
    written().inspect_err(|_| {
        // If it cannot be removed either, it was never there.
        let _ = std::fs::remove_file(&partial);
    })
}
