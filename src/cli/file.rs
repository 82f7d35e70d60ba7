//! Files that are whole or not there: written under another name first, and renamed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::BadInput;

/// Writes a file; nobody ever sees half of it.
pub(super) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<(), BadInput> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let written = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&partial)?);
        write(&mut file)?;
        file.flush()?;
        std::fs::rename(&partial, path)
    };
    written().map_err(|error| {
        // If it cannot be removed either, it was never there.
        let _ = std::fs::remove_file(&partial);
        BadInput(format!("{} cannot be written: {error}", path.display()))
    })
}
