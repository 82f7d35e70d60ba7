//! Reading a model's file so that its weights are in memory once, or nearly: the file is decoded while it
//! is read, and what was decoded of a tensor goes when tract has made its own of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::mem::take;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use prost::Message;
use prost::bytes::Buf;
use tract_onnx::data_resolver::{MmapDataResolver, ModelDataResolver};
use tract_onnx::pb::tensor_proto::DataLocation;
use tract_onnx::pb::{ModelProto, StringStringEntryProto, TensorProto};
use tract_onnx::tract_hir::internal::*;

/// What the file says.
///
/// # Errors
/// If it cannot be read, or is no ONNX.
pub(super) fn read(path: &Path) -> TractResult<ModelProto> {
    let mut bytes = Bytes::of(File::open(path).with_context(|| format!("Opening {path:?}"))?)?;
    let model = ModelProto::decode(&mut bytes);
    match bytes.failed {
        Some(error) => Err(error).with_context(|| format!("Reading {path:?}")),
        None => Ok(model?),
    }
}

/// A file's bytes, of which a few are in memory.
struct Bytes {
    file: File,
    read: Vec<u8>,
    /// Where in `read` the next byte is.
    at: usize,
    left: usize,
    failed: Option<io::Error>,
}

impl Bytes {
    fn of(file: File) -> io::Result<Self> {
        let left = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = Self { file, read: Vec::new(), at: 0, left, failed: None };
        bytes.read_on();
        Ok(bytes)
    }

    /// Behind what cannot be read there are zeros: a decoder must not run out of bytes that it was told of.
    fn read_on(&mut self) {
        self.at = 0;
        self.read.resize(self.left.min(AT_ONCE), 0);
        if self.failed.is_some() {
            return;
        }
        if let Err(error) = self.file.read_exact(&mut self.read) {
            self.read.fill(0);
            self.failed = Some(error);
        }
    }
}

impl Buf for Bytes {
    fn remaining(&self) -> usize {
        self.left
    }

    fn chunk(&self) -> &[u8] {
        &self.read[self.at..]
    }

    fn advance(&mut self, mut count: usize) {
        while count > 0 && self.left > 0 {
            let step = count.min(self.read.len() - self.at);
            count -= step;
            self.at += step;
            self.left -= step;
            if self.at == self.read.len() {
                self.read_on();
            }
        }
    }
}

/// Of a file.
const AT_ONCE: usize = 1 << 20;

/// What tensors hold, until it is asked for. tract takes it for parts of the model's own file, beyond the end
/// of it.
#[derive(Default)]
pub(super) struct Taken(Mutex<BTreeMap<usize, Vec<u8>>>);

impl Taken {
    /// Takes what large tensors of the model at `path` hold out of them; nothing if tract would not find
    /// the file.
    pub(super) fn out_of(model: &mut ModelProto, path: &Path) -> Self {
        let Some(name) = name_in_folder(path) else { return Self::default() };
        let tensors = model.graph.iter_mut().flat_map(|graph| &mut graph.initializer);
        let large = tensors.filter(|tensor| tensor.raw_data.len() > LARGE);
        let taken = (BEYOND..).zip(large).map(|(at, tensor)| (at, take_out(tensor, name, at)));
        Self(Mutex::new(taken.collect()))
    }
}

/// What a file is called in its folder, if tract will find it there: it refuses paths that are no text, that
/// cannot be made absolute, and that lead out of the folder.
fn name_in_folder(path: &Path) -> Option<&str> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
    let name = path.to_str().and(path.file_name())?.to_str()?;
    folder.join(name).canonicalize().is_ok_and(|file| file.starts_with(&folder)).then_some(name)
}

fn take_out(tensor: &mut TensorProto, location: &str, offset: usize) -> Vec<u8> {
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
    tensor.data_location = Some(DataLocation::External as i32);
    tensor.external_data =
        vec![entry("location", location.to_owned()), entry("offset", offset.to_string())];
    take(&mut tensor.raw_data)
}

impl ModelDataResolver for Taken {
    fn read_bytes_from_path(
        &self,
        buffer: &mut Vec<u8>,
        path: &Path,
        offset: usize,
        length: Option<usize>,
    ) -> TractResult<()> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.remove(&offset) {
            Some(bytes) => *buffer = bytes,
            None => MmapDataResolver.read_bytes_from_path(buffer, path, offset, length)?,
        }
        Ok(())
    }
}

/// Of bytes.
const LARGE: usize = 1 << 16;

/// No file is so long.
const BEYOND: usize = usize::MAX / 2;

#[cfg(test)]
mod tests {
    use tract_onnx::pb::GraphProto;

    use super::*;

    /// A model of tensors of so many bytes, and its file.
    fn model(folder: &Path, sizes: &[usize]) -> (ModelProto, std::path::PathBuf) {
        let tensor = |size: &usize| TensorProto {
            raw_data: (0..*size).map(|at| (at * 31 % 251) as u8).collect(),
            ..TensorProto::default()
        };
        let initializer = sizes.iter().map(tensor).collect();
        let graph = GraphProto { initializer, ..GraphProto::default() };
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        let path = folder.join("model.onnx");
        std::fs::write(&path, model.encode_to_vec()).expect("there is room");
        (model, path)
    }

    #[test]
    fn a_file_is_read_as_it_was_written_however_long() {
        let folder = tempfile::tempdir().expect("there is room");
        for sizes in [&[][..], &[7], &[0, AT_ONCE - 9, 3, 2 * AT_ONCE + 1, 40_000]] {
            let (model, path) = model(folder.path(), sizes);
            assert_eq!(read(&path).expect("it is a model"), model);
        }
    }

    #[test]
    fn a_file_that_ends_too_early_is_refused() {
        let folder = tempfile::tempdir().expect("there is room");
        let (model, path) = model(folder.path(), &[100_000]);
        std::fs::write(&path, &model.encode_to_vec()[..70_000]).expect("there is room");
        assert!(read(&path).is_err());
        assert!(read(folder.path()).is_err(), "a folder is no file");
    }

    #[test]
    fn a_file_that_shrinks_while_it_is_read_is_refused() {
        let folder = tempfile::tempdir().expect("there is room");
        let tensor = TensorProto { float_data: vec![1.0; AT_ONCE], ..TensorProto::default() };
        let graph = GraphProto { initializer: vec![tensor], ..GraphProto::default() };
        let model = ModelProto { graph: Some(graph), ..ModelProto::default() };
        let path = folder.path().join("model.onnx");
        std::fs::write(&path, model.encode_to_vec()).expect("there is room");
        let mut bytes = Bytes::of(File::open(&path).expect("it is there")).expect("it is readable");
        let file = File::options().write(true).open(&path).expect("it is there");
        file.set_len(AT_ONCE as u64).expect("it is ours");
        // Whatever was decoded: it counts for nothing then.
        let _ = ModelProto::decode(&mut bytes);
        assert!(bytes.failed.is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_keeps_what_it_holds() {
        let [folder, other] = [(); 2].map(|()| tempfile::tempdir().expect("there is room"));
        let (before, path) = model(folder.path(), &[LARGE + 1]);
        let link = other.path().join("link.onnx");
        std::os::unix::fs::symlink(path, &link).expect("there is room");
        let mut after = before.clone();
        Taken::out_of(&mut after, &link);
        assert_eq!(after, before);
    }

    #[test]
    fn what_was_taken_out_is_given_once_and_small_tensors_keep_theirs() -> TractResult<()> {
        let folder = tempfile::tempdir()?;
        let (before, path) = model(folder.path(), &[9, LARGE + 1, LARGE, LARGE + 2]);
        let mut after = before.clone();
        let taken = Taken::out_of(&mut after, &path);
        let tensors = |model: &ModelProto| model.graph.clone().expect("a graph").initializer;
        for (before, after) in tensors(&before).into_iter().zip(tensors(&after)) {
            let mut bytes = after.raw_data;
            if let Some(offset) = after.external_data.iter().find(|entry| entry.key == "offset") {
                let offset = offset.value.parse()?;
                assert!(bytes.is_empty());
                taken.read_bytes_from_path(&mut bytes, &path, offset, None)?;
                let again = taken.read_bytes_from_path(&mut Vec::new(), &path, offset, None);
                assert!(again.is_err(), "it is beyond the end of the file");
            }
            assert_eq!(bytes, before.raw_data);
        }
        Ok(())
    }
}
