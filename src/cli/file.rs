//! Files that a command writes where the user said.

use std::io::{self, Write};
use std::path::Path;

use super::BadInput;
use crate::view::file;

/// Writes a file; nobody ever sees half of it.
pub(super) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), BadInput> {
    let told = |error| BadInput(format!("{} cannot be written: {error}", path.display()));
    file::write_whole(path, write).map_err(told)
}
