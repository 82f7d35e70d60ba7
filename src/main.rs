//! The `kofn` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    kofn::cli::main()
}
