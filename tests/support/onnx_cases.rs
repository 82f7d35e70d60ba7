//! The cases that the wheel of ONNX carries: one-layer models, inputs, and the outputs PyTorch gave.
//!
//! They are fetched once and kept below `target`. Nothing here knows how a case is run.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use kofn::maths::Tensor;
use tract_onnx::data_resolver::FopenDataResolver;
use tract_onnx::prelude::TractResult;
use tract_onnx::tensor::{load_tensor, proto_from_reader};

/// The folder that holds `pytorch-converted` and `pytorch-operator`; fetched if it is not there.
///
/// # Errors
/// If it cannot be fetched: one sentence that says what to install.
pub(crate) fn folder() -> Result<PathBuf, String> {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("conformance");
    let folder = kept.join(WHEEL.replace("==", "-"));
    if !folder.is_dir() {
        fetch(&kept, &folder).map_err(|why| {
            format!(
                "the cases of {WHEEL} could not be fetched: install python3 and its pip (Debian: \
                 python3-pip), and let pip reach a package index ({why})"
            )
        })?;
    }
    Ok(folder)
}

/// Downloads and unpacks out of sight, so that what is seen is whole.
fn fetch(kept: &Path, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(kept)?;
    let hidden = tempfile::tempdir_in(kept)?;
    let pip = "-m pip download --quiet --no-deps --only-binary :all: --dest";
    python(&pip.split(' ').collect::<Vec<_>>(), &[hidden.path(), Path::new(WHEEL)])?;
    python(&["-c", UNPACK], &[hidden.path()])?;
    match fs::rename(hidden.path().join("onnx/backend/test/data"), folder) {
        // Another run was quicker.
        Err(_) if folder.is_dir() => Ok(()),
        outcome => outcome,
    }
}

fn python(how: &[&str], what: &[&Path]) -> io::Result<()> {
    let run = Command::new("python3").args(how).args(what).output();
    let run = run.map_err(|error| io::Error::other(format!("python3: {error}")))?;
    if run.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&run.stderr);
    Err(io::Error::other(said.trim_end().lines().last().unwrap_or("python3 failed").to_owned()))
}

const WHEEL: &str = "onnx==1.23.2";

const UNPACK: &str = "
import pathlib, sys, zipfile
hidden = pathlib.Path(sys.argv[1])
wheel = zipfile.ZipFile(next(hidden.glob('*.whl')))
wheel.extractall(hidden, [name for name in wheel.namelist() if '/test/data/pytorch-' in name])
";

/// The cases in one of its folders: (name, folder).
pub(crate) fn all(folder: &Path) -> Vec<(String, PathBuf)> {
    let cases = fs::read_dir(folder).expect("a folder of cases");
    let case = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.expect("a case");
        (entry.file_name().to_string_lossy().into_owned(), entry.path())
    };
    cases.map(case).collect()
}

/// A case's tensors of one kind, `input` or `output`, in order.
pub(crate) fn tensors(case: &Path, kind: &str) -> Vec<Tensor> {
    let files = (0..).map(|at| case.join(format!("test_data_set_0/{kind}_{at}.pb")));
    let files = files.take_while(|file| file.exists());
    files.map(|file| tensor(&file).expect("a serialised TensorProto")).collect()
}

/// Whole numbers and doubles become `f32` here, as kofn's are.
fn tensor(file: &Path) -> TractResult<Tensor> {
    let tensor = load_tensor(&FopenDataResolver, &proto_from_reader(File::open(file)?)?, None)?;
    Ok(tensor.cast_to::<f32>()?.into_owned().into_plain_array::<f32>()?.into())
}
